"""How each pipeline is doing, in the shape that the predecessor's clients read.

Belongs here: that answer. Does not belong here: which way a metric goes (``trends``), what holds
jobs up (``bottlenecks``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from animatize_assets.performance.analyzer import PerformanceAnalyzer
from animatize_assets.performance.bottlenecks.detection import find_bottlenecks
from animatize_assets.performance.bottlenecks.findings import Bottleneck
from animatize_assets.performance.models import PIPELINE_TYPES, PipelineType
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.trends import Trend, find_trends

if TYPE_CHECKING:
    import pandas as pd


def pipeline_trends(
    store: PerformanceStore,
    *,
    days_back: int = 7,
    pipeline_type: PipelineType | None = None,
    thresholds: Thresholds | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, Any]:
    """Return the answer as JSON values; ``trends`` has the pipelines with jobs in the period.

    ``time_trend`` is None while too few days have jobs. ``metrics`` holds every trend with its
    numbers.
    """
    until = clock()
    whole = PerformanceAnalyzer(store, clock=lambda: until).read(days_back)
    trends: dict[str, Any] = {}
    for pipeline in PIPELINE_TYPES if pipeline_type is None else (pipeline_type,):
        window = whole.of(pipeline)
        if not window.jobs.empty:
            trends[pipeline] = _pipeline_body(
                window.jobs,
                find_trends(window.jobs, since=window.since, until=until),
                find_bottlenecks(window.jobs, thresholds, earlier=window.earlier),
            )
    return {"period_days": days_back, "analysis_date": until.isoformat(), "trends": trends}


def _pipeline_body(
    jobs: pd.DataFrame, trends: Sequence[Trend], bottlenecks: Sequence[Bottleneck]
) -> dict[str, Any]:
    done = jobs.loc[jobs["success"], "total_time_seconds"]
    times = [each.direction for each in trends if each.metric.endswith("_generation_time")]
    return {
        "avg_generation_time": None if done.empty else float(done.mean()),
        "time_trend": times[0] if times else None,
        "success_rate": len(done) / len(jobs),
        "bottlenecks": [each.type for each in bottlenecks],
        "recommendations": [told for each in bottlenecks for told in each.recommendations],
        "total_jobs": len(jobs),
        "metrics": [each.model_dump(mode="json") for each in trends],
    }
