"""Job records in the database, SQLite or PostgreSQL.

Belongs here: writing and reading rows of ``generation_performance``. Does not belong here: what
becomes of a record that cannot be written (``recording``), old records (``retention``), any
statistics.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    func,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import NullType

from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.performance.models import (
    PHASES,
    JobParameters,
    JobRecord,
    Phase,
    PipelineType,
    Promise,
    ResourceUse,
)

if TYPE_CHECKING:
    import pandas as pd

_jobs = generation_performance.c
NANO = 1_000_000_000
"""Money is stored in billionths of a dollar: sums are exact."""

_RESOURCES = tuple(name for name in ResourceUse.model_fields if name != "unmeasured")
_PARAMETERS = tuple(
    name
    for name in JobParameters.model_fields
    if name not in {"extra", "gpu_model", "vram_total_mb"}
)
NOT_IN_FRAMES = frozenset({"id", "extra", "phases", "unmeasured", "error_details"})
"""Columns of text that no statistic reads."""
_FRAMED = tuple(column for column in _jobs if column.name not in NOT_IN_FRAMES)
_UNCONVERTED: Sequence[ColumnElement[Any]] = [
    type_coerce(column, NullType()).label(column.name) for column in _FRAMED
]
"""The same as the driver gives them: a whole column is converted faster than value by value."""


class PerformanceStore:
    """The job records of one database, which must be at the newest revision.

    Each method is one transaction. Safe to use from several threads and processes at once.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def record(self, *jobs: JobRecord) -> int:
        """Write jobs, each once: a job id that is there already stays as it is.

        Returns:
            How many were new.

        """
        with self.engine.begin() as connection:
            return self.write(connection, jobs)

    def write(self, connection: Connection, jobs: Iterable[JobRecord]) -> int:
        """Write as :meth:`record` does, within a transaction of the caller."""
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        # Values beside the statement, not in it: SQLAlchemy then compiles it once, and
        # recording takes a third of the time.
        statement = dialect.insert(generation_performance).on_conflict_do_nothing(
            index_elements=["job_id"]
        )
        written = 0
        for job in jobs:
            written += connection.execute(statement, to_row(job)).rowcount
        return written

    def job(self, job_id: str) -> JobRecord | None:
        """Return one job."""
        with self.engine.connect() as connection:
            row = connection.execute(
                select(generation_performance).where(_jobs.job_id == job_id)
            ).one_or_none()
        return None if row is None else from_row(row)

    def jobs(
        self,
        *,
        pipeline_type: PipelineType | None = None,
        job_type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        partition_key: str | None = None,
        run_id: str | None = None,
        success: bool | None = None,
        newest: int | None = None,
    ) -> list[JobRecord]:
        """Return jobs in the order in which they finished.

        ``since`` (inclusive) and ``until`` (exclusive) bound the time of finishing; ``newest``
        keeps only that many of the latest.
        """
        wanted = _select(
            select(generation_performance),
            pipeline_type=pipeline_type,
            job_type=job_type,
            since=since,
            until=until,
            partition_key=partition_key,
            run_id=run_id,
            success=success,
            newest=newest,
        )
        with self.engine.connect() as connection:
            rows = connection.execute(wanted).all()
        return [from_row(row) for row in (reversed(rows) if newest is not None else rows)]

    def newest_ids(self, pipeline_type: PipelineType, count: int) -> list[int]:
        """Return the row numbers of the latest jobs, in the order in which they finished."""
        wanted = _select(select(_jobs.id), pipeline_type=pipeline_type, newest=count)
        with self.engine.connect() as connection:
            return list(connection.scalars(wanted))[::-1]

    def of_ids(self, ids: Sequence[int]) -> dict[int, JobRecord]:
        """Return the jobs of these row numbers, as far as they are there."""
        if not ids:
            return {}
        wanted = select(generation_performance).where(_jobs.id.in_(ids))
        with self.engine.connect() as connection:
            return {row.id: from_row(row) for row in connection.execute(wanted)}

    def frame(
        self,
        *,
        pipeline_type: PipelineType | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest: int | None = None,
    ) -> pd.DataFrame:
        """Return jobs as a table, in the order in which they finished: one row per job.

        The columns are those of ``generation_performance`` without :data:`NOT_IN_FRAMES`;
        numbers are float64 with NaN where nothing was measured (``cost_usd`` in dollars), the
        three instants are UTC timestamps, ``success`` is bool, texts are objects.
        """
        wanted = _select(
            select(*_UNCONVERTED),
            pipeline_type=pipeline_type,
            since=since,
            until=until,
            newest=newest,
        )
        with self.engine.connect() as connection:
            rows: Sequence[Any] = connection.execute(wanted).all()
        return frame_of(rows[::-1] if newest is not None else rows)

    def rate(self, job_ids: Sequence[str], rating: int) -> int:
        """Keep a person's rating (1 to 5) of jobs; returns how many there are."""
        with self.engine.begin() as connection:
            done = connection.execute(
                update(generation_performance)
                .where(_jobs.job_id.in_(list(job_ids)))
                .values(user_rating=rating)
            )
        return done.rowcount

    def newest_id(self) -> int | None:
        """Return a number that changes when a job is written; None without any. Quick."""
        with self.engine.connect() as connection:
            found = connection.scalar(select(func.max(_jobs.id)))
        return None if found is None else int(found)

    def count(self, *, since: datetime | None = None) -> int:
        """Return how many jobs finished since then."""
        wanted = select(func.count()).select_from(generation_performance)
        if since is not None:
            wanted = wanted.where(_jobs.finished_at >= since.astimezone(UTC))
        with self.engine.connect() as connection:
            return int(connection.scalar(wanted) or 0)


def _select(
    wanted: Select[Any],
    *,
    pipeline_type: str | None = None,
    job_type: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    partition_key: str | None = None,
    run_id: str | None = None,
    success: bool | None = None,
    newest: int | None = None,
) -> Select[Any]:
    equal = {
        _jobs.pipeline_type: pipeline_type,
        _jobs.job_type: job_type,
        _jobs.partition_key: partition_key,
        _jobs.run_id: run_id,
        _jobs.success: success,
    }
    for column, value in equal.items():
        if value is not None:
            wanted = wanted.where(column == value)
    # in UTC: SQLite compares what the clock shows and forgets the zone
    if since is not None:
        wanted = wanted.where(_jobs.finished_at >= since.astimezone(UTC))
    if until is not None:
        wanted = wanted.where(_jobs.finished_at < until.astimezone(UTC))
    if newest is not None:
        return wanted.order_by(_jobs.finished_at.desc(), _jobs.id.desc()).limit(newest)
    return wanted.order_by(_jobs.finished_at, _jobs.id)


def to_row(job: JobRecord) -> dict[str, Any]:
    """Return a job as the values of its row."""
    parameters, promise, use = job.parameters, job.promise, job.resources
    row: dict[str, Any] = {name: getattr(parameters, name) for name in _PARAMETERS}
    row |= {name: getattr(use, name) for name in _RESOURCES}
    row["gpu_model"] = use.gpu_model or parameters.gpu_model
    if use.vram_total_mb is None:
        row["vram_total_mb"] = parameters.vram_total_mb
    row |= {
        "job_id": job.job_id,
        "pipeline_type": job.pipeline_type,
        "extra": _json(dict(parameters.extra)),
        "submitted_at": job.submitted_at.astimezone(UTC),
        "started_at": None if job.started_at is None else job.started_at.astimezone(UTC),
        "finished_at": job.finished_at.astimezone(UTC),
        "queue_length": job.queue_length,
        "queue_time_seconds": job.queue_time_seconds,
        "total_time_seconds": job.total_time_seconds,
        "phases": _json([phase.model_dump() for phase in job.phases]),
        "unmeasured": _json(dict(use.unmeasured)),
        "retries": job.retries,
        "success": job.success,
        "error_type": job.error_type,
        "error_details": job.error_details,
        "user_rating": job.user_rating,
        "cost_nanousd": None if job.cost_usd is None else round(job.cost_usd * NANO),
        "run_id": job.run_id,
        "partition_key": job.partition_key,
        "predicted_seconds": promise and promise.predicted_seconds,
        "predicted_low_seconds": promise and promise.low_seconds,
        "predicted_high_seconds": promise and promise.high_seconds,
        "prediction_method": promise and promise.method,
        "prediction_model": promise and promise.model,
    }
    row |= {f"{name}_time_seconds": job.phase_seconds(name) for name in PHASES}
    return row


def from_row(row: Row[Any]) -> JobRecord:
    """Return a row as a job."""
    found = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's documented view of a row
    promise = None
    if found["predicted_seconds"] is not None:
        promise = Promise(
            predicted_seconds=found["predicted_seconds"],
            low_seconds=found["predicted_low_seconds"],
            high_seconds=found["predicted_high_seconds"],
            method=found["prediction_method"],
            model=found["prediction_model"],
        )
    cost = found["cost_nanousd"]
    return JobRecord(
        job_id=found["job_id"],
        pipeline_type=found["pipeline_type"],
        parameters=JobParameters(
            **{name: found[name] for name in _PARAMETERS},
            gpu_model=found["gpu_model"],
            vram_total_mb=found["vram_total_mb"],
            extra=json.loads(found["extra"]),
        ),
        submitted_at=in_utc(found["submitted_at"]),
        started_at=None if found["started_at"] is None else in_utc(found["started_at"]),
        finished_at=in_utc(found["finished_at"]),
        queue_length=found["queue_length"],
        queue_time_seconds=found["queue_time_seconds"],
        total_time_seconds=found["total_time_seconds"],
        phases=tuple(Phase(**phase) for phase in json.loads(found["phases"])),
        resources=ResourceUse(
            **{name: found[name] for name in _RESOURCES}, unmeasured=json.loads(found["unmeasured"])
        ),
        retries=found["retries"],
        success=found["success"],
        error_type=found["error_type"],
        error_details=found["error_details"],
        user_rating=found["user_rating"],
        cost_usd=None if cost is None else cost / NANO,
        promise=promise,
        run_id=found["run_id"],
        partition_key=found["partition_key"],
    )


def frame_of(rows: Iterable[Any]) -> pd.DataFrame:
    """Return rows (of the table, or of :func:`to_row`) as :meth:`PerformanceStore.frame` does."""
    import pandas as pd

    names = [column.name for column in _FRAMED]
    # Column by column: of what is stored the type is known, and need not be found out.
    values = list(zip(*_plain(rows, names), strict=True)) or [()] * len(names)
    frame = pd.DataFrame(
        {
            column.name: _typed(column.type.python_type, of_column)
            for column, of_column in zip(_FRAMED, values, strict=True)
        }
    )
    frame["cost_usd"] = frame.pop("cost_nanousd") / NANO
    return frame


def _typed(kind: type, values: Sequence[Any]) -> pd.Series[Any]:
    """Return the values of a column, None where nothing was measured, as a frame holds them."""
    import pandas as pd

    if kind is datetime:
        # Instants, or ISO 8601 as SQLite keeps it.
        instants = pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601")
        return instants.dt.as_unit("us")  # also where none is known
    if kind is bool:
        return pd.Series(values, dtype=bool)
    if kind in (int, float):
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype=object)


def _plain(rows: Iterable[Any], names: Sequence[str]) -> Iterator[Iterable[Any]]:
    for row in rows:
        yield [row[name] for name in names] if isinstance(row, dict) else row


def in_utc(moment: datetime) -> datetime:
    """Return an instant of the database with its zone: SQLite forgets it, and it is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=True, allow_nan=False)
