"""How the last hours were, in three numbers, asked of the database alone.

Belongs here: sums that one query gives quickly, however many jobs there are. Does not belong here:
any finding (``analyzer``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import case, func, select

from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.performance.models import Count, Seconds
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.records import Record, Share

DAY = timedelta(hours=24)

_jobs = generation_performance.c


class SystemStatus(Record):
    """Jobs that ended in a period."""

    jobs: Count
    avg_generation_time: Seconds | None
    """Seconds, of successful jobs; None without any."""
    success_rate: Share | None
    """None without jobs."""


def system_status(
    store: PerformanceStore, *, now: datetime, period: timedelta = DAY
) -> SystemStatus:
    """Return how the jobs were that ended in the ``period`` before ``now``."""
    succeeded = case((_jobs.success, 1), else_=0)
    seconds = case((_jobs.success, _jobs.total_time_seconds))
    wanted = select(func.count(), func.sum(succeeded), func.avg(seconds)).where(
        _jobs.finished_at >= (now - period).astimezone(UTC),
        _jobs.finished_at < now.astimezone(UTC),
    )
    with store.engine.connect() as connection:
        jobs, successes, average = connection.execute(wanted).one()
    return SystemStatus(
        jobs=jobs,
        avg_generation_time=average,
        success_rate=successes / jobs if jobs else None,
    )
