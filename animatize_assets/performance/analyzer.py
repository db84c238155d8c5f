"""What the job records of the last days say, in one place.

Belongs here: which jobs are looked at, and the report's shape, which clients of the predecessor
know. Does not belong here: how anything is found (``bottlenecks``, ``trends``, ``opportunities``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from animatize_assets.performance import opportunities as offers
from animatize_assets.performance.bottlenecks.detection import find_bottlenecks
from animatize_assets.performance.bottlenecks.findings import Bottleneck
from animatize_assets.performance.job_window import JobWindow
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.opportunities import Opportunity
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.trends import Trend, find_trends

CRITICAL_SEVERITY = 0.7
"""About two and a half times the limit on all jobs, or more than five times on half of them."""

EARLIER_DAYS = 28
"""Before the period: what its jobs are compared with."""


@dataclass(frozen=True)
class Findings:
    """What holds jobs up, and what mending it would bring."""

    bottlenecks: tuple[Bottleneck, ...]
    """The most severe first."""
    opportunities: tuple[Opportunity, ...]
    """The largest first."""


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

    def read(self, days_back: int = 7) -> JobWindow:
        """Return the jobs of the last days with those before them: several questions, one look."""
        until = self._clock()
        since = until - timedelta(days=days_back)
        return JobWindow.read(self._store, since, until, earlier=timedelta(days=EARLIER_DAYS))

    def find(self, window: JobWindow) -> Findings:
        """Return what holds the jobs of a period up, and what would save time or money."""
        bottlenecks = find_bottlenecks(window.jobs, self._thresholds, earlier=window.earlier)
        return Findings(
            bottlenecks, offers.identify_optimization_opportunities(window.jobs, bottlenecks)
        )

    def analyze_bottlenecks(
        self, days_back: int = 7, *, pipeline_type: PipelineType | None = None
    ) -> tuple[Bottleneck, ...]:
        """Return what holds the jobs of the last days up, the most severe first."""
        window = self.read(days_back).of(pipeline_type)
        return find_bottlenecks(window.jobs, self._thresholds, earlier=window.earlier)

    def analyze_trends(
        self, days_back: int = 28, *, pipeline_type: PipelineType | None = None
    ) -> tuple[Trend, ...]:
        """Return which way each metric of each pipeline is going."""
        until = self._clock()
        since = until - timedelta(days=days_back)
        jobs = self._store.frame(pipeline_type=pipeline_type, since=since, until=until)
        return find_trends(jobs, since=since, until=until)

    def identify_optimization_opportunities(self, days_back: int = 7) -> tuple[Opportunity, ...]:
        """Return what would save time or money, the largest first."""
        return self.find(self.read(days_back)).opportunities

    def generate_performance_report(self, days_back: int = 7) -> dict[str, Any]:
        """Return the report as JSON values, in the shape that the predecessor's clients read.

        What was not measured is None. ``optimization_potential`` is the share of the seconds that
        is saved when every opportunity that saves time is taken, as if each acted on what the
        others leave.
        """
        window = self.read(days_back)
        found = self.find(window)
        trends = find_trends(window.jobs, since=window.since, until=window.until)
        return {
            "report_generated": window.until.isoformat(),
            "analysis_period_days": days_back,
            "overall_statistics": _statistics(window),
            "bottlenecks": [_only(each, _BOTTLENECK_KEYS) for each in found.bottlenecks],
            "trends": [_only(each, _TREND_KEYS) for each in trends],
            "optimization_opportunities": [
                _only(each, _OPPORTUNITY_KEYS) for each in found.opportunities
            ],
            "summary": _summary(found, trends),
        }


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


def _statistics(window: JobWindow) -> dict[str, Any]:
    jobs = window.jobs
    done = jobs[jobs["success"]]
    return {
        "total_jobs": len(jobs),
        "avg_generation_time": _or_none(done["total_time_seconds"].mean()),
        "avg_gpu_utilization": _or_none(jobs["gpu_utilization_avg"].mean()),
        "success_rate": _or_none(jobs["success"].mean()),
        "period_start": window.since.isoformat(),
        "period_end": window.until.isoformat(),
    }


def _summary(found: Findings, trends: Sequence[Trend]) -> Mapping[str, int | float]:
    left = math.prod(
        1 - each.potential_improvement for each in found.opportunities if each.saves == "time"
    )
    return {
        "critical_bottlenecks": sum(
            each.severity >= CRITICAL_SEVERITY for each in found.bottlenecks
        ),
        "improving_trends": sum(each.direction == "improving" for each in trends),
        "degrading_trends": sum(each.direction == "degrading" for each in trends),
        "optimization_potential": 1 - left,
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
