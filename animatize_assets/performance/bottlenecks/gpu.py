"""A GPU that waits: ``low_gpu_utilization``.

Physical idea: a GPU that generates is busy nearly all the time. One that is not waits for
something else (data, the CPU, tiny batches), and that time is lost.

Statistic: how many jobs have an average GPU utilisation below the limit (60 % by default), by
:func:`~animatize_assets.performance.bottlenecks.scopes.sustained`. Left out are jobs whose samples
are marked ``shared``, because nobody knows whose they are; jobs that never touched the GPU; and
the part of an idle GPU that setting up explains, because that is another bottleneck.
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
from animatize_assets.performance.bottlenecks.scopes import sustained

if TYPE_CHECKING:
    import pandas as pd

_IDLE_PEAK = 5.0
"""Per cent. A desktop's own drawing reaches this; a job whose peak is below uses no GPU."""
_MOSTLY_WORK = 0.7
"""An average over a job that worked for a smaller part is carried to that part alone: the sampler
runs from start to finish, and a GPU is idle while files are read."""
_CLEARLY = 0.8
"""Relative spread of averages as they are, over that of carried ones, that shows the former."""
_LEAST_GAIN = 0.05
"""Of the part's seconds; below, it is not worth a person's time."""
_VRAM_FILL = 0.85
"""As much of the memory can be used by a larger batch without coming near its end."""


def low_gpu_utilization(period: Period) -> Bottleneck | None:
    """Find jobs whose GPU is busy for less than the limit while they work."""
    limit = period.thresholds.low_gpu_percent
    jobs = period.jobs[_uses_a_gpu(period.jobs)]
    if len(jobs) < LEAST_JOBS:
        return None
    busy = while_working(jobs)
    found = sustained(jobs, busy < limit)
    if found is None:
        return None
    part, part_busy = jobs[found.scope.rows], busy[found.scope.rows]
    low = part_busy < limit
    reference = _reference(busy, limit)
    worked = part["processing_time_seconds"].fillna(part["total_time_seconds"])
    saved = float((worked * (1 - part_busy / reference))[low].sum())
    if saved < _LEAST_GAIN * float(part["total_time_seconds"].sum()):
        return None
    gain = clipped(saved / float(period.jobs["total_time_seconds"].sum()))
    typical = float(part_busy[low].median())
    affected = part[low]
    return Bottleneck(
        type="low_gpu_utilization",
        severity=severity(limit / max(typical, 1.0), found.beyond / len(jobs)),
        affected_jobs=found.beyond,
        affected_job_ids=worst_ids(affected, -part_busy[low]),
        description=(
            f"The GPU was busy for less than {limit:.0f} % in {found.beyond} of {found.jobs} jobs "
            f"({found.scope.label}); half of those used it for less than {typical:.0f} %."
        ),
        metrics={
            "gpu_utilization_median": typical,
            "limit_percent": limit,
            "reference_percent": reference,
            "share_of_jobs": found.share,
            "p_value": found.p_value,
            "where": found.scope.label,
        },
        recommendations=_recommendations(affected, typical, reference, gain),
        expected_gain=gain,
    )


def while_working(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return the average utilisation over the working part of each job, per cent.

    An average over the whole job falls with the part in which it set up, and is carried to the
    rest; one that does not vary with that part was taken while working, and stays.
    """
    share = (jobs["processing_time_seconds"] / jobs["total_time_seconds"]).clip(upper=1.0)
    average = jobs["gpu_utilization_avg"]
    carried = average / share.where(share > 0)
    if _spread(average) < _CLEARLY * _spread(carried):
        return average
    return carried.clip(upper=100.0).where(share < _MOSTLY_WORK, average)


def _spread(values: pd.Series[float]) -> float:
    """Return the interquartile range over the median."""
    low, middle, high = values.quantile([0.25, 0.5, 0.75])
    return float((high - low) / middle) if middle > 0 else float("nan")


def _uses_a_gpu(jobs: pd.DataFrame) -> pd.Series[bool]:
    peak, memory = jobs["gpu_utilization_peak"], jobs["vram_used_mb"]
    return (
        jobs["gpu_utilization_avg"].notna()
        & (jobs["gpu_attribution"] != "shared")
        & (peak.isna() | (peak >= _IDLE_PEAK))
        & (memory.isna() | (memory > 0))
        & jobs["success"]
    )


def _reference(busy: pd.Series[float], limit: float) -> float:
    """Return what the GPU reaches in the jobs that keep it busy; the limit when there are few."""
    good = busy[busy >= limit]
    return float(good.median()) if len(good) >= LEAST_JOBS else limit


def _recommendations(
    jobs: pd.DataFrame, typical: float, reference: float, gain: float
) -> tuple[str, ...]:
    saving = f"about {percent(gain)} of the period's seconds"
    told = []
    fill = float((jobs["vram_peak_mb"] / jobs["vram_total_mb"]).median())
    if np.isfinite(fill) and 0 < fill < _VRAM_FILL / 2:
        batch = jobs["batch_size"].median()
        now = f"from {batch:.0f} " if np.isfinite(batch) else ""
        told.append(
            f"Raise batch_size {now}by up to {_VRAM_FILL / fill:.1f} times: only {percent(fill)} "
            f"of the GPU's memory is used, and at {reference:.0f} % utilisation it saves {saving}."
        )
    cpu = float(jobs["cpu_utilization_avg"].median())
    if np.isfinite(cpu) and cpu > reference:
        told.append(
            f"Take work off the CPU (now {cpu:.0f} % busy): the GPU waits for it; at "
            f"{reference:.0f} % utilisation it saves {saving}."
        )
    if not told:
        told.append(
            f"Feed the GPU faster (a larger batch_size, frames prepared ahead): from {typical:.0f} "
            f"to {reference:.0f} % utilisation saves {saving}."
        )
    return tuple(told)
