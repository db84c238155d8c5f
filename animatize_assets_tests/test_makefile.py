"""What the make targets hand on, wherever the clone and the data are: nothing is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEMPLATE = "animatize_assets/dagster_instance.yaml"
ODD_NAMES = ["data", "two words", "it's", "-dash", "ünï"]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in a folder with a space, whose installed Python prints what it is asked to do."""
    clone = tmp_path / "my clone"
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / TEMPLATE).parent.mkdir()
    shutil.copy(ROOT / "Makefile", clone)
    shutil.copy(ROOT / TEMPLATE, clone / TEMPLATE)
    for name in ("pyproject.toml", "setup.cfg", "constraints.txt"):
        (clone / name).touch()
    python = clone / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$*"\n')
    python.chmod(0o755)
    (clone / ".venv" / ".installed").touch()
    return clone


def make(clone: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(clone), *arguments],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=clone.parent,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def exported(lines: str, name: str) -> str:
    """The value that a shell has of ``name`` after it has read the lines of ``make env``."""
    script = f'{lines}\nprintf %s "${name}"'
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_data_folder_is_absolute_and_may_have_any_name(clone: Path, name: str) -> None:
    for given in (clone.parent / name, Path(name)):
        lines = make(clone, "env", ANIMATIZE_DATA_DIR=str(given))
        data = clone / given  # an absolute one stays as it is
        assert exported(lines, "ANIMATIZE_DATA_DIR") == str(data)
        assert exported(lines, "DAGSTER_HOME") == str(data / "dagster")
        assert (data / "dagster" / "dagster.yaml").read_text() == (ROOT / TEMPLATE).read_text()
    assert {path.name for path in clone.parent.iterdir()} == {clone.name, name}


def test_a_folder_named_on_the_command_line_is_made_absolute_too(clone: Path) -> None:
    lines = make(clone, "env", "ANIMATIZE_DATA_DIR=else where")
    assert exported(lines, "ANIMATIZE_DATA_DIR") == str(clone / "else where")


def test_without_a_folder_the_clones_own_is_used(clone: Path) -> None:
    lines = make(clone, "env")
    assert exported(lines, "ANIMATIZE_DATA_DIR") == str(clone / "data")
    assert exported(lines, "PATH").startswith(f"{clone}/.venv/bin:")


def test_the_instance_follows_the_template(clone: Path) -> None:
    make(clone, "instance")
    written = clone / "data" / "dagster" / "dagster.yaml"
    written.write_text("changed by hand")
    make(clone, "instance")
    assert written.read_text() == "changed by hand"
    later = written.stat().st_mtime + 10
    os.utime(clone / TEMPLATE, (later, later))
    make(clone, "instance")
    assert written.read_text() == (ROOT / TEMPLATE).read_text()


def test_an_instance_with_a_storage_of_its_own_stays(clone: Path) -> None:
    make(clone, "instance")
    file = clone / "data" / "dagster" / "dagster.yaml"
    shutil.copy(ROOT / "deploy" / "postgres" / "dagster.yaml", file)
    later = file.stat().st_mtime + 10
    os.utime(clone / TEMPLATE, (later, later))
    make(clone, "instance")
    assert "KeptOpenPostgresStorage" in file.read_text()


@pytest.mark.parametrize("target", ["test", "test-full"])
def test_photographs_reach_the_tests(clone: Path, target: str) -> None:
    assert "--photos" not in make(clone, "-s", target)
    assert f"--photos={clone}/o'clock pictures\n" in make(
        clone, "-s", target, "PHOTOS=o'clock pictures"
    )


def test_photographs_reach_the_benchmark_that_reads_them(clone: Path) -> None:
    lines = make(clone, "bench", "PHOTOS=/some/photos").splitlines()
    with_data = [line for line in lines if "--data" in line]
    assert with_data == ["benchmarks/scene_quality.py --quick --data /some/photos"]
    assert len(lines) > 4
    assert "--data" not in make(clone, "bench")
