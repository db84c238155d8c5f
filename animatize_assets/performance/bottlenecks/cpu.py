"""A CPU that holds the work up: ``cpu_bottleneck``.

Physical idea: while all cores are busy and the GPU is not, the GPU waits for the CPU; without a
GPU, a CPU that others keep busy is what a job waits for. When CPU and GPU are both saturated the
machine is simply in use, and so is a CPU on which a job computes alone: rendering on this machine
uses all of it by design, and nothing waits. Where it is not known whose use it is, a saturated CPU
without a GPU counts as the limit.

Statistic: how many jobs have an average CPU utilisation above the limit (80 % by default), no
saturated GPU and, where they use no GPU, others on the CPU with more than what the limit leaves
(20 %), by :func:`~animatize_assets.performance.bottlenecks.scopes.sustained`. The gain is
estimated by comparing them with like jobs of equal work on a CPU with room, or, when there are
none, from how long the GPU waited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from animatize_assets.performance.bottlenecks.findings import (
    LEAST_JOBS,
    Bottleneck,
    Period,
    clipped,
    percent,
    severity,
    worst_ids,
)
from animatize_assets.performance.bottlenecks.likeness import longer_than_like, work_seconds
from animatize_assets.performance.bottlenecks.scopes import Sustained, sustained
from animatize_assets.performance.thresholds import LEAST_CPU_SECONDS

if TYPE_CHECKING:
    import pandas as pd

_SATURATED_GPU = 95.0
"""Per cent. Nothing is gained by feeding such a GPU faster."""
_SIGNIFICANCE = 0.01


def cpu_bottleneck(period: Period) -> Bottleneck | None:
    """Find jobs whose cores are all busy while the GPU has room, or with what others do."""
    limit = period.thresholds.high_cpu_percent
    measured = period.jobs["cpu_utilization_avg"].notna()
    jobs = period.jobs[measured & (period.jobs["total_time_seconds"] >= LEAST_CPU_SECONDS)]
    if len(jobs) < LEAST_JOBS:
        return None
    own_gpu = jobs["gpu_utilization_avg"].where(jobs["gpu_attribution"] != "shared")
    by_others = jobs["cpu_utilization_avg"] - jobs["cpu_utilization_own"]
    is_its_own = jobs["gpu_model"].isna() & (by_others <= period.thresholds.others_cpu_percent)
    busy = (jobs["cpu_utilization_avg"] > limit) & ~(own_gpu >= _SATURATED_GPU) & ~is_its_own
    found = sustained(jobs, busy)
    if found is None:
        return None
    affected = jobs[found.scope.rows & busy.to_numpy()]
    slowdown, how = _slowdown(period, affected, own_gpu.loc[affected.index])
    total = float(period.jobs["total_time_seconds"].sum())
    spent = float(affected["total_time_seconds"].sum())
    gain = clipped(spent * (1 - 1 / slowdown) / total)
    return _finding(
        period, affected, found, judged=len(jobs), slowdown=slowdown, how=how, gain=gain
    )


def _slowdown(
    period: Period, affected: pd.DataFrame, own_gpu: pd.Series[float]
) -> tuple[float, str]:
    """Return how many times longer the jobs take, at least 1, and how that is known."""
    import pandas as pd

    jobs = period.both
    suspects = pd.Series(False, index=jobs.index)
    suspects[len(period.earlier) + affected.index] = True
    room = (jobs["cpu_utilization_avg"] <= period.thresholds.high_cpu_percent) & ~suspects
    compared = longer_than_like(
        jobs, work_seconds(jobs), suspects & jobs["success"], room & jobs["success"]
    )
    if compared is not None:
        sure = compared.p_value < _SIGNIFICANCE
        return (max(1.0, compared.ratio) if sure else 1.0), "like jobs on a CPU with room"
    idle = float(own_gpu.median())
    if np.isfinite(idle):
        return _SATURATED_GPU / min(max(idle, 1.0), _SATURATED_GPU), "how long the GPU waited"
    return 1.0, "not known: no like job ran on a CPU with room"


def _finding(
    period: Period,
    affected: pd.DataFrame,
    found: Sustained,
    *,
    judged: int,
    slowdown: float,
    how: str,
    gain: float,
) -> Bottleneck:
    limit = period.thresholds.high_cpu_percent
    use = affected["cpu_utilization_avg"]
    typical = float(use.median())
    metrics: dict[str, float | int | str] = {
        "cpu_utilization_median": typical,
        "limit_percent": limit,
        "share_of_jobs": found.share,
        "slowdown": slowdown,
        "slowdown_from": how,
        "p_value": found.p_value,
        "where": found.scope.label,
    }
    gpu = float(affected["gpu_utilization_avg"].median())
    if np.isfinite(gpu):
        metrics["gpu_utilization_median"] = gpu
    # Utilisation ends at 100 %, so how far it is beyond the limit is told by what is left idle.
    reach = (100 - limit) / max(100 - typical, (100 - limit) / 5)
    own = float(affected["cpu_utilization_own"].where(affected["gpu_model"].isna()).median())
    if np.isfinite(own):
        metrics["cpu_utilization_own_median"] = own
        # With the CPU to itself a job could use what is busy now: so many times its own part.
        reach = min(reach, typical / max(own, 1.0))
    reach = max(reach, slowdown)
    slower = f" They take {slowdown:.2f} times as long ({how})." if slowdown > 1 else ""
    saving = (
        f"it saves about {percent(gain)} of the period's seconds"
        if gain > 0
        else "no slow-down of these jobs can be shown from the records yet"
    )
    return Bottleneck(
        type="cpu_bottleneck",
        severity=severity(reach, found.beyond / judged),
        affected_jobs=found.beyond,
        affected_job_ids=worst_ids(affected, use),
        description=(
            f"The CPU was busier than {limit:.0f} % in {found.beyond} of {found.jobs} jobs "
            f"({found.scope.label}), half of them above {typical:.0f} %, while no GPU was "
            f"saturated.{slower}"
        ),
        metrics=metrics,
        recommendations=(
            (
                "Run fewer jobs at once on the worker, end what else computes on it, or give it "
                f"more cores: below {limit:.0f} % CPU utilisation {saving}."
            ),
        ),
        expected_gain=gain,
    )
