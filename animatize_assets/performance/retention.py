"""How long job records and estimators are kept.

A job record older than :data:`KEEP_DAYS` is deleted once its day has its daily aggregate; of each
model type and pipeline the three most recent versions are kept, and the one in use always.

Belongs here: what is deleted, and in which transactions. Does not belong here: the aggregate
(``daily_trends``), a registry's files (``registry``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Engine, delete, exists, func, select

from animatize_assets.database.performance_tables import (
    generation_performance,
    performance_alerts,
    performance_prediction_models,
    performance_spool_imports,
    performance_trends,
)
from animatize_assets.performance.models import PIPELINE_TYPES, PipelineType
from animatize_assets.performance.store import PerformanceStore, in_utc

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

KEEP_DAYS = 90
"""The predecessor's documented value."""

KEEP_MODEL_VERSIONS = 3
"""The same."""

BATCH = 500
"""Job records deleted per transaction: no writer waits longer than a few hundredths of a second."""

Aggregate = Callable[["pd.DataFrame", date, PipelineType], object]
"""Makes and stores the aggregate of one UTC day and pipeline from its job records."""

_jobs = generation_performance.c
_trends = performance_trends.c
_models = performance_prediction_models.c
_alerts = performance_alerts.c


@dataclass(frozen=True)
class Deleted:
    """What became of old job records."""

    jobs: int
    kept_days: tuple[date, ...]
    """Old days whose aggregate could not be made; their records are all there still."""


@dataclass(frozen=True)
class OldModel:
    """A version of an estimator that is kept no longer; its files may go."""

    model_name: str
    version: str
    model_type: str
    pipeline_type: str


def delete_old_jobs(
    store: PerformanceStore,
    aggregate: Aggregate,
    *,
    now: datetime,
    keep_days: int = KEEP_DAYS,
) -> Deleted:
    """Delete the job records of UTC days that ended more than ``keep_days`` days ago.

    A day without an aggregate, or with one of fewer jobs than are there (some were spooled and
    came late), gets its aggregate first. An aggregate that fails is reported, its day is kept, and
    the others go on. Records that come later than their day was deleted are not aggregated any
    more. Safe to stop at any moment, and to run in several processes.

    Raises:
        ValueError: ``keep_days`` is less than 1.
        SQLAlchemyError: the database could not be read or written.

    """
    if keep_days < 1:
        raise ValueError(f"Job records are kept for at least 1 day, not {keep_days}.")
    limit = _start_of((now.astimezone(UTC) - timedelta(days=keep_days)).date())
    deleted = 0
    kept: set[date] = set()
    for pipeline_type in PIPELINE_TYPES:
        day = _oldest_day(store.engine, pipeline_type, until=limit)
        while day is not None:
            newest_id = _aggregated_until(store, aggregate, day, pipeline_type)
            if newest_id is None:
                kept.add(day)
            else:
                deleted += _delete_day(store.engine, day, pipeline_type, newest_id)
            since = _start_of(day + timedelta(days=1))
            day = _oldest_day(store.engine, pipeline_type, since=since, until=limit)
    return Deleted(deleted, tuple(sorted(kept)))


def delete_old_alerts(engine: Engine, *, now: datetime, keep_days: int = KEEP_DAYS) -> int:
    """Delete alerts that were resolved more than ``keep_days`` ago; open ones stay.

    Returns:
        How many.

    """
    long_ago = now.astimezone(UTC) - timedelta(days=keep_days)
    old = delete(performance_alerts).where(
        _alerts.is_resolved.is_(True), _alerts.resolved_at < long_ago
    )
    with engine.begin() as connection:
        return int(connection.execute(old).rowcount)


def delete_old_imports(engine: Engine, *, now: datetime, keep_days: int = KEEP_DAYS) -> int:
    """Forget which spooled records were written more than ``keep_days`` ago: their files are gone.

    Returns:
        How many.

    """
    long_ago = now.astimezone(UTC) - timedelta(days=keep_days)
    imported_at = performance_spool_imports.c.imported_at
    with engine.begin() as connection:
        done = connection.execute(delete(performance_spool_imports).where(imported_at < long_ago))
    return done.rowcount


def drop_old_models(engine: Engine, *, keep: int = KEEP_MODEL_VERSIONS) -> tuple[OldModel, ...]:
    """Drop the rows of all but the ``keep`` most recent versions of each model type and pipeline.

    The version in use is never dropped, and does not count as one of them when it is older. Delete
    what is returned from the registry afterwards, in that order: files without a row are waste, a
    row without files would be an estimator that cannot be loaded.

    Raises:
        ValueError: ``keep`` is less than 1.
        SQLAlchemyError: the database could not be read or written.

    """
    if keep < 1:
        raise ValueError(f"At least 1 version of an estimator is kept, not {keep}.")
    kind = (_models.model_type, _models.pipeline_type)
    newest_first = select(_models.id, *kind, _models.is_active).order_by(
        *kind, _models.last_trained_at.desc(), _models.id.desc()
    )
    with engine.begin() as connection:
        rows = connection.execute(newest_first).all()
        old = [
            row.id
            for _, versions in groupby(rows, key=lambda row: (row.model_type, row.pipeline_type))
            for row in list(versions)[keep:]
        ]
        # asked again by the statement itself: one may have come into use in between
        dropped = connection.execute(
            delete(performance_prediction_models)
            .where(_models.id.in_(old), _models.is_active.is_(False))
            .returning(_models.model_name, _models.version, *kind, _models.id)
        ).all()
    return tuple(
        OldModel(row.model_name, row.version, row.model_type, row.pipeline_type)
        for row in sorted(dropped, key=lambda row: int(row.id))
    )


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _of_day(day: date, pipeline_type: str) -> tuple[ColumnElement[bool], ...]:
    return (
        _jobs.pipeline_type == pipeline_type,
        _jobs.finished_at >= _start_of(day),
        _jobs.finished_at < _start_of(day + timedelta(days=1)),
    )


def _oldest_day(
    engine: Engine, pipeline_type: str, *, since: datetime | None = None, until: datetime
) -> date | None:
    """Return the first UTC day with job records."""
    oldest = select(func.min(_jobs.finished_at)).where(
        _jobs.pipeline_type == pipeline_type, _jobs.finished_at < until
    )
    if since is not None:
        oldest = oldest.where(_jobs.finished_at >= since)
    with engine.connect() as connection:
        found: datetime | None = connection.scalar(oldest)
    return None if found is None else in_utc(found).date()


def _aggregated_until(
    store: PerformanceStore, aggregate: Aggregate, day: date, pipeline_type: PipelineType
) -> int | None:
    """See that the day has its aggregate; returns the newest job id that may go, None for none."""
    with store.engine.connect() as connection:
        count, newest_id = connection.execute(
            select(func.count(), func.max(_jobs.id)).where(*_of_day(day, pipeline_type))
        ).one()
        in_aggregate = connection.scalar(
            select(_trends.total_jobs).where(
                _trends.date == day, _trends.pipeline_type == pipeline_type
            )
        )
    # Fewer than in the aggregate: the rest was deleted already, by a run that was stopped.
    if in_aggregate is None or count > in_aggregate:
        start = _start_of(day)
        frame = store.frame(
            pipeline_type=pipeline_type, since=start, until=start + timedelta(days=1)
        )
        try:
            aggregate(frame, day, pipeline_type)
        except Exception:  # noqa: BLE001  # one bad day does not keep the others for ever
            _log.exception("The %s jobs of %s stay: they have no aggregate.", pipeline_type, day)
            return None
    return int(newest_id or 0)


def _delete_day(engine: Engine, day: date, pipeline_type: str, newest_id: int) -> int:
    is_aggregated = exists().where(_trends.date == day, _trends.pipeline_type == pipeline_type)
    batch = (
        select(_jobs.id)
        .where(*_of_day(day, pipeline_type), _jobs.id <= newest_id, is_aggregated)
        .order_by(_jobs.id)
        .limit(BATCH)
    )
    deleted = 0
    while True:
        with engine.begin() as connection:
            statement = delete(generation_performance).where(_jobs.id.in_(batch))
            done = connection.execute(statement).rowcount
        deleted += done
        if done < BATCH:
            return deleted
