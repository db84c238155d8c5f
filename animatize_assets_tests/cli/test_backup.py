"""``animatize backup`` and ``restore``: under load, elsewhere, with nothing lost or half done."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from animatize_assets.database.tables import generation_calls
from animatize_assets.orchestration import image_keys, open_instance
from animatize_assets.orchestration.process_marks import marked_process
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.settings import Settings
from animatize_assets.workplace import folder_exchange
from animatize_assets.workplace.from_settings import performance_room
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.cli.conftest import Animatize
from animatize_assets_tests.cli.test_migrate import fill, known_of
from animatize_assets_tests.defs.runs import register, run, states
from animatize_assets_tests.performance.jobs import job
from animatize_assets_tests.pipeline.cheap import made, wish, write_images
from animatize_assets_tests.postgres import empty_database
from animatize_assets_tests.production import use_production

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def artefacts_of(folder: Path) -> dict[str, bytes]:
    return {
        name: content
        for name, content in content_of(folder).items()
        if name.startswith(("images/", "artifacts/", "performance/"))
    }


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "data"


def go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be another installation from now on."""
    monkeypatch.setenv("ANIMATIZE_DATA_DIR", str(folder))
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "dagster"))


def test_everything_comes_back_elsewhere_and_nothing_is_made_again(  # noqa: PLR0917  # fixtures
    either_instance: str,
    data_dir: Path,
    elsewhere: Path,
    animatize: Animatize,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    keys = fill(data_dir)
    with open_instance(data_dir) as instance:
        before = known_of(instance, keys)
    room = performance_room(Settings.read())
    jobs = room.store.jobs()
    room.spool.put("00000000000000000001-aa", job(9))
    (data_dir / "uploads").mkdir(exist_ok=True)
    write_images(data_dir / "uploads", 1, start=50)

    file = tmp_path / "saved.tar.gz"
    answer = animatize("backup", "--json", file)
    assert answer.code == 0, answer.out
    assert answer.document["file_bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith((".", "tmp"))] == []

    with ExitStack() as databases:
        go(elsewhere, monkeypatch)
        if either_instance == "postgresql":
            server = request.getfixturevalue("postgres_server")
            use_production(elsewhere / "dagster", server, monkeypatch, databases)
            (elsewhere / "dagster" / "dagster.yaml").unlink()  # it comes with the backup
        restored = animatize("restore", "--json", file)
        assert restored.code == 0, restored.out
        assert artefacts_of(elsewhere) == artefacts_of(data_dir)
        assert content_of(elsewhere / "uploads") == content_of(data_dir / "uploads")
        with open_instance(elsewhere) as instance:
            assert known_of(instance, keys) == before
        workplace = open_workplace()
        assert workplace.known_keys() == tuple(keys)
        with workplace.images.engine.connect() as connection:
            (call,) = connection.execute(select(generation_calls)).all()
            assert call.state == "open"
        found = {each.job_id for each in performance_room(Settings.read()).store.jobs()}
        assert found == {each.job_id for each in jobs} | {job(9).job_id}
        with open_instance(elsewhere) as instance:
            count = len(made(elsewhere))
            assert run(instance, keys[:2]).success
            assert made(elsewhere)[count:] == []


def test_what_is_saved_while_runs_go_on_is_of_one_moment(  # noqa: PLR0917  # fixtures
    data_dir: Path,
    elsewhere: Path,
    animatize: Animatize,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: dict[str, Any],
) -> None:
    enough, failures = threading.Event(), []
    first_done = threading.Event()
    with open_instance(data_dir) as instance:
        keys = register(instance, data_dir, sizes["backup"]["images"])

        def work() -> None:
            try:
                for start in range(0, len(keys), 2):
                    if enough.is_set():
                        return
                    assert run(instance, keys[start : start + 2]).success
                    first_done.set()
            except BaseException as error:  # told by the test
                failures.append(error)
                raise
            finally:
                first_done.set()

        worker = threading.Thread(target=work)
        worker.start()
        files = [tmp_path / f"saved {number}.tar.gz" for number in range(2)]
        first_done.wait()
        under_load = worker.is_alive()
        answers = [animatize("backup", "--json", file) for file in files]
        enough.set()
        worker.join()
    assert under_load
    assert failures == []
    assert [answer.code for answer in answers] == [0, 0]

    for number, file in enumerate(files):
        folder = elsewhere.with_name(f"data {number}")
        go(folder, monkeypatch)
        assert animatize("restore", "--json", file).code == 0
        with open_instance(folder) as restored:
            assert image_keys(restored) == tuple(keys)
            done = states(restored, keys)
            finished = {
                (key, stage)
                for stage in STAGES
                for key in keys
                if done[stage][key] == "materialized"
            }
            assert finished
            count = len(made(folder))
            assert run(restored, keys).success
            assert finished.isdisjoint(made(folder)[count:])
            assert set(states(restored, keys)["animatic_clip"].values()) == {"materialized"}


@pytest.fixture
def saved(data_dir: Path, animatize: Animatize, tmp_path: Path) -> Path:
    with open_instance(data_dir) as instance:
        register(instance, data_dir, 1)
    file = tmp_path / "saved.tar.gz"
    assert animatize("backup", file).code == 0
    return file


def test_nothing_is_overwritten_unless_that_is_said(
    saved: Path, data_dir: Path, animatize: Animatize
) -> None:
    again = animatize("backup", "--json", saved)
    assert again.document["error"]["code"] == "storage_failed"
    wish(data_dir, later="than the backup")
    before = content_of(data_dir)
    refused = animatize("restore", "--json", saved)
    assert refused.code == 1
    assert "is not empty" in refused.document["error"]["message"]
    assert content_of(data_dir) == before
    assert animatize("restore", "--json", "--replace", saved).code == 0
    assert "cheap.json" not in content_of(data_dir)
    assert artefacts_of(data_dir).keys() <= before.keys()
    assert len(open_workplace().known_keys()) == 1
    assert sorted(each.name for each in data_dir.parent.iterdir()) == ["data", "saved.tar.gz"]


def is_mounted(_one: Path, other: Path) -> None:
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(other))


@pytest.mark.parametrize("what", ["cut", "rename", "file inside", "a run"])
def test_what_cannot_be_restored_changes_nothing(
    what: str,
    saved: Path,
    data_dir: Path,
    animatize: Animatize,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = "storage_failed"
    with ExitStack() as meanwhile:
        if what == "cut":
            saved.write_bytes(saved.read_bytes()[:-200])
        elif what == "rename":
            monkeypatch.setattr(folder_exchange, "_exchange_at_once", is_mounted)
        elif what == "file inside":
            saved = saved.rename(data_dir / "inside.tar.gz")
        else:
            meanwhile.enter_context(marked_process(data_dir / "dagster"))
            code = "orchestration_failed"
        before = content_of(data_dir)
        answer = animatize("restore", "--json", "--replace", saved)
        assert (answer.code, answer.document["error"]["code"]) == (1, code)
        assert content_of(data_dir) == before
        assert {each.name for each in data_dir.parent.iterdir()} <= {"data", "saved.tar.gz"}


@pytest.fixture
def server_url(postgres_server: str) -> Iterator[str]:
    with empty_database(postgres_server) as url:
        yield url


def test_files_and_servers_are_not_mixed_up(
    saved: Path,
    elsewhere: Path,
    animatize: Animatize,
    server_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go(elsewhere, monkeypatch)
    monkeypatch.setenv("ANIMATIZE_DATABASE_URL", server_url)
    answer = animatize("restore", "--json", saved)
    assert answer.document["error"]["code"] == "not_configured"
    assert "animatize migrate" in answer.document["error"]["message"]
    assert not elsewhere.exists()
    monkeypatch.setenv("ANIMATIZE_DATABASE_URL", "sqlite:///other.db")
    assert animatize("restore", "--json", saved).document["error"]["code"] == "not_configured"


def test_secrets_are_not_saved(
    saved: Path, data_dir: Path, animatize: Animatize, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "s3cret-" * 3
    monkeypatch.setenv("ANIMATIZE_OPENAI_API_KEY", secret)
    monkeypatch.setenv("ANIMATIZE_ALERT_WEBHOOK_URL", f"https://example.org/{secret}")
    monkeypatch.setenv("ANIMATIZE_JOB_RETENTION_DAYS", "30")
    answer = animatize("backup", "--json", saved.with_name("other.tar.gz"))
    assert secret not in answer.out + answer.err
    assert answer.document["settings"]["ANIMATIZE_JOB_RETENTION_DAYS"] == "30"
    assert "not kept" in answer.document["settings"]["ANIMATIZE_OPENAI_API_KEY"]


def test_without_anything_stored_there_is_nothing_to_save(
    animatize: Animatize, tmp_path: Path
) -> None:
    answer = animatize("backup", "--json", tmp_path / "file")
    assert (answer.code, answer.document["error"]["code"]) == (1, "not_configured")
    assert not (tmp_path / "file").exists()
