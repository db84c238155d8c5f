"""Schedules in local time ask for every UTC day and week once, over both changes of the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from animatize_assets.defs.ended_periods import (
    ended_days,
    ended_weeks,
    hour_after_utc_midnight,
)
from animatize_assets.defs.performance_schedules import build_performance_schedules

ZONES = (
    "UTC",
    "Europe/London",  # local midnight is UTC's in winter and an hour before it in summer
    "Europe/Berlin",
    "America/Los_Angeles",
    "America/Santiago",  # its clock changes at midnight
    "Asia/Tokyo",
    "Australia/Sydney",  # summer and winter the other way round
    "Pacific/Kiritimati",  # UTC+14
)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def ticks(zone: str, name: str, count: int) -> Iterator[datetime]:
    """When Dagster itself would start a schedule, from February 2026 on."""
    schedule = next(each for each in build_performance_schedules(zone) if each.name == name)
    cron = str(schedule.cron_schedule)
    return islice(schedule_execution_time_iterator(FEBRUARY.timestamp(), cron, zone), count)


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_days_is_asked_for_without_gap_or_repetition(zone: str) -> None:
    asked = [day for tick in ticks(zone, "daily_trends", 366) for day in ended_days(tick)]
    assert asked == [asked[0] + timedelta(days=number) for number in range(len(asked))]
    assert len(asked) >= 365
    assert abs(asked[0] - FEBRUARY.date()) <= timedelta(days=2)


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_is_asked_for_when_it_has_ended_in_utc(zone: str) -> None:
    for tick in ticks(zone, "daily_trends", 366):
        for day in ended_days(tick):
            ended = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            assert timedelta() <= tick.astimezone(UTC) - ended <= timedelta(hours=25)


@pytest.mark.parametrize("zone", ZONES)
def test_each_week_is_reported_once_on_the_monday_after_it(zone: str) -> None:
    asked: list[date] = []
    for tick in ticks(zone, "weekly_report", 54):
        assert tick.weekday() == 0
        weeks = ended_weeks(tick)
        assert len(weeks) == 1
        assert tick.date() - weeks[0] == timedelta(weeks=1)
        asked += weeks
    assert len(set(asked)) == 54


def test_the_report_waits_for_the_end_of_the_week_in_the_east() -> None:
    assert hour_after_utc_midnight(7, "Europe/Berlin") == 7
    assert hour_after_utc_midnight(7, "America/Los_Angeles") == 7
    assert hour_after_utc_midnight(7, "Asia/Tokyo") == 9
    assert hour_after_utc_midnight(7, "Australia/Sydney") == 11
    assert hour_after_utc_midnight(7, "Pacific/Kiritimati") == 14


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Berlin", date(2026, 3, 29)), ("Europe/Berlin", date(2026, 10, 25))],
)
def test_a_schedule_runs_once_on_the_day_of_a_change(zone: str, day: date) -> None:
    for name in ("daily_trends", "daily_tidying", "weekly_retraining"):
        count = 366 if name.startswith("daily") else 53
        assert [tick.date() for tick in ticks(zone, name, count)].count(day) == 1


def test_a_clock_that_is_put_forward_leaves_nothing_to_ask_for() -> None:
    schedule = build_performance_schedules("Europe/London")[0]
    summer_began = next(
        tick for tick in ticks("Europe/London", "daily_trends", 90) if not ended_days(tick)
    )
    assert summer_began.date() == date(2026, 3, 30)
    with dg.build_schedule_context(scheduled_execution_time=summer_began) as context:
        tick = schedule.evaluate_tick(context)
    assert not tick.run_requests
    assert "No day has ended" in (tick.skip_message or "")
