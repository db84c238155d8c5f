"""The nights in Dagster: off by default, at 02:00 local time, behind everything else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from animatize_assets.defs.pregeneration import (
    NightConfig,
    build_pregeneration_schedules,
    pregeneration_batches,
)
from animatize_assets_tests.defs.runs import cheap_definitions
from animatize_assets_tests.pipeline.cheap import cheap_overrides

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney")


def nights(zone: str, count: int) -> Iterator[datetime]:
    [schedule] = build_pregeneration_schedules(zone)
    begin = datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp()
    return islice(schedule_execution_time_iterator(begin, str(schedule.cron_schedule), zone), count)


@pytest.mark.parametrize("zone", ZONES)
def test_there_is_one_night_a_day_over_both_changes_of_the_clock(zone: str) -> None:
    found = list(nights(zone, 365))
    days = [night.date() for night in found]
    assert days == [days[0] + timedelta(days=number) for number in range(365)]
    # Where 02:00 is left out in spring the night begins when the clock has gone on.
    assert {night.hour for night in found} <= {2, 3}
    assert sum(night.hour == 3 for night in found) <= 1


@pytest.mark.parametrize("zone", ZONES)
def test_a_night_has_the_same_length_all_year(zone: str) -> None:
    [schedule] = build_pregeneration_schedules(zone)
    for night in list(nights(zone, 365))[::15] + changes(zone):
        with dg.build_schedule_context(scheduled_execution_time=night) as context:
            tick = schedule.evaluate_tick(context)
        [request] = tick.run_requests or []
        config = request.run_config["ops"]["pregenerated_pictures"]["config"]
        until = datetime.fromisoformat(config["until"])
        assert until - night.astimezone(UTC) == timedelta(hours=4)
        assert request.run_key == night.date().isoformat()


def changes(zone: str) -> list[datetime]:
    """Nights after which the day has not 24 hours."""
    found = list(nights(zone, 365))
    return [
        night
        for night, following in pairwise(found)
        if following.astimezone(UTC) - night.astimezone(UTC) != timedelta(days=1)
    ]


def test_the_zones_of_the_test_do_change() -> None:
    assert [bool(changes(zone)) for zone in ZONES] == [False, True, True, True]


def test_off_peak_work_waits_behind_all_other() -> None:
    job = cheap_definitions().resolve_job_def("pregenerate_pictures")
    assert job.tags["dagster/priority"] == "-10"
    [schedule] = build_pregeneration_schedules()
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


@pytest.mark.parametrize("until", ["tomorrow", "2026-06-01T06:00"])
def test_an_end_without_its_offset_is_refused(until: str) -> None:
    with pytest.raises(dg.Failure, match="with its offset"):
        NightConfig(until=until).ends_at(timedelta(hours=1))


def test_without_a_provider_the_night_says_what_is_missing(
    instance: dg.DagsterInstance,
) -> None:
    job = cheap_definitions().resolve_job_def("pregenerate_pictures")
    done = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    assert done.asset_materializations_for_node("prompt_patterns")
    [failure] = [event for event in done.all_events if event.is_step_failure]
    assert "set up a provider" in str(failure.event_specific_data)


def test_a_night_without_any_request_makes_nothing(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_FLUX_API_KEY", "a-key")
    job = cheap_definitions().resolve_job_def("pregenerate_pictures")
    done = job.execute_in_process(instance=instance)
    [made] = done.asset_materializations_for_node("pregenerated_pictures")
    assert made.metadata["planned"].value == 0
    assert made.metadata["sent"].value == 0


def test_the_look_at_batches_costs_nothing_while_there_is_none() -> None:
    resources = cheap_overrides()
    skipped = pregeneration_batches(
        dg.build_sensor_context(),
        stores=resources["stores"],
        workshop=resources["workshop"],
        picture_providers=resources["picture_providers"],
        performance=resources["performance"],
    )
    assert skipped.skip_message == "No batch of pictures is under way."
