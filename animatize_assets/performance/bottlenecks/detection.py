"""All detectors, asked one after the other.

Belongs here: their list. Does not belong here: where the jobs come from (``analyzer``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from animatize_assets.performance.bottlenecks.contention import resource_contention
from animatize_assets.performance.bottlenecks.cpu import cpu_bottleneck
from animatize_assets.performance.bottlenecks.failures import high_failure_rate
from animatize_assets.performance.bottlenecks.findings import Bottleneck, BottleneckType, Period
from animatize_assets.performance.bottlenecks.gpu import low_gpu_utilization
from animatize_assets.performance.bottlenecks.initialization import slow_initialization
from animatize_assets.performance.bottlenecks.memory import memory_constraint
from animatize_assets.performance.bottlenecks.parameters import suboptimal_parameters
from animatize_assets.performance.bottlenecks.queueing import high_queue_time
from animatize_assets.performance.thresholds import Thresholds

if TYPE_CHECKING:
    import pandas as pd

DETECTORS: dict[BottleneckType, Callable[[Period], Bottleneck | None]] = {
    "low_gpu_utilization": low_gpu_utilization,
    "high_queue_time": high_queue_time,
    "memory_constraint": memory_constraint,
    "cpu_bottleneck": cpu_bottleneck,
    "high_failure_rate": high_failure_rate,
    "slow_initialization": slow_initialization,
    "resource_contention": resource_contention,
    "suboptimal_parameters": suboptimal_parameters,
}


def find_bottlenecks(
    jobs: pd.DataFrame,
    thresholds: Thresholds | None = None,
    *,
    earlier: pd.DataFrame | None = None,
) -> tuple[Bottleneck, ...]:
    """Return what holds these jobs up, the most severe first; at most one finding of each type.

    ``jobs`` and ``earlier`` (jobs from before, to compare with) are tables as
    ``PerformanceStore.frame`` returns them.
    """
    period = Period(
        jobs=jobs.reset_index(drop=True),
        earlier=(jobs.iloc[:0] if earlier is None else earlier).reset_index(drop=True),
        thresholds=thresholds or Thresholds(),
    )
    found = [finding for detect in DETECTORS.values() if (finding := detect(period)) is not None]
    return tuple(sorted(found, key=lambda each: -each.severity))
