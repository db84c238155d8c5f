"""When the performance system would work by itself: what schedules ask for; that all are off."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from animatize_assets.defs.performance_schedules import build_performance_schedules
from animatize_assets_tests.defs.fleet_records import jobs, performance, room, run_job
from animatize_assets_tests.defs.runs import cheap_definitions
from animatize_assets_tests.defs.test_performance_assets import ONE_TYPE

SUNDAY = datetime(2026, 6, 7, 3, 0, tzinfo=UTC)


def asked_for(instance: dg.DagsterInstance, name: str, at: datetime) -> list[str | None]:
    """Return the partitions that a tick of the schedule asks for."""
    repository = cheap_definitions().get_repository_def()
    with dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=at,
        repository_def=repository,
        resources={"performance": performance()},
    ) as context:
        tick = repository.get_schedule_def(name).evaluate_tick(context)
    return [request.partition_key for request in tick.run_requests or []]


def test_the_schedules_of_the_figures() -> None:
    assert {each.name: each.cron_schedule for each in build_performance_schedules()} == {
        "daily_trends": "30 0 * * *",
        "daily_tidying": "30 1 * * *",
        "weekly_retraining": "0 3 * * 0",
        "weekly_report": "0 7 * * 1",
    }


def test_every_schedule_is_off_and_in_the_zone_that_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedules = cheap_definitions().get_repository_def().schedule_defs
    assert {each.execution_timezone for each in schedules} == {"UTC"}
    assert {each.default_status for each in schedules} == {dg.DefaultScheduleStatus.STOPPED}
    monkeypatch.setenv("ANIMATIZE_TIME_ZONE", "America/New_York")
    schedules = cheap_definitions().get_repository_def().schedule_defs
    assert {each.execution_timezone for each in schedules} == {"America/New_York"}


@pytest.mark.parametrize(
    ("name", "at", "partitions"),
    [
        ("daily_trends", datetime(2026, 6, 3, 0, 30, tzinfo=UTC), ["2026-06-02"]),
        ("weekly_report", datetime(2026, 6, 8, 7, 0, tzinfo=UTC), ["2026-06-01"]),
        ("weekly_retraining", SUNDAY, ["image", "video"]),
    ],
)
def test_a_schedule_asks_for_what_has_ended(
    instance: dg.DagsterInstance, name: str, at: datetime, partitions: list[str]
) -> None:
    assert asked_for(instance, name, at) == partitions


def test_a_week_without_a_job_is_nothing_to_learn_from(instance: dg.DagsterInstance) -> None:
    room().store.record(*jobs(40))
    run_job(instance, "retrain_estimators", "image", **ONE_TYPE)
    assert room().registry.rows.versions("image")
    assert asked_for(instance, "weekly_retraining", SUNDAY) == ["video"]
    room().store.record(*jobs(1, first=40))
    assert asked_for(instance, "weekly_retraining", SUNDAY) == ["image", "video"]
