"""When what waits in Dagster's queue will be done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._daemon.types import DaemonHeartbeat
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.orchestration import (
    asked_run,
    batch_progress,
    finishing_in_queue,
    open_instance,
    register_images,
)
from animatize_assets.orchestration.batches import ESTIMATED_TAG, RANGE_TAG
from animatize_assets.orchestration.code_location import load_job, pipeline_assets
from animatize_assets.orchestration.queue_times import SILENT_S, turn
from animatize_assets.orchestration.runs import (
    IMAGES_TAG,
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
)

PLACES = 4
"""Of the instance file that ships in the package."""

KEYS = ["a", "b", "c", "d"]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    with open_instance(tmp_path / "data") as instance:
        register_images(instance, KEYS)
        yield instance


@pytest.fixture
def now(instance: DagsterInstance) -> datetime:
    """A moment at which the daemon has just said that it lives."""
    told = datetime.now(UTC)
    instance.add_daemon_heartbeat(
        DaemonHeartbeat(told.timestamp(), "QUEUED_RUN_COORDINATOR", "it", None)
    )
    return told


def queued(
    instance: DagsterInstance,
    seconds: float | None,
    status: DagsterRunStatus = DagsterRunStatus.QUEUED,
    **config: object,
) -> DagsterRun:
    """A run over two images that waits, or is said to go on."""
    tags = {IMAGES_TAG: "2", RANGE_START_TAG: "b", RANGE_END_TAG: "c"}
    if seconds is not None:
        tags |= {ESTIMATED_TAG: f"{seconds}", RANGE_TAG: f"{seconds / 2} to {seconds * 2} (80 %)"}
    job = load_job()
    location = RegisteredCodeLocationOrigin("ours")
    return instance.create_run_for_job(
        job,
        status=status,
        tags=tags,
        run_config={"ops": {"image_pipeline": {"config": config}}},
        asset_selection={AssetKey(each.name) for each in pipeline_assets()},
        remote_job_origin=RemoteJobOrigin(
            repository_origin=RemoteRepositoryOrigin(location, "all"), job_name=job.name
        ),
    )


def wait_of(instance: DagsterInstance, run: DagsterRun, now: datetime) -> list[float] | None:
    """Seconds until a run is done, and until its bounds."""
    finish = finishing_in_queue(instance, batch_progress(instance, run.run_id), now)
    if finish is None or finish.interval_80 is None:
        return None
    return [(at - now).total_seconds() for at in (finish.finishing_at, *finish.interval_80)]


def test_a_run_that_waits_for_nobody_takes_its_own_time(
    instance: DagsterInstance, now: datetime
) -> None:
    assert wait_of(instance, queued(instance, 10.0), now) == [10.0, 5.0, 20.0]


def test_a_run_waits_until_one_before_it_leaves_its_place(
    instance: DagsterInstance, now: datetime
) -> None:
    for seconds in (40.0, 30.0, 50.0, 60.0):
        queued(instance, seconds, DagsterRunStatus.STARTED)
    first, second = queued(instance, 5.0), queued(instance, 10.0)
    assert wait_of(instance, first, now) == [35.0, 17.5, 70.0]
    assert wait_of(instance, second, now) == [45.0, 22.5, 90.0]


def test_nobody_can_tell_where_one_that_goes_first_was_not_estimated(
    instance: DagsterInstance, now: datetime
) -> None:
    queued(instance, None)
    assert wait_of(instance, queued(instance, 10.0), now) is None


def test_what_no_daemon_starts_is_never_done(instance: DagsterInstance, now: datetime) -> None:
    run = queued(instance, 10.0)
    assert wait_of(instance, run, now + timedelta(seconds=SILENT_S)) is None
    instance.wipe_daemon_heartbeats()
    assert wait_of(instance, run, now) is None


def test_a_run_that_goes_on_waits_for_nobody(instance: DagsterInstance, now: datetime) -> None:
    queued(instance, 100.0)
    run = queued(instance, 10.0, DagsterRunStatus.STARTED)
    assert wait_of(instance, run, now) == [10.0, 5.0, 20.0]


def test_what_a_run_was_asked_for_is_told(instance: DagsterInstance) -> None:
    asked = asked_run(instance, queued(instance, None, provider="flux").run_id)
    assert asked is not None
    assert (asked.image_keys, asked.request) == (("b", "c"), {"provider": "flux"})
    alone = instance.create_run_for_job(
        load_job(),
        tags={PARTITION_TAG: "d"},
        asset_selection={AssetKey("source_image")},
    )
    assert asked_run(instance, alone.run_id) is None
    assert asked_run(instance, "unheard-of") is None


TIMES = st.lists(st.floats(0, 1e4), max_size=12)


@given(TIMES, TIMES, st.integers(1, 6))
def test_a_turn_comes_no_sooner_and_no_later_than_it_can(
    going_on: list[float], before: list[float], places: int
) -> None:
    begin = turn(going_on, before, places)
    work = sum(going_on) + sum(before)
    assert 0 <= begin <= work + 1e-6
    if len(going_on) + len(before) < places:
        assert begin == 0
    if places == 1:
        assert begin == pytest.approx(max(going_on, default=0.0) + sum(before))
    assert turn(going_on, [*before, 1.0], places) >= begin
