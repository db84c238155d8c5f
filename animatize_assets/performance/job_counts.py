"""Job records added up as monitoring wants them: counts and distributions that only ever grow.

Records are deleted after 90 days, so a count of those that are there would fall, which monitoring
takes for a restart. So each record is added once, by its id, to what was added up before.

Belongs here: adding up in the database, by a few known labels. Does not belong here: keeping the
sums between two looks (``web``), what they are called there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, Float, and_, case, cast, func, select

from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.performance.models import PIPELINE_TYPES
from animatize_assets.records import Record

Kind = Literal[
    "jobs", "errors", "retries", "seconds", "call_seconds", "queue_seconds", "estimate_error",
    "covered",
]  # fmt: skip
"""What is added up, with its labels:

jobs            pipeline type, job type, success (0, 1)
errors          type of error
retries         provider
seconds         job type; of jobs that ended well
call_seconds    provider; of calls that ended well
queue_seconds   pipeline type
estimate_error  pipeline type, method; |estimated - actual| / actual of jobs that ended well
covered         pipeline type, whether the time was in its 80 % interval (0, 1)
"""

SECONDS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0, 300.0)
"""Bounds of durations. 120 s and 300 s are when a picture and a clip are slow
(``thresholds``), so what is slow can be counted exactly."""

ERRORS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Bounds of the error of estimates; 0.2 is what is promised."""

BOUNDS: Mapping[str, tuple[float, ...]] = {
    "seconds": SECONDS,
    "call_seconds": SECONDS,
    "queue_seconds": SECONDS,
    "estimate_error": ERRORS,
}

JOB_TYPES = (
    "source_image", "scene_analysis", "movement_prediction", "motion_prompt", "generated_picture",
    "animatic_clip", "provider_call", "provider_fetch", "expansion_call", "ingest_files",
    "expand_prompts", "character", "scene", "trailer",
)  # fmt: skip
"""Those of this project and of the predecessor's clients. Whoever records a job may name it as they
like; all others count as :data:`OTHER`."""

CALLS = ("provider_call", "expansion_call")

PROVIDERS = ("local", "openai", "flux", "imagen", "comfyui")

ERROR_TYPES = (
    "NothingDelivered", "ProviderError", "BreakerOpen", "BudgetExceeded", "NotConfigured",
    "InvalidImage", "ImageNotFound", "InvalidSetting", "InvalidRule", "ImpossibleCameraPath",
    "RenderingFailed", "StorageFailed", "TimeoutError", "CancelledError", "KeyboardInterrupt",
    "MemoryError", "not_marked",
)  # fmt: skip
"""Names of exceptions that are told apart."""

OTHER = "other"

_jobs = generation_performance.c


class Line(Record):
    """One count: of what, with which labels, in which bucket (None: it is no distribution)."""

    kind: Kind
    labels: tuple[str, ...]
    bucket: int | None = None
    """Number of the first bound that is not below the value; that of bounds when all are."""
    count: int
    total: float = 0.0
    """Sum of the values of a distribution."""


Counts = tuple[Line, ...]


def newest_id(engine: Engine) -> int:
    """Return the id of the newest record; 0 without any."""
    with engine.connect() as connection:
        return int(connection.scalar(select(func.max(_jobs.id))) or 0)


def count_jobs(engine: Engine, *, after: int, until: int) -> Counts:
    """Add up the records with ids above ``after``, up to ``until``."""
    here = and_(_jobs.id > after, _jobs.id <= until)
    well = and_(here, _jobs.success)
    error = func.abs(_jobs.predicted_seconds - _jobs.total_time_seconds) / _jobs.total_time_seconds
    estimated = and_(well, _jobs.predicted_seconds.is_not(None), _jobs.total_time_seconds > 0)
    inside = case(
        (
            and_(
                _jobs.total_time_seconds >= _jobs.predicted_low_seconds,
                _jobs.total_time_seconds <= _jobs.predicted_high_seconds,
            ),
            1,
        ),
        else_=0,
    ).label("inside_interval")
    succeeded = case((_jobs.success, 1), else_=0).label("succeeded")
    with engine.connect() as connection:
        lines = [
            *_counted(connection, "jobs", here, (_jobs.pipeline_type, _jobs.job_type, succeeded)),
            *_counted(connection, "errors", and_(here, ~_jobs.success), (_jobs.error_type,)),
            *_counted(
                connection,
                "retries",
                and_(here, _jobs.provider.is_not(None)),
                (_jobs.provider,),
                func.sum(_jobs.retries),
            ),
            *_spread(connection, "seconds", well, (_jobs.job_type,), _jobs.total_time_seconds),
            *_spread(
                connection,
                "call_seconds",
                and_(well, _jobs.job_type.in_(CALLS)),
                (_jobs.provider,),
                _jobs.total_time_seconds,
            ),
            *_spread(
                connection,
                "queue_seconds",
                and_(here, _jobs.queue_time_seconds.is_not(None)),
                (_jobs.pipeline_type,),
                _jobs.queue_time_seconds,
            ),
            *_spread(
                connection,
                "estimate_error",
                estimated,
                (_jobs.pipeline_type, _jobs.prediction_method),
                error,
            ),
            *_counted(
                connection,
                "covered",
                and_(estimated, _jobs.predicted_low_seconds.is_not(None)),
                (_jobs.pipeline_type, inside),
            ),
        ]
    return added_up(lines)


def added_up(*counts: Iterable[Line]) -> Counts:
    """Return the sums of lines of the same kind, labels and bucket."""
    sums: dict[tuple[Kind, tuple[str, ...], int | None], tuple[int, float]] = {}
    for line in (line for lines in counts for line in lines):
        key = (line.kind, line.labels, line.bucket)
        count, total = sums.get(key, (0, 0.0))
        sums[key] = (count + line.count, total + line.total)
    return tuple(
        Line(kind=kind, labels=labels, bucket=bucket, count=count, total=total)
        for (kind, labels, bucket), (count, total) in sums.items()
    )


def _counted(
    connection: Connection,
    kind: Kind,
    where: ColumnElement[bool],
    labels: tuple[ColumnElement[object], ...],
    number: ColumnElement[int] | None = None,
) -> Iterable[Line]:
    amount = func.count() if number is None else number
    for *values, count in connection.execute(
        select(*labels, amount).where(where).group_by(*labels)
    ):
        yield Line(kind=kind, labels=_bounded(kind, values), count=int(count))


def _spread(
    connection: Connection,
    kind: Kind,
    where: ColumnElement[bool],
    labels: tuple[ColumnElement[object], ...],
    value: ColumnElement[Any],
) -> Iterable[Line]:
    bounds = BOUNDS[kind]
    bucket = case(
        *((value <= bound, number) for number, bound in enumerate(bounds)), else_=len(bounds)
    ).label("bucket")
    query = (
        select(*labels, bucket, func.count(), func.sum(cast(value, Float)))
        .where(where)
        .group_by(*labels, bucket)
    )
    for *values, number, count, total in connection.execute(query):
        yield Line(
            kind=kind,
            labels=_bounded(kind, values),
            bucket=int(number),
            count=int(count),
            total=float(total),
        )


_KNOWN: Mapping[Kind, tuple[tuple[str, ...], ...]] = {
    "jobs": (PIPELINE_TYPES, JOB_TYPES, ("0", "1")),
    "errors": (ERROR_TYPES,),
    "retries": (PROVIDERS,),
    "seconds": (JOB_TYPES,),
    "call_seconds": (PROVIDERS,),
    "queue_seconds": (PIPELINE_TYPES,),
    "estimate_error": (PIPELINE_TYPES, ("ml_model", "heuristic")),
    "covered": (PIPELINE_TYPES, ("0", "1")),
}


def _bounded(kind: Kind, values: Iterable[object]) -> tuple[str, ...]:
    """Return labels of which each takes few values."""
    return tuple(
        str(value) if str(value) in known else OTHER
        for value, known in zip(values, _KNOWN[kind], strict=True)
    )
