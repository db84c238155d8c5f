"""What a detector is given and what it finds.

Belongs here: the record of a finding, the jobs a detector looks at, how severe a finding is. Does
not belong here: the detectors themselves, one module each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from animatize_assets.performance.models import Count
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.records import Measured, Record, Share

if TYPE_CHECKING:
    import pandas as pd

BottleneckType = Literal[
    "low_gpu_utilization",
    "high_queue_time",
    "memory_constraint",
    "cpu_bottleneck",
    "high_failure_rate",
    "slow_initialization",
    "resource_contention",
    "suboptimal_parameters",
]

IDS_LISTED = 20
"""A finding names at most as many of its jobs, the worst first; the count is always whole."""

LEAST_JOBS = 10
"""No detector speaks of fewer jobs: below that, one odd job in three is ordinary luck."""

_WORST = 5.0
"""Five times a limit, on every job, is a severity of 1: the range that the issue asks for."""

MetricValue = Annotated[float, Measured] | int | str


class Bottleneck(Record):
    """One finding about a period of jobs."""

    type: BottleneckType
    severity: Share = Field(description="0: just at the limit; 1: five times the limit, every job")
    affected_jobs: Count
    affected_job_ids: tuple[str, ...] = Field(
        default=(), description=f"the worst first, at most {IDS_LISTED}"
    )
    description: str = Field(description="one or two sentences, with the numbers")
    metrics: Mapping[str, MetricValue] = Field(description="the numbers behind the finding")
    recommendations: tuple[str, ...]
    expected_gain: Share = Field(
        description="share of all the period's seconds (waiting included where it is about waiting)"
        " that would be saved; estimated from its jobs"
    )


@dataclass(frozen=True)
class Period:
    """The jobs that a detector judges, in the order in which they ended.

    Both tables are those of ``PerformanceStore.frame``, with unique indices: ``earlier`` holds
    jobs from before the period, to compare with; it may be empty.
    """

    jobs: pd.DataFrame
    earlier: pd.DataFrame
    thresholds: Thresholds

    @cached_property
    def both(self) -> pd.DataFrame:
        """The earlier jobs and, after them, those of the period, numbered from 0."""
        import pandas as pd

        return pd.concat([self.earlier, self.jobs], ignore_index=True)


def severity(ratio: float, share: float) -> float:
    """Return how bad it is that a ``share`` of jobs is ``ratio`` times beyond its limit.

    The geometric mean of the share and of the logarithm of the ratio, which is 0 at the limit and
    1 at five times the limit: twice as far is one step worse, wherever it starts.
    """
    if ratio <= 1 or share <= 0:
        return 0.0
    reach = min(1.0, math.log(ratio) / math.log(_WORST))
    return math.sqrt(reach * min(1.0, share))


def worst_ids(jobs: pd.DataFrame, badness: pd.Series[float]) -> tuple[str, ...]:
    """Return the ids of the jobs with the highest badness, highest first."""
    order = badness.sort_values(ascending=False, kind="stable").index[:IDS_LISTED]
    return tuple(str(each) for each in jobs.loc[order, "job_id"])


def percent(share: float) -> str:
    """Write a share for a sentence: ``12 %``."""
    return f"{100 * share:.0f} %"


def seconds(value: float) -> str:
    """Write a duration for a sentence."""
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s"


def clipped(share: float) -> float:
    """Keep an estimated share within 0..1."""
    return min(1.0, max(0.0, share))


def listed(names: Sequence[str]) -> str:
    """Write names for a sentence: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
