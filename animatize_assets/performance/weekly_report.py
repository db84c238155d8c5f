"""What a week of jobs was: totals, what held them up, how good the estimates were, what to do.

Belongs here: the report's record and how it is put together. Does not belong here: how findings
and trends are found (``bottlenecks``, ``trends``), how a person sees it (``report_page``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime, Field

from animatize_assets.performance.analyzer import Findings, PerformanceAnalyzer
from animatize_assets.performance.bottlenecks.findings import Bottleneck
from animatize_assets.performance.daily_trends import DailyTrend, aggregate_day
from animatize_assets.performance.models import PIPELINE_TYPES, Count, PipelineType, Seconds
from animatize_assets.performance.opportunities import Opportunity
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.trends import Trend, find_trends, within_20_percent
from animatize_assets.records import Record, Share

if TYPE_CHECKING:
    import pandas as pd

WEEK = timedelta(days=7)
TREND_DAYS = 28
"""A trend of seven points says little: the report tells where the last four weeks are going."""

MOST_RECOMMENDATIONS = 6
ACCURACY_DROP = 0.10
"""A share of good estimates that fell by this much in a week asks for training."""

NOTHING_YET = (
    "Make the first clips with `animatize demo`, or those of your own images with "
    "`animatize ingest FILE...` and `animatize run`; every job leaves a record for this report."
)


class WeekTotals(Record):
    """One week in numbers. None: nothing was measured."""

    total_jobs: Count
    successful_jobs: Count
    total_generation_time: Seconds = Field(description="s, of successful jobs, without waiting")
    avg_generation_time: Seconds | None
    avg_queue_time: Seconds | None
    cost_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    jobs_of_known_cost: Count

    @property
    def success_rate(self) -> float | None:
        """Share of jobs that succeeded; None without jobs."""
        return self.successful_jobs / self.total_jobs if self.total_jobs else None


class PredictionQuality(Record):
    """How good the estimates of one pipeline were, and the week before."""

    pipeline_type: PipelineType
    estimated_jobs: Count
    within_20_percent: Share | None
    interval_coverage: Share | None = Field(description="of the 80 % interval")
    estimated_jobs_before: Count
    within_20_percent_before: Share | None
    interval_coverage_before: Share | None


class WeeklyReport(Record):
    """A week, Monday to Sunday in UTC, and the one before to compare it with."""

    week_start: date
    generated_at: AwareDatetime
    totals: WeekTotals
    before: WeekTotals
    days: tuple[DailyTrend, ...] = Field(description="of days with jobs, per pipeline")
    trends: tuple[Trend, ...] = Field(description=f"over the {TREND_DAYS} days that end here")
    bottlenecks: tuple[Bottleneck, ...] = Field(description="the most severe first")
    opportunities: tuple[Opportunity, ...]
    predictions: tuple[PredictionQuality, ...] = Field(description="of pipelines with jobs")
    recommendations: tuple[str, ...] = Field(description="what to do first comes first")

    @property
    def week_end(self) -> date:
        """The week's last day."""
        return self.week_start + WEEK - timedelta(days=1)

    def predecessor_body(self) -> dict[str, Any]:
        """Return the report as JSON values, in the shape that the predecessor's clients read."""
        kept = {"type", "severity", "affected_jobs", "description", "recommendations", "metrics"}
        return {
            "week_start": self.week_start.isoformat(),
            "week_end": self.week_end.isoformat(),
            "total_jobs": self.totals.total_jobs,
            "total_generation_time": self.totals.total_generation_time,
            "avg_generation_time": self.totals.avg_generation_time,
            "success_rate": self.totals.success_rate,
            "top_bottlenecks": [
                each.model_dump(mode="json", include=kept) for each in self.bottlenecks
            ],
            "performance_trends": [_day_body(day) for day in self.days],
            "predictions_accuracy": {
                each.pipeline_type: each.within_20_percent
                for each in self.predictions
                if each.within_20_percent is not None
            },
        }


def monday_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def build_weekly_report(
    store: PerformanceStore,
    week_start: date,
    *,
    thresholds: Thresholds | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> WeeklyReport:
    """Put the report of the week together that begins on ``week_start``.

    A week that is under way is told as far as it is. ``clock`` only dates the report.

    Raises:
        ValueError: the day is no Monday.

    """
    if week_start.weekday() != 0:
        raise ValueError(f"A week begins on a Monday; {week_start} is none.")
    begin = datetime.combine(week_start, time(), UTC)
    end = begin + WEEK
    analyzer = PerformanceAnalyzer(store, thresholds=thresholds, clock=lambda: end)
    window = analyzer.read(WEEK.days)
    jobs = window.jobs
    jobs_before = window.earlier[window.earlier["finished_at"] >= begin - WEEK]
    found = analyzer.find(window)
    trends_since = end - timedelta(days=TREND_DAYS)
    predictions = _predictions(jobs, jobs_before)
    return WeeklyReport(
        week_start=week_start,
        generated_at=clock(),
        totals=_totals(jobs),
        before=_totals(jobs_before),
        days=_days(jobs, week_start, thresholds),
        trends=find_trends(window.from_earlier(trends_since), since=trends_since, until=end),
        bottlenecks=found.bottlenecks,
        opportunities=found.opportunities,
        predictions=predictions,
        recommendations=_recommendations(found, predictions, is_empty=jobs.empty),
    )


def _totals(jobs: pd.DataFrame) -> WeekTotals:
    took = jobs.loc[jobs["success"], "total_time_seconds"]
    return WeekTotals(
        total_jobs=len(jobs),
        successful_jobs=len(took),
        total_generation_time=float(took.sum()),
        avg_generation_time=_or_none(took.mean()),
        avg_queue_time=_or_none(jobs["queue_time_seconds"].mean()),
        cost_usd=_or_none(jobs["cost_usd"].sum(min_count=1)),
        jobs_of_known_cost=int(jobs["cost_usd"].notna().sum()),
    )


def _days(
    jobs: pd.DataFrame, week_start: date, thresholds: Thresholds | None
) -> tuple[DailyTrend, ...]:
    days = (
        aggregate_day(jobs, week_start + timedelta(days=number), pipeline, thresholds=thresholds)
        for number in range(WEEK.days)
        for pipeline in PIPELINE_TYPES
    )
    return tuple(day for day in days if day.total_jobs)


def _predictions(jobs: pd.DataFrame, before: pd.DataFrame) -> tuple[PredictionQuality, ...]:
    told = []
    for pipeline in PIPELINE_TYPES:
        now, then = (each[each["pipeline_type"] == pipeline] for each in (jobs, before))
        if now.empty:
            continue
        near, near_before = within_20_percent(now), within_20_percent(then)
        told.append(
            PredictionQuality(
                pipeline_type=pipeline,
                estimated_jobs=len(near),
                within_20_percent=_or_none(near.mean()),
                interval_coverage=_coverage(now),
                estimated_jobs_before=len(near_before),
                within_20_percent_before=_or_none(near_before.mean()),
                interval_coverage_before=_coverage(then),
            )
        )
    return tuple(told)


def _coverage(jobs: pd.DataFrame) -> float | None:
    done = jobs[
        jobs["success"]
        & jobs["predicted_low_seconds"].notna()
        & jobs["predicted_high_seconds"].notna()
    ]
    inside = done["total_time_seconds"].between(
        done["predicted_low_seconds"], done["predicted_high_seconds"]
    )
    return _or_none(inside.mean())


def _recommendations(
    found: Findings, predictions: Sequence[PredictionQuality], *, is_empty: bool
) -> tuple[str, ...]:
    if is_empty:
        return (NOTHING_YET,)
    # what repairs a bottleneck is offered as an opportunity too: the same sentence once is enough
    told = [each.recommendations[0] for each in found.bottlenecks if each.recommendations]
    told += [
        each.implementation_steps[0] for each in found.opportunities if each.implementation_steps
    ]
    told += [_training(each) for each in predictions if _has_dropped(each)]
    return tuple(dict.fromkeys(told))[:MOST_RECOMMENDATIONS]


def _has_dropped(quality: PredictionQuality) -> bool:
    now, before = quality.within_20_percent, quality.within_20_percent_before
    return now is not None and before is not None and before - now >= ACCURACY_DROP


def _training(quality: PredictionQuality) -> str:
    return (
        f"Estimates of {quality.pipeline_type} jobs are less good than the week before: train a "
        "new estimator with `animatize train`."
    )


def _day_body(day: DailyTrend) -> dict[str, Any]:
    return {
        "date": day.date.isoformat(),
        "pipeline_type": day.pipeline_type,
        "avg_generation_time": day.avg_generation_time,
        "median_generation_time": day.median_generation_time,
        "success_rate": day.success_rate,
        "total_jobs": day.total_jobs,
        "bottlenecks": list(day.bottlenecks),
        "recommendations": list(day.recommendations),
    }


def _or_none(value: float) -> float | None:
    """Turn the NaN of an empty column into None."""
    return None if value != value else float(value)  # noqa: PLR0124  # only NaN is not itself
