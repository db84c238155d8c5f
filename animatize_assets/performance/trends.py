"""Which way things go: generation time, success, waiting, cost, accuracy.

Belongs here: which metrics there are, when a change of one matters, and its direction in words.
Does not belong here: fitting lines (``trend_fitting``), finding steps (``change_points``), the
daily rows of the database (``daily_trends``).

Generation time is told for the typical job: seconds are carried to the median work with the
elasticity of these jobs, so that larger jobs do not look like a slower machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, Field

from animatize_assets.performance.bottlenecks.likeness import (
    elasticity,
    like_groups,
    log_of,
    work,
)
from animatize_assets.performance.change_points import change_points
from animatize_assets.performance.models import PIPELINE_TYPES, Count, PipelineType
from animatize_assets.performance.trend_fitting import LEAST_POINTS, Fit, fit
from animatize_assets.records import Measured, Record, Share

if TYPE_CHECKING:
    import pandas as pd

Direction = Literal["improving", "degrading", "stable", "volatile"]

FORECAST_DAYS = 7.0
_SHORT_PERIOD_DAYS = 5
_PARTS_OF_A_SHORT_PERIOD = 8
_SPLIT_SIGNIFICANCE = 0.001
"""Of a change point: many metrics are looked at, each with many possible splits."""


@dataclass(frozen=True)
class Metric:
    """Something that is followed over time."""

    name: str
    unit: str
    values: Callable[[pd.DataFrame], pd.Series[float]]
    """One value per job; NaN where there is none."""
    pooled: Literal["median", "mean"]
    """How the jobs of one day become one number."""
    higher_is_better: bool
    material: float
    """Change over the period that matters: as a share of the level, or of 1 for shares."""
    least_change: float
    """In its unit: a smaller change never matters."""
    volatile: float
    """Spread of the days, likewise, from which it counts as volatile."""
    is_share: bool = False
    least_jobs: int = 3
    """Per day; a day with fewer is left out."""


class LevelChange(Record):
    """A moment at which the level of a metric changed."""

    at: AwareDatetime
    before: Measured
    after: Measured
    p_value: Share


class Trend(Record):
    """Where one metric of one pipeline is going."""

    metric: str = Field(description="pipeline and metric, such as 'video_generation_time'")
    pipeline_type: PipelineType
    unit: str
    direction: Direction
    change_rate: Measured = Field(
        description="per day: as a share of the level; of a share, in points (0.01: one per cent)"
    )
    confidence: Share = Field(
        description="improving, degrading: 1 - p; stable: probability that the change over the "
        "period is too small to matter; volatile: that the true spread is as large as that"
    )
    p_value: Share = Field(description="Mann and Kendall, two-sided")
    current_value: Measured
    predicted_value_7d: Measured
    predicted_low_7d: Measured = Field(description="of the 80 % interval")
    predicted_high_7d: Measured
    points: Count = Field(description="days, or parts of a short period, behind it")
    jobs: Count
    changes: tuple[LevelChange, ...] = ()


def find_trends(jobs: pd.DataFrame, *, since: datetime, until: datetime) -> tuple[Trend, ...]:
    """Return the trend of each metric of each pipeline that has enough days with jobs.

    ``jobs``: a table as ``PerformanceStore.frame`` returns it. Days are counted back from
    ``until``; a period of less than five days is cut into eight parts instead, where the hours of
    one day can look like a trend.
    """
    within = jobs[(jobs["finished_at"] >= since) & (jobs["finished_at"] < until)]
    of_pipelines = {each: within[within["pipeline_type"] == each] for each in PIPELINE_TYPES}
    return tuple(
        trend
        for pipeline, of_pipeline in of_pipelines.items()
        for metric in METRICS
        if (trend := _trend(of_pipeline, pipeline, metric, since, until))
    )


def _trend(
    within: pd.DataFrame, pipeline: PipelineType, metric: Metric, since: datetime, until: datetime
) -> Trend | None:
    import pandas as pd

    values = metric.values(within).dropna()
    if values.empty:
        return None
    length = (until - since) / timedelta(days=1)
    width = 1.0 if length >= _SHORT_PERIOD_DAYS else length / _PARTS_OF_A_SHORT_PERIOD
    age = (pd.Timestamp(until) - within.loc[values.index, "finished_at"]) / pd.Timedelta(
        1, unit="D"
    )
    grouped = values.groupby((age // width).astype(int))
    enough = grouped.count() >= metric.least_jobs
    pooled = grouped.agg(metric.pooled)[enough].sort_index(ascending=False)
    if len(pooled) < LEAST_POINTS:
        return None
    days = -(pooled.index.to_numpy(dtype="float64") + 0.5) * width
    fitted = fit(days, pooled.to_numpy(dtype="float64"), until=0.0, ahead=FORECAST_DAYS)
    direction, confidence = judge(metric, fitted, length)
    scale = 1.0 if metric.is_share else abs(fitted.level)
    return Trend(
        metric=f"{pipeline}_{metric.name}",
        pipeline_type=pipeline,
        unit=metric.unit,
        direction=direction,
        change_rate=fitted.slope / scale if scale else 0.0,
        confidence=confidence,
        p_value=fitted.p_value,
        current_value=_possible(fitted.current, metric),
        predicted_value_7d=_possible(fitted.forecast, metric),
        predicted_low_7d=_possible(fitted.low, metric),
        predicted_high_7d=_possible(fitted.high, metric),
        points=fitted.points,
        jobs=len(values),
        changes=_changes(within, values, metric),
    )


def judge(metric: Metric, fitted: Fit, days: float) -> tuple[Direction, float]:
    """Return the direction of a metric over a period of so many days, and its confidence.

    A trend counts when it is significant and large enough to matter; a metric without one is
    volatile when its days differ by more than what counts as a change.
    """
    from scipy import stats

    scale = 1.0 if metric.is_share else abs(fitted.level)
    matters = max(metric.material * scale, metric.least_change)
    change = fitted.slope * days
    if fitted.is_trend and abs(change) >= matters:
        is_better = (change > 0) == metric.higher_is_better
        return ("improving" if is_better else "degrading"), 1 - fitted.p_value
    freedom = fitted.points - 2
    bound = max(metric.volatile * scale, metric.least_change)
    if fitted.spread > bound:
        return "volatile", float(stats.chi2.cdf(freedom * (fitted.spread / bound) ** 2, freedom))
    deviation = fitted.slope_sd * days
    if deviation == 0:
        return "stable", 1.0
    within = stats.norm.cdf([-matters, matters], loc=change, scale=deviation)
    return "stable", float(within[1] - within[0])


def _possible(value: float, metric: Metric) -> float:
    """Keep a forecast within what can be: no negative seconds, no share above 1."""
    return min(1.0, max(0.0, value)) if metric.is_share else max(0.0, value)


def _changes(
    jobs: pd.DataFrame, values: pd.Series[float], metric: Metric
) -> tuple[LevelChange, ...]:
    """Return the changes of level, job by job; of shares none, their level is no median."""
    if metric.is_share:
        return ()
    found = change_points(values.to_numpy(dtype="float64"), significance=_SPLIT_SIGNIFICANCE)
    moments = jobs.loc[values.index, "finished_at"]
    return tuple(
        LevelChange(
            at=moments.iloc[each.position].to_pydatetime(),
            before=each.before,
            after=each.after,
            p_value=each.p_value,
        )
        for each in found
        if abs(each.after - each.before)
        >= max(metric.material * abs(each.before), metric.least_change)
    )


def typical_seconds(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return the seconds of successful jobs, carried to the median work among them."""
    done = jobs[jobs["success"] & (jobs["total_time_seconds"] > 0)]
    size, took = log_of(work(done)), log_of(done["total_time_seconds"])
    power = elasticity(took, size, like_groups(done))
    carried = (power * (size.median() - size)).map(math.exp)
    adjusted: pd.Series[float] = done["total_time_seconds"] * carried
    return adjusted


def within_20_percent(jobs: pd.DataFrame) -> pd.Series[float]:
    """Tell for each successful job with a promise whether it was within 20 % of the actual time."""
    promised = jobs[jobs["success"] & jobs["predicted_seconds"].notna()]
    actual = promised["total_time_seconds"]
    return ((promised["predicted_seconds"] - actual).abs() <= 0.2 * actual).astype("float64")


METRICS: tuple[Metric, ...] = (
    Metric("generation_time", "s", typical_seconds, "median", False, 0.05, 0.1, 0.25),
    Metric(
        "success_rate",
        "share",
        lambda jobs: jobs["success"].astype("float64"),
        "mean",
        True,
        0.02,
        0.02,
        0.10,
        is_share=True,
        least_jobs=5,
    ),
    Metric(
        "queue_time", "s", lambda jobs: jobs["queue_time_seconds"], "mean", False, 0.10, 1.0, 0.5
    ),
    Metric(
        "cost",
        "USD",
        lambda jobs: jobs.loc[jobs["success"], "cost_usd"],
        "mean",
        False,
        0.05,
        0.0001,
        0.25,
    ),
    Metric(
        "prediction_accuracy",
        "share",
        within_20_percent,
        "mean",
        True,
        0.05,
        0.05,
        0.10,
        is_share=True,
        least_jobs=5,
    ),
    Metric(
        "gpu_utilization",
        "per cent",
        lambda jobs: jobs["gpu_utilization_avg"].where(jobs["gpu_attribution"] != "shared"),
        "mean",
        True,
        0.05,
        3.0,
        0.25,
    ),
)
"""What is followed. A change below 5 % of seconds, money or utilisation is within what jobs of one
day differ; of a success rate two points matter, because a tenth of failures is an alarm."""
