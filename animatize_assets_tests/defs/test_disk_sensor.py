"""A disk that is nearly full: nothing begins, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import errno
from pathlib import Path

import dagster as dg
import pytest

from animatize_assets.defs.disk_sensor import disk_room
from animatize_assets.defs.stopped_runs import STOPPED_TAG
from animatize_assets_tests.defs.runs import (
    QUIET,
    cheap_definitions,
    failed_images,
    register,
    run,
    states,
)
from animatize_assets_tests.defs.test_sensors import Daemon
from animatize_assets_tests.pipeline import cheap
from animatize_assets_tests.pipeline.cheap import made, write_images


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """More is to be kept free than any disk here has."""
    monkeypatch.setenv("ANIMATIZE_DISK_FREE_GB", "100000")


class Looks:
    """The sensor's looks, with the cursor in between."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None

    def __call__(self) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = disk_room(context)
        self.cursor = result.cursor
        return result


def freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANIMATIZE_DISK_FREE_GB")


@pytest.mark.usefixtures("full")
def test_no_run_is_asked_for_and_no_file_given_up(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon(instance, cheap_definitions())
    write_images(data_dir / "uploads", 2)
    assert [daemon.tick() for _ in range(3)] == [0, 0, 0]
    assert len(list((data_dir / "uploads").iterdir())) == 2
    freed(monkeypatch)
    assert [daemon.tick() for _ in range(2)] == [0, 2]
    assert len(instance.get_dynamic_partitions("images")) == 2


def test_files_of_runs_that_were_stopped_are_not_given_up(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon(instance, cheap_definitions())
    write_images(data_dir / "uploads", 1)
    daemon.look_for_uploads()
    for _ in range(4):  # more than the tries of a file that brings its run down
        (request,) = daemon.look_for_uploads()
        monkeypatch.setenv("ANIMATIZE_DISK_FREE_GB", "100000")
        assert not daemon.execute(request, "ingest_uploads")
        freed(monkeypatch)
    assert daemon.tick() == 2


def test_a_run_that_starts_all_the_same_is_stopped_and_asked_for_again_once(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = register(instance, data_dir, 2)
    looks = Looks(instance)
    assert looks().run_requests == []
    monkeypatch.setenv("ANIMATIZE_DISK_FREE_GB", "100000")
    stopped = run(instance, keys, style="noir")
    assert not stopped.success
    (failure,) = [e.step_failure_data for e in stopped.all_events if e.is_step_failure]
    assert "no new work begins" in (failure.user_failure_data.description or "")  # type: ignore[union-attr]
    assert instance.get_run_by_id(stopped.run_id).tags[STOPPED_TAG] == "disk_nearly_full"  # type: ignore[union-attr]
    assert made(data_dir) == []

    first, second = looks(), looks()
    assert [request.job_name for request in first.run_requests or []] == ["clean_caches"]
    assert not second.run_requests  # once is enough
    assert "kept free" in (second.skip_reason.skip_message or "")  # type: ignore[union-attr]

    freed(monkeypatch)
    (again,) = looks().run_requests or []
    assert looks().run_requests == []
    assert again.run_config["ops"]["image_pipeline"]["config"]["style"] == "noir"
    done = (
        cheap_definitions()
        .resolve_job_def(again.job_name or "")
        .execute_in_process(
            instance=instance,
            run_config={**again.run_config, **QUIET},
            tags=again.tags,
            asset_selection=list(again.asset_selection) if again.asset_selection else None,
        )
    )
    assert done.success
    assert set(states(instance, keys)["animatic_clip"].values()) == {"materialized"}
    assert looks().run_requests == []


def test_a_run_is_stopped_between_two_images(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found again needs no room: only what would be made is stopped."""
    keys = register(instance, data_dir, 2)
    assert run(instance, keys[:1]).success
    work = made(data_dir)
    monkeypatch.setattr("animatize_assets.defs.assets.begin_with_room", lambda *_: None)
    monkeypatch.setenv("ANIMATIZE_DISK_FREE_GB", "100000")
    stopped = run(instance, keys)
    assert made(data_dir) == work
    assert states(instance, keys)["animatic_clip"] == {keys[0]: "materialized", keys[1]: "failed"}
    assert instance.get_run_by_id(stopped.run_id).tags[STOPPED_TAG] == "disk_nearly_full"  # type: ignore[union-attr]
    freed(monkeypatch)
    assert len(Looks(instance)().run_requests or []) == 1


def test_an_image_whose_result_did_not_fit_is_asked_for_again(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is the last of its run, after which nothing is left that is not begun."""
    (key,) = register(instance, data_dir, 1)

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setitem(cheap._MAKERS, "animatic_clip", no_room)
        failed = run(instance, [key])
    told = failed_images(failed)[key]
    assert told["code"] == "disk_nearly_full"
    assert "No space left on device" in told["reason"]
    assert states(instance, [key])["generated_picture"] == {key: "materialized"}
    assert [each.job_name for each in Looks(instance)().run_requests or []] == ["animate_images"]
