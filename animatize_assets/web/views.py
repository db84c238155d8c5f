"""What is computed of many jobs for a page: functions that ``analysis`` runs in its process.

Belongs here: which statistics a page shows, as plain values. Does not belong here: the statistics.
"""

from __future__ import annotations

import gc
from datetime import date
from typing import TYPE_CHECKING, Any

from animatize_assets.performance.analyzer import Findings
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.pipeline_trends import pipeline_trends
from animatize_assets.performance.weekly_report import build_weekly_report

if TYPE_CHECKING:
    from animatize_assets.performance.opening import PerformanceRoom


def findings(room: PerformanceRoom, days: int) -> Findings:
    """Return what the jobs of the last days showed."""
    analyzer = room.analyzer()
    return analyzer.find(analyzer.read(days))


def trends(room: PerformanceRoom, days: int, pipeline_type: PipelineType | None) -> dict[str, Any]:
    """Return how the pipelines are doing, in the predecessor's shape."""
    return pipeline_trends(
        room.store, days_back=days, pipeline_type=pipeline_type, thresholds=room.thresholds
    )


def weekly_report(room: PerformanceRoom, monday: date) -> dict[str, Any]:
    """Return the report of the week that begins on that day, in the predecessor's shape."""
    report = build_weekly_report(room.store, monday, thresholds=room.thresholds)
    return report.predecessor_body()


def nothing(_room: PerformanceRoom) -> None:
    """Load what the views need: asked for when the service starts."""
    import pandas  # noqa: F401, ICN001  # loaded, not used
    import scipy.stats  # noqa: F401

    # They live as long as the process: views need not wait while they are looked through again.
    gc.collect()
    gc.freeze()
