"""A day is closed from its records, again when more have come, and never from fewer."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import Engine, delete

from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.performance.daily_closing import close_day, deleted_jobs
from animatize_assets.performance.daily_trends import TrendStore
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import MONDAY, job

DAY = date(2026, 6, 1)
NEXT = DAY + timedelta(days=1)


def test_a_day_has_a_row_per_pipeline(store: PerformanceStore, engine: Engine) -> None:
    store.record(*(job(number) for number in range(6)), job(9, finished_at=MONDAY + timedelta(1)))
    image, video = close_day(store, DAY)
    assert (image.pipeline_type, image.total_jobs) == ("image", 6)
    assert (video.pipeline_type, video.total_jobs, video.avg_generation_time) == ("video", 0, None)
    assert TrendStore(engine).read() == (image, video)


def test_late_records_are_counted_when_it_is_closed_again(store: PerformanceStore) -> None:
    store.record(*(job(number) for number in range(6)))
    close_day(store, DAY)
    store.record(job(7, seconds=99.0))
    assert close_day(store, DAY)[0].total_jobs == 7


def test_deleted_records_leave_the_row_and_are_told(
    store: PerformanceStore, engine: Engine
) -> None:
    store.record(*(job(number) for number in range(6)))
    closed = close_day(store, DAY)
    assert deleted_jobs(store, DAY, NEXT) == 0
    with engine.begin() as connection:
        gone = generation_performance.c.job_id.in_(["job-1", "job-2"])
        connection.execute(delete(generation_performance).where(gone))
    assert close_day(store, DAY) == closed
    assert deleted_jobs(store, DAY, NEXT) == 2
    assert deleted_jobs(store, NEXT, NEXT + timedelta(days=7)) == 0
