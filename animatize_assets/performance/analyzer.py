"""What the job records of the last days say, in one place.

Belongs here: which jobs are looked at, and the report's shape, which clients of the predecessor
know. Does not belong here: how anything is found (``bottlenecks``, ``trends``, ``opportunities``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from animatize_assets.performance import opportunities as offers
from animatize_assets.performance.bottlenecks.detection import find_bottlenecks
from animatize_assets.performance.bottlenecks.findings import Bottleneck
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.opportunities import Opportunity
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.trends import Trend, find_trends

if TYPE_CHECKING:
    import pandas as pd

CRITICAL_SEVERITY = 0.7
"""About two and a half times the limit on all jobs, or more than five times on half of them."""

EARLIER_DAYS = 28
"""Before the period: what its jobs are compared with."""


class PerformanceAnalyzer:
    """Reads the records of one store and says what holds jobs up and which way things go.

    ``clock`` tells the time, with its time zone: a period ends now.
    """

    def __init__(
        self,
        store: PerformanceStore,
        *,
        thresholds: Thresholds | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._thresholds = thresholds or Thresholds()
        self._clock = clock

    def analyze_bottlenecks(
        self, days_back: int = 7, *, pipeline_type: PipelineType | None = None
    ) -> tuple[Bottleneck, ...]:
        """Return what holds the jobs of the last days up, the most severe first."""
        until = self._clock()
        return self._bottlenecks(self._jobs(until, days_back, pipeline_type), until, days_back)

    def analyze_trends(
        self, days_back: int = 28, *, pipeline_type: PipelineType | None = None
    ) -> tuple[Trend, ...]:
        """Return which way each metric of each pipeline is going."""
        until = self._clock()
        jobs = self._jobs(until, days_back, pipeline_type)
        return find_trends(jobs, since=until - timedelta(days=days_back), until=until)

    def identify_optimization_opportunities(self, days_back: int = 7) -> tuple[Opportunity, ...]:
        """Return what would save time or money, the largest first."""
        until = self._clock()
        jobs = self._jobs(until, days_back)
        found = self._bottlenecks(jobs, until, days_back)
        return offers.identify_optimization_opportunities(jobs, found)

    def generate_performance_report(self, days_back: int = 7) -> dict[str, Any]:
        """Return the report as JSON values, in the shape that the predecessor's clients read.

        What was not measured is None. ``optimization_potential`` is the share of the seconds that
        is saved when every opportunity that saves time is taken, as if each acted on what the
        others leave.
        """
        until = self._clock()
        since = until - timedelta(days=days_back)
        jobs = self._jobs(until, days_back)
        found = self._bottlenecks(jobs, until, days_back)
        trends = find_trends(jobs, since=since, until=until)
        offered = offers.identify_optimization_opportunities(jobs, found)
        return {
            "report_generated": until.isoformat(),
            "analysis_period_days": days_back,
            "overall_statistics": _statistics(jobs, since, until),
            "bottlenecks": [_only(each, _BOTTLENECK_KEYS) for each in found],
            "trends": [_only(each, _TREND_KEYS) for each in trends],
            "optimization_opportunities": [_only(each, _OPPORTUNITY_KEYS) for each in offered],
            "summary": _summary(found, trends, offered),
        }

    def _bottlenecks(
        self, jobs: pd.DataFrame, until: datetime, days_back: int
    ) -> tuple[Bottleneck, ...]:
        since = until - timedelta(days=days_back)
        earlier = self._store.frame(since=since - timedelta(days=EARLIER_DAYS), until=since)
        return find_bottlenecks(jobs, self._thresholds, earlier=earlier)

    def _jobs(
        self, until: datetime, days_back: int, pipeline_type: PipelineType | None = None
    ) -> pd.DataFrame:
        since = until - timedelta(days=days_back)
        return self._store.frame(pipeline_type=pipeline_type, since=since, until=until)


_BOTTLENECK_KEYS = (
    "type",
    "severity",
    "affected_jobs",
    "description",
    "recommendations",
    "metrics",
)
_TREND_KEYS = (
    "metric",
    "direction",
    "change_rate",
    "confidence",
    "current_value",
    "predicted_value_7d",
)
_OPPORTUNITY_KEYS = (
    "area",
    "potential_improvement",
    "effort_required",
    "description",
    "implementation_steps",
    "expected_impact",
)


def _only(record: Bottleneck | Trend | Opportunity, keys: Sequence[str]) -> dict[str, Any]:
    whole = record.model_dump(mode="json")
    return {key: whole[key] for key in keys}


def _statistics(jobs: pd.DataFrame, since: datetime, until: datetime) -> dict[str, Any]:
    done = jobs[jobs["success"]]
    return {
        "total_jobs": len(jobs),
        "avg_generation_time": _or_none(done["total_time_seconds"].mean()),
        "avg_gpu_utilization": _or_none(jobs["gpu_utilization_avg"].mean()),
        "success_rate": _or_none(jobs["success"].mean()),
        "period_start": since.isoformat(),
        "period_end": until.isoformat(),
    }


def _summary(
    found: Sequence[Bottleneck], trends: Sequence[Trend], offered: Sequence[Opportunity]
) -> Mapping[str, int | float]:
    left = math.prod(1 - each.potential_improvement for each in offered if each.saves == "time")
    return {
        "critical_bottlenecks": sum(each.severity >= CRITICAL_SEVERITY for each in found),
        "improving_trends": sum(each.direction == "improving" for each in trends),
        "degrading_trends": sum(each.direction == "degrading" for each in trends),
        "optimization_potential": 1 - left,
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
