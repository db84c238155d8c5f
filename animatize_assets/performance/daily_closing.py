"""Closing a day: from its job records to its rows of ``performance_trends``.

Belongs here: which records a day's aggregate is made of, and when the one that is there stays. Does
not belong here: the aggregate itself (``daily_trends``), deleting records (``retention``), when a
day is closed (``defs``).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from animatize_assets.performance.analyzer import EARLIER_DAYS
from animatize_assets.performance.daily_trends import DailyTrend, TrendStore, aggregate_day
from animatize_assets.performance.models import PIPELINE_TYPES
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.thresholds import Thresholds

DAY = timedelta(days=1)


def close_day(
    store: PerformanceStore, day: date, *, thresholds: Thresholds | None = None
) -> tuple[DailyTrend, ...]:
    """Aggregate both pipelines of a UTC day, keep and return the rows.

    A day may be closed again, and then counts records that came late. Where the kept row counts
    more jobs than there are records, the records were deleted since: the row stays as it is.

    Raises:
        SQLAlchemyError: the database could not be read or written.

    """
    trends = TrendStore(store.engine)
    start = datetime.combine(day, time(), UTC)
    today = store.frame(since=start, until=start + DAY)
    earlier = store.frame(since=start - EARLIER_DAYS * DAY, until=start)
    kept = {row.pipeline_type: row for row in trends.read(since=day, until=day + DAY)}
    closed = []
    for pipeline in PIPELINE_TYPES:
        row = aggregate_day(today, day, pipeline, thresholds=thresholds, earlier=earlier)
        before = kept.get(pipeline)
        if before is not None and before.total_jobs > row.total_jobs:
            closed.append(before)
        else:
            trends.put(row)
            closed.append(row)
    return tuple(closed)


def deleted_jobs(store: PerformanceStore, since: date, until: date) -> int:
    """Return how many jobs the closed days from ``since`` to ``until`` (exclusive) have lost.

    They were deleted for their age: what is computed from the records there are would be of a part.
    """
    rows = TrendStore(store.engine).read(since=since, until=until)
    lost = 0
    for day in {row.date for row in rows}:
        begin = datetime.combine(day, time(), UTC)
        left = store.count(since=begin) - store.count(since=begin + DAY)
        lost += max(0, sum(row.total_jobs for row in rows if row.date == day) - left)
    return lost
