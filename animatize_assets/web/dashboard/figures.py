"""Figures of many days for the view Performance, computed in the analysing process.

Belongs here: which figures the view shows, as plain values. Does not belong here: the statistics
(``performance``), drawing (``charts``), what stores of pictures know (``cache_use``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from animatize_assets.performance.models import PIPELINE_TYPES
from animatize_assets.performance.trends import Trend, find_trends, within_20_percent
from animatize_assets.web.dashboard.charts import accuracy_chart, cost_chart, time_chart

if TYPE_CHECKING:
    import pandas as pd

    from animatize_assets.performance.opening import PerformanceRoom

PHASES: Final = (
    ("waiting", "queue_time_seconds"),
    ("initialization", "initialization_time_seconds"),
    ("loading a model", "model_load_time_seconds"),
    ("preprocessing", "preprocessing_time_seconds"),
    ("processing", "processing_time_seconds"),
    ("postprocessing", "postprocessing_time_seconds"),
)
"""What a person calls a phase, and its column."""


@dataclass(frozen=True)
class Times:
    """How long something took. Seconds; None: nothing was measured."""

    pipeline: str
    name: str
    jobs: int
    """Of which the time is known."""
    median: float | None
    p95: float | None
    success_rate: float | None
    """Of all jobs of that kind; None for a phase."""


@dataclass(frozen=True)
class Promises:
    """How good the estimates of one pipeline were."""

    pipeline: str
    estimated: int
    within_20_percent: float | None
    coverage: float | None
    """Share of jobs inside their 80 % interval."""


@dataclass(frozen=True)
class Cost:
    """What one provider's jobs of one day (UTC) cost."""

    day: date
    provider: str
    usd: float
    jobs: int
    """Those of known cost."""


@dataclass(frozen=True)
class Figures:
    """All of a period that ends now."""

    days: int
    jobs: int
    times: tuple[Times, ...]
    phases: tuple[Times, ...]
    trends: tuple[Trend, ...]
    promises: tuple[Promises, ...]
    costs: tuple[Cost, ...]
    charts: dict[str, str]
    """Name -> SVG; one without anything to draw is left out."""


def figures(room: PerformanceRoom, days: int) -> Figures:
    """Return the figures of the last ``days`` days."""
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    jobs = room.store.frame(since=since, until=until)
    trends = find_trends(jobs, since=since, until=until)
    costs = _costs(jobs)
    drawn = {
        **{f"time-{each}": time_chart(jobs, trends, each) for each in PIPELINE_TYPES},
        "accuracy": accuracy_chart(jobs),
        "cost": cost_chart([(each.day, each.provider, each.usd) for each in costs]),
    }
    return Figures(
        days=days,
        jobs=len(jobs),
        times=_times(jobs),
        phases=_phases(jobs),
        trends=trends,
        promises=_promises(jobs),
        costs=costs,
        charts={name: drawing for name, drawing in drawn.items() if drawing is not None},
    )


def _times(jobs: pd.DataFrame) -> tuple[Times, ...]:
    found = []
    for pipeline, of_pipeline in jobs.groupby("pipeline_type"):
        kinds = [("all jobs", of_pipeline), *of_pipeline.groupby("job_type")]
        for name, of_kind in kinds:
            took = of_kind.loc[of_kind["success"], "total_time_seconds"]
            success = float(of_kind["success"].mean())
            found.append(_of(str(pipeline), str(name), took, success))
    return tuple(found)


def _phases(jobs: pd.DataFrame) -> tuple[Times, ...]:
    done = jobs[jobs["success"]]
    return tuple(
        _of(str(pipeline), name, took, None)
        for pipeline, of_pipeline in done.groupby("pipeline_type")
        for name, column in PHASES
        if not (took := of_pipeline[column].dropna()).empty
    )


def _of(pipeline: str, name: str, took: pd.Series[float], success: float | None) -> Times:
    known = not took.empty
    return Times(
        pipeline=pipeline,
        name=name,
        jobs=len(took),
        median=float(took.median()) if known else None,
        p95=float(took.quantile(0.95)) if known else None,
        success_rate=success,
    )


def _promises(jobs: pd.DataFrame) -> tuple[Promises, ...]:
    found = []
    for pipeline, of_pipeline in jobs.groupby("pipeline_type"):
        near = within_20_percent(of_pipeline)
        done = of_pipeline[of_pipeline["success"]]
        low, high = done["predicted_low_seconds"], done["predicted_high_seconds"]
        bounded = low.notna() & high.notna()
        took = done["total_time_seconds"]
        inside = ((low <= took) & (took <= high))[bounded]
        found.append(
            Promises(
                pipeline=str(pipeline),
                estimated=len(near),
                within_20_percent=None if near.empty else float(near.mean()),
                coverage=None if inside.empty else float(inside.mean()),
            )
        )
    return tuple(found)


def _costs(jobs: pd.DataFrame) -> tuple[Cost, ...]:
    priced = jobs[jobs["cost_usd"].notna() & jobs["provider"].notna()]
    grouped = priced.groupby([priced["finished_at"].dt.date, priced["provider"]])["cost_usd"]
    return tuple(
        Cost(cast("date", day), str(provider), float(of_day.sum()), len(of_day))
        for (day, provider), of_day in grouped
    )
