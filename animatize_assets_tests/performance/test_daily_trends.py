"""A day becomes one row, however often it is computed, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from animatize_assets.database.performance_tables import performance_trends
from animatize_assets.performance.daily_trends import DailyTrend, TrendStore, aggregate_day
from animatize_assets.performance.models import Promise, ResourceUse
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import MONDAY, job

DAY = MONDAY.date()


def promised(seconds: float, low: float, high: float) -> Promise:
    return Promise(
        predicted_seconds=seconds, low_seconds=low, high_seconds=high, method="heuristic"
    )


def test_a_day_is_told_in_numbers(store: PerformanceStore) -> None:
    store.record(
        job(1, seconds=10, queue_time_seconds=2, cost_usd=0.04, promise=promised(11, 9, 12)),
        job(2, seconds=20, queue_time_seconds=4, cost_usd=0.02, promise=promised(15, 14, 21)),
        job(3, seconds=60, promise=promised(60, 50, 55)),
        job(4, seconds=5, success=False, promise=promised(5, 4, 6)),
        job(5, resources=ResourceUse(gpu_utilization_avg=80, cpu_utilization_avg=30)),
        job(6, pipeline_type="video", seconds=500),
        job(7, finished_at=MONDAY + timedelta(days=1)),
    )
    told = aggregate_day(store.frame(), DAY, "image")
    assert (told.total_jobs, told.successful_jobs, told.estimated_jobs) == (5, 4, 3)
    assert told.total_generation_time == 100
    assert told.avg_generation_time == 25
    assert told.median_generation_time == 15
    assert told.avg_queue_time == 3
    assert told.cost_usd == pytest.approx(0.06)
    assert told.within_20_percent == pytest.approx(2 / 3)
    assert told.interval_coverage == pytest.approx(2 / 3)
    assert (told.avg_gpu_utilization, told.avg_cpu_utilization) == (80, 30)
    assert told.success_rate == 0.8


def test_a_day_is_a_day_of_utc(store: PerformanceStore) -> None:
    midnight = datetime(2026, 6, 2, tzinfo=UTC)
    store.record(
        job(1, finished_at=midnight - timedelta(microseconds=1)), job(2, finished_at=midnight)
    )
    jobs = store.frame()
    assert aggregate_day(jobs, date(2026, 6, 1), "image").total_jobs == 1
    assert aggregate_day(jobs, date(2026, 6, 2), "image").total_jobs == 1


def test_a_day_without_jobs_makes_nothing_up(store: PerformanceStore) -> None:
    told = aggregate_day(store.frame(), DAY, "video")
    assert told == DailyTrend(
        date=DAY,
        pipeline_type="video",
        total_jobs=0,
        successful_jobs=0,
        total_generation_time=0,
        estimated_jobs=0,
    )
    assert told.success_rate is None


def test_a_day_tells_its_bottlenecks(store: PerformanceStore) -> None:
    store.record(*(job(n, success=n % 3 > 0, error_type="Broken") for n in range(60)))
    told = aggregate_day(store.frame(), DAY, "image")
    assert told.bottlenecks == ("high_failure_rate",)
    assert "Broken" in told.recommendations[0]


def day(number: int = 0, **known: Any) -> DailyTrend:
    fields: dict[str, Any] = {
        "date": DAY + timedelta(days=number),
        "pipeline_type": "image",
        "total_jobs": 4,
        "successful_jobs": 3,
        "total_generation_time": 30.0,
        "estimated_jobs": 0,
    }
    return DailyTrend(**(fields | known))


def test_a_row_comes_out_as_it_went_in(engine: Engine) -> None:
    trends = TrendStore(engine)
    whole = day(
        avg_generation_time=10,
        median_generation_time=9,
        p95_generation_time=20,
        avg_queue_time=0,
        avg_gpu_utilization=50,
        avg_cpu_utilization=40,
        cost_usd=0.123456789,
        within_20_percent=0.9,
        interval_coverage=0.8,
        estimated_jobs=3,
        bottlenecks=("high_queue_time",),
        recommendations=("Raise it ≥ 3.",),
    )
    trends.put(whole, day(1))
    assert trends.read() == (whole, day(1))


def test_a_day_that_is_computed_again_replaces_itself(engine: Engine) -> None:
    now = [MONDAY]
    trends = TrendStore(engine, clock=lambda: now[0])
    trends.put(day(total_jobs=1, successful_jobs=1, cost_usd=1.0))
    now[0] += timedelta(hours=1)
    trends.put(day(total_jobs=2))
    trends.put(day(total_jobs=2))
    assert trends.read() == (day(total_jobs=2),)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(performance_trends)) == 1
        computed = connection.scalar(select(performance_trends.c.computed_at))
    assert computed is not None
    assert computed.replace(tzinfo=UTC) == now[0]


def test_days_are_read_by_their_dates(engine: Engine) -> None:
    trends = TrendStore(engine)
    trends.put(*(day(n) for n in (3, 1, 2)), day(1, pipeline_type="video"))
    of_images = trends.read(since=DAY + timedelta(days=2), pipeline_type="image")
    assert of_images == (day(2), day(3))
    assert len(trends.read(until=DAY + timedelta(days=2))) == 2
