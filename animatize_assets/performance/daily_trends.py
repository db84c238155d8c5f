"""One row per day and pipeline: what is left of the job records after ninety days.

Belongs here: the aggregate of a day and its rows in ``performance_trends``. Does not belong here:
which way things go over several days (``trends``), deleting old records (``retention``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from sqlalchemy import Engine, Row, select
from sqlalchemy.dialects import postgresql, sqlite

from animatize_assets.database.performance_tables import performance_trends
from animatize_assets.performance.bottlenecks.detection import find_bottlenecks
from animatize_assets.performance.models import Count, Percent, PipelineType, Seconds
from animatize_assets.performance.store import NANO
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.trends import within_20_percent
from animatize_assets.records import Record, Share

if TYPE_CHECKING:
    import pandas as pd

_rows = performance_trends.c
_KEY = ("date", "pipeline_type")


class DailyTrend(Record):
    """The jobs of one pipeline that ended on one UTC day. None: nothing was measured."""

    date: date
    pipeline_type: PipelineType
    total_jobs: Count
    successful_jobs: Count
    total_generation_time: Seconds = Field(description="s, of successful jobs, without waiting")
    avg_generation_time: Seconds | None = None
    median_generation_time: Seconds | None = None
    p95_generation_time: Seconds | None = None
    avg_queue_time: Seconds | None = None
    avg_gpu_utilization: Percent | None = None
    avg_cpu_utilization: Percent | None = None
    cost_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    within_20_percent: Share | None = Field(
        default=None, description="share of estimated jobs whose estimate was that near"
    )
    interval_coverage: Share | None = Field(
        default=None, description="share of estimated jobs inside their 80 % interval"
    )
    estimated_jobs: Count = Field(description="successful jobs with an estimate")
    bottlenecks: tuple[str, ...] = Field(default=(), description="types, the most severe first")
    recommendations: tuple[str, ...] = ()

    @property
    def success_rate(self) -> float | None:
        """Share of jobs that succeeded; None without jobs."""
        return self.successful_jobs / self.total_jobs if self.total_jobs else None


def aggregate_day(
    jobs: pd.DataFrame,
    day: date,
    pipeline_type: PipelineType,
    *,
    thresholds: Thresholds | None = None,
    earlier: pd.DataFrame | None = None,
) -> DailyTrend:
    """Return the aggregate of one UTC day, from a table that may hold more than it.

    Bottlenecks are those of that day's jobs of that pipeline; ``earlier`` are jobs from before, to
    compare with (jobs of the day itself and of later ones are left out of it).
    """
    import pandas as pd

    start = pd.Timestamp(datetime(day.year, day.month, day.day, tzinfo=UTC))
    of_pipeline = jobs[jobs["pipeline_type"] == pipeline_type]
    ended = of_pipeline["finished_at"]
    today = of_pipeline[(ended >= start) & (ended < start + pd.Timedelta(1, unit="D"))]
    if earlier is not None:
        earlier = earlier[
            (earlier["pipeline_type"] == pipeline_type) & (earlier["finished_at"] < start)
        ]
    done = today[today["success"]]
    took = done["total_time_seconds"]
    near = within_20_percent(today)
    found = find_bottlenecks(today, thresholds, earlier=earlier)
    return DailyTrend(
        date=day,
        pipeline_type=pipeline_type,
        total_jobs=len(today),
        successful_jobs=len(done),
        total_generation_time=float(took.sum()),
        avg_generation_time=_or_none(took.mean()),
        median_generation_time=_or_none(took.median()),
        p95_generation_time=_or_none(float(took.quantile(0.95))),
        avg_queue_time=_or_none(today["queue_time_seconds"].mean()),
        avg_gpu_utilization=_or_none(today["gpu_utilization_avg"].mean()),
        avg_cpu_utilization=_or_none(today["cpu_utilization_avg"].mean()),
        cost_usd=_or_none(today["cost_usd"].sum(min_count=1)),
        within_20_percent=_or_none(near.mean()),
        interval_coverage=_coverage(done),
        estimated_jobs=len(near),
        bottlenecks=tuple(each.type for each in found),
        recommendations=tuple(told for each in found for told in each.recommendations),
    )


def _coverage(done: pd.DataFrame) -> float | None:
    bounded = done[done["predicted_low_seconds"].notna() & done["predicted_high_seconds"].notna()]
    took = bounded["total_time_seconds"]
    inside = (bounded["predicted_low_seconds"] <= took) & (
        took <= bounded["predicted_high_seconds"]
    )
    return _or_none(inside.mean())


def _or_none(value: float) -> float | None:
    """Turn the NaN of an empty column into None."""
    return None if value != value else float(value)  # noqa: PLR0124  # only NaN is not itself


class TrendStore:
    """The daily rows of one database, which must be at the newest revision."""

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.engine = engine
        self._clock = clock

    def put(self, *days: DailyTrend) -> None:
        """Write days; one that is there already is replaced, so a day may be computed again."""
        with self.engine.begin() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            for each in days:
                row = self._row(each)
                insert = dialect.insert(performance_trends).values(row)
                kept = {name: value for name, value in row.items() if name not in _KEY}
                connection.execute(
                    insert.on_conflict_do_update(index_elements=list(_KEY), set_=kept)
                )

    def read(
        self,
        *,
        since: date | None = None,
        until: date | None = None,
        pipeline_type: PipelineType | None = None,
    ) -> tuple[DailyTrend, ...]:
        """Return the days from ``since`` (inclusive) to ``until`` (exclusive), in order."""
        wanted = select(performance_trends).order_by(_rows.date, _rows.pipeline_type)
        if since is not None:
            wanted = wanted.where(_rows.date >= since)
        if until is not None:
            wanted = wanted.where(_rows.date < until)
        if pipeline_type is not None:
            wanted = wanted.where(_rows.pipeline_type == pipeline_type)
        with self.engine.connect() as connection:
            return tuple(_from_row(row) for row in connection.execute(wanted))

    def _row(self, day: DailyTrend) -> dict[str, Any]:
        row = day.model_dump(exclude={"cost_usd", "bottlenecks", "recommendations"})
        return row | {
            "cost_nanousd": None if day.cost_usd is None else round(day.cost_usd * NANO),
            "bottlenecks": _json(day.bottlenecks),
            "recommendations": _json(day.recommendations),
            "computed_at": self._clock().astimezone(UTC),
        }


def _from_row(row: Row[Any]) -> DailyTrend:
    found = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's documented view of a row
    cost = found.pop("cost_nanousd")
    for name in ("id", "computed_at"):
        del found[name]
    for name in ("bottlenecks", "recommendations"):
        found[name] = tuple(json.loads(found[name]))
    return DailyTrend(**found, cost_usd=None if cost is None else cost / NANO)


def _json(words: Sequence[str]) -> str:
    return json.dumps(list(words), ensure_ascii=False, separators=(",", ":"))
