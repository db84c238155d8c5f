"""``animatize backup`` and ``restore`` are killed: what is there is whole, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest

from animatize_assets.errors import StorageFailed
from animatize_assets.images.half_restored import MARK
from animatize_assets.orchestration import open_instance
from animatize_assets.workplace.backup_file import read_backup
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.cli.forked_commands import Commands, running_commands
from animatize_assets_tests.cli.test_backup import content_of
from animatize_assets_tests.defs.runs import register, run

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with running_commands(tmp_path_factory.mktemp("commands")) as running:
        yield running


@dataclass(frozen=True)
class Restoring:
    """A folder of its own with an instance in it, and the backup of another one."""

    place: Path
    """With the folders that are replaced, and nothing else."""
    before: Path
    backup: Path
    commands: Commands

    def as_before(self) -> dict[str, bytes]:
        """Have everything be as it was at first; returns that."""
        shutil.rmtree(self.place)
        shutil.copytree(self.before, self.place)
        return content_of(self.place)

    def once_more(self) -> dict[str, bytes]:
        """Restore without being killed; returns what is there then, and nothing else is."""
        assert self.commands.run("restore", "--replace", self.backup) == 0
        assert {each.name for each in self.place.iterdir()} == {
            each.name for each in self.before.iterdir()
        }
        return content_of(self.place)


Prepare = Callable[[str], Restoring]


@pytest.fixture
def prepare(tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Makes both; ``home``: where Dagster's home is, below the place."""

    def fill(place: Path, home: str, images: int) -> None:
        data_dir = place / "data"
        monkeypatch.setenv("ANIMATIZE_DATA_DIR", str(data_dir))
        monkeypatch.setenv("DAGSTER_HOME", str(place / home))
        data_dir.mkdir(parents=True)
        with open_instance(data_dir) as instance:
            keys = register(instance, data_dir, images)
            assert run(instance, keys[:1]).success

    def both(home: str) -> Restoring:
        place, backup = tmp_path / "place", tmp_path / "saved.tar.gz"
        fill(tmp_path / "other", home, 3)
        assert commands.run("backup", backup) == 0
        fill(place, home, 2)
        before = shutil.copytree(place, tmp_path / "before")
        return Restoring(place, before, backup, commands)

    return both


class Moments:
    """Random moments of a command that has just run to its end, as arguments of the next."""

    def __init__(self, commands: Commands, seconds: float, seed: int) -> None:
        self._operations, self._seconds = len(commands.operations()), seconds
        self._dice = Random(seed)
        self._by_time = False

    def next(self) -> dict[str, Any]:
        """By turns before one of its file operations, and at some time, if it lasts so long."""
        self._by_time = not self._by_time
        if self._by_time:
            return {"kill_after_s": self._dice.uniform(0, self._seconds)}
        return {"kill_at": self._dice.randrange(self._operations)}


def test_a_restore_killed_at_random_moments(
    sizes: dict[str, Any], prepare: Prepare, commands: Commands
) -> None:
    restoring = prepare("data/dagster")
    began = monotonic()
    new = restoring.once_more()
    moments = Moments(commands, monotonic() - began, seed=5)
    old = restoring.as_before()
    assert old != new
    saved = restoring.backup.read_bytes()
    ends = []
    for _ in range(sizes["backup_killed"]["kills"]):
        ends.append(commands.run("restore", "--replace", restoring.backup, **moments.next()))
        assert whole(content_of(restoring.place)) in (old, new)
        assert restoring.backup.read_bytes() == saved
        assert restoring.once_more() == new
        restoring.as_before()
    assert KILLED in ends


def whole(content: dict[str, bytes]) -> dict[str, bytes]:
    """What a person finds: not the folders that are being written or removed."""
    return {
        name: each
        for name, each in content.items()
        if not (name.startswith(".") and ".part/" in name)
    }


def exchange_in(operations: Sequence[str]) -> range:
    """Return the numbers of the operations around the exchange of the folders, and what follows."""
    first = next(n for n, each in enumerate(operations) if each.startswith("ctypes.dlopen (None"))
    return range(first - 2, min(first + 14, len(operations)))


@pytest.mark.parametrize("home", [pytest.param("data/dagster", marks=pytest.mark.full), "home"])
def test_a_restore_killed_at_each_step_of_the_exchange(
    home: str, prepare: Prepare, commands: Commands, sizes: dict[str, Any]
) -> None:
    restoring = prepare(home)
    new = restoring.once_more()
    steps = exchange_in(commands.operations())
    old = restoring.as_before()
    seen = set()
    for step in steps[:: sizes["backup_killed"]["every"]]:
        assert commands.run("restore", "--replace", restoring.backup, kill_at=step) == KILLED
        found = whole(content_of(restoring.place))
        if f"data/{MARK}" in found:
            # Neither of the two, which everything else says, and does nothing.
            assert home == "home"
            seen.add("marked")
            with pytest.raises(StorageFailed, match=f"--replace {restoring.backup}"):
                open_workplace()
        else:
            seen.add("old" if found == old else "new")
            assert found in (old, new)
        assert restoring.once_more() == new
        restoring.as_before()
    assert {"old", "new"} <= seen
    assert ("marked" in seen) == (home == "home")


@pytest.mark.full
@pytest.mark.parametrize("either_instance", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("either_instance")
def test_a_restore_killed_between_the_files_and_the_server(
    data_dir: Path, commands: Commands, tmp_path: Path
) -> None:
    backup = tmp_path / "saved.tar.gz"
    with open_instance(data_dir) as instance:
        (kept,) = register(instance, data_dir, 1)
        assert commands.run("backup", backup) == 0
        later = register(instance, data_dir, 2)
    assert commands.run("restore", "--replace", backup) == 0
    assert open_workplace().known_keys() == (kept,)
    exchanged = exchange_in(commands.operations())[4]

    with open_instance(data_dir) as instance:
        assert register(instance, data_dir, 2) == later
    before = content_of(data_dir)
    assert commands.run("restore", "--replace", backup, kill_at=exchanged - 2) == KILLED
    assert content_of(data_dir) == before
    assert set(open_workplace().known_keys()) == set(later)

    assert commands.run("restore", "--replace", backup, kill_at=exchanged) == KILLED
    with pytest.raises(StorageFailed, match=f"--replace {backup}"):
        open_workplace()
    assert commands.run("restore", "--replace", backup) == 0
    assert open_workplace().known_keys() == (kept,)


def test_a_backup_killed_at_random_moments(
    sizes: dict[str, Any], prepare: Prepare, commands: Commands, tmp_path: Path
) -> None:
    prepare("data/dagster")
    folder = tmp_path / "backups"
    began = monotonic()
    assert commands.run("backup", folder / "first.tar.gz") == 0
    moments = Moments(commands, monotonic() - began, seed=6)
    ends = []
    for number in range(sizes["backup_killed"]["kills"]):
        file = folder / f"{number}.tar.gz"
        ends.append(commands.run("backup", file, **moments.next()))
        if file.exists():
            read_backup(file, lambda _: None)
        else:
            assert commands.run("backup", file) == 0
    assert KILLED in ends
    for left in folder.iterdir():
        if left.name.endswith(".part"):
            os.utime(left, (0, 0))  # an hour passes
    theirs = folder / ".film.part"
    theirs.touch()
    os.utime(theirs, (0, 0))
    assert commands.run("backup", folder / "last.tar.gz") == 0
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == [theirs.name]
