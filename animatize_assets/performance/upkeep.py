"""What keeps the records in order, once a day.

Belongs here: the order of the steps. Does not belong here: what each of them does (``recording``,
``retention``, ``learning``), when the day's turn comes (``defs``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from animatize_assets.performance.daily_trends import TrendStore, aggregate_day
from animatize_assets.performance.learning import forget_old_versions
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.retention import (
    KEEP_DAYS,
    delete_old_alerts,
    delete_old_imports,
    delete_old_jobs,
)

if TYPE_CHECKING:
    import pandas as pd

    from animatize_assets.performance.opening import PerformanceRoom


@dataclass(frozen=True)
class Upkeep:
    """What was done."""

    imported: int
    """Spooled job records that are in the database now."""
    outage: str | None
    """Why the database takes no records; None when it does."""
    deleted_jobs: int
    kept_days: tuple[date, ...]
    """Old days whose records stay, because their aggregate could not be made."""
    forgotten_imports: int
    removed_models: int
    deleted_alerts: int
    """Resolved ones."""
    removed_set_aside: int
    """Spooled records that could not be used, and are older than any record that is kept."""


def keep_in_order(room: PerformanceRoom, *, now: datetime, keep_days: int = KEEP_DAYS) -> Upkeep:
    """Bring spooled records in, then let go of what is too old.

    In that order: a record that comes late is still counted in its day's aggregate.

    Raises:
        ValueError: ``keep_days`` is less than 1.
        SQLAlchemyError: the database could not be read or written.

    """
    trends = TrendStore(room.engine)

    def aggregate(jobs: pd.DataFrame, day: date, pipeline: PipelineType) -> None:
        trends.put(aggregate_day(jobs, day, pipeline, thresholds=room.thresholds))

    imported = room.recorder.drain()
    deleted = delete_old_jobs(room.store, aggregate, now=now, keep_days=keep_days)
    return Upkeep(
        imported=imported,
        outage=room.recorder.state.outage,
        deleted_jobs=deleted.jobs,
        kept_days=deleted.kept_days,
        forgotten_imports=delete_old_imports(room.engine, now=now),
        removed_models=forget_old_versions(room.registry, room.engine),
        deleted_alerts=delete_old_alerts(room.engine, now=now, keep_days=keep_days),
        removed_set_aside=room.spool.remove_old_set_aside(now - timedelta(days=keep_days)),
    )
