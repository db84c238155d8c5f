"""Memory that is nearly full: ``memory_constraint``.

Physical idea: at the end of its memory a device (or host) evicts, swaps or fails. Memory that is
always full may be a cache that keeps what it can and gives it back when asked; so full memory
counts when it does harm, when it is full only at times (then it is the jobs that fill it), or when
it is full to the brim.

Statistics, any of which is enough; near full is a peak of 90 % of the total or more, because an
allocator that works in blocks cannot use the last tenth:

- jobs end with an out-of-memory error: at least three, and by an exact binomial test more than one
  in a hundred;
- jobs near full take longer than like ones of equal work with room
  (:func:`~animatize_assets.performance.bottlenecks.likeness.longer_than_like`);
- a sustained share of jobs is near full
  (:func:`~animatize_assets.performance.bottlenecks.scopes.sustained`), while at least a quarter of
  the jobs of the same model on the same worker had room; or a sustained share is above 95 %.
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
from animatize_assets.performance.bottlenecks.likeness import (
    Comparison,
    longer_than_like,
    work_seconds,
)
from animatize_assets.performance.bottlenecks.scopes import sustained

if TYPE_CHECKING:
    import pandas as pd

FULL_SHARE = 0.90
_BRIM_SHARE = 0.95
"""A cache that gives memory back keeps more free than this."""
_ROOMY_SHARE = 0.80
"""Jobs below it are what near-full jobs are compared with."""
_OUT_OF_MEMORY = r"out.?of.?memory|\boom|oom\b|memoryerror|cannot.?allocate|alloc.*fail"
_LEAST_OUT_OF_MEMORY = 3
_TOLERATED_OUT_OF_MEMORY = 0.01
_SIGNIFICANCE = 0.005
_SLOWER = 1.15
"""Times as long as like jobs; the largest are compared with smaller ones, which is less sure."""
_LEAST_GAIN = 0.01
_WITH_ROOM = 0.25
"""Share of jobs; of a cache that fills once after each start only the first few have room."""


def memory_constraint(period: Period) -> Bottleneck | None:
    """Find jobs that fill the memory, or run out of it."""
    jobs = period.jobs
    if len(jobs) < LEAST_JOBS:
        return None
    fill, ran_out = _fill(jobs), _ran_out(jobs)
    near = fill >= FULL_SHARE
    slower = longer_than_like(
        jobs, work_seconds(jobs), near & jobs["success"], (fill < _ROOMY_SHARE) & jobs["success"]
    )
    if _does_harm(jobs, near, slower) or _too_many(ran_out):
        return _finding(period, near | ran_out, ran_out, fill=fill, slower=slower, where="all jobs")
    known = fill.notna()
    found = sustained(jobs[known], fill[known] >= _BRIM_SHARE)
    found = found or sustained(jobs[known], near[known] & _is_full_at_times(jobs, fill)[known])
    if found is None:
        return None
    rows = np.zeros(len(jobs), dtype=bool)
    rows[np.flatnonzero(known)] = found.scope.rows
    affected = (near & rows) | ran_out
    return _finding(period, affected, ran_out, fill=fill, slower=slower, where=found.scope.label)


def _does_harm(jobs: pd.DataFrame, near: pd.Series[bool], slower: Comparison | None) -> bool:
    if slower is None or slower.ratio < _SLOWER or slower.p_value >= _SIGNIFICANCE:
        return False
    lost = float(jobs.loc[near, "total_time_seconds"].sum()) * (1 - 1 / slower.ratio)
    return lost >= _LEAST_GAIN * float(jobs["total_time_seconds"].sum())


def _is_full_at_times(jobs: pd.DataFrame, fill: pd.Series[float]) -> pd.Series[bool]:
    """Mark the jobs of models that leave a worker room at other times."""
    places = [jobs["worker"], jobs["model"]]
    has_room = (fill < _ROOMY_SHARE).astype("float64")
    with_room = has_room.groupby(places, dropna=False).transform("mean")
    return with_room >= _WITH_ROOM


def _finding(
    period: Period,
    affected: pd.Series[bool],
    ran_out: pd.Series[bool],
    *,
    fill: pd.Series[float],
    slower: Comparison | None,
    where: str,
) -> Bottleneck:
    jobs = period.jobs
    total = jobs["total_time_seconds"]
    lost = float(total[ran_out].sum())
    slow_ratio = slower.ratio if slower is not None and slower.p_value < _SIGNIFICANCE else 1.0
    slow_ratio = max(1.0, slow_ratio)
    kept = float(total[affected & ~ran_out].sum()) * (1 - 1 / slow_ratio)
    gain = clipped((lost + kept) / float(total.sum()))
    typical = float(fill[affected].median())
    out_share = float(ran_out.mean())
    metrics: dict[str, float | int | str] = {
        "out_of_memory_jobs": int(ran_out.sum()),
        "share_of_jobs": float(affected.mean()),
        "limit_share": FULL_SHARE,
        "slowdown": slow_ratio,
        "where": where,
    }
    told = f"{int(affected.sum())} of {len(jobs)} jobs came to the end of the memory ({where})"
    if np.isfinite(typical):
        metrics["memory_share_median"] = typical
        told += f": half of them filled {percent(typical)} or more of it"
    if ran_out.any():
        told += f", and {int(ran_out.sum())} ran out of it"
    if slow_ratio > 1:
        told += f"; they took {slow_ratio:.2f} times as long as like jobs with room"
    return Bottleneck(
        type="memory_constraint",
        severity=_severity(typical, float(affected.mean()), out_share, slow_ratio),
        affected_jobs=int(affected.sum()),
        affected_job_ids=worst_ids(jobs[affected], (fill.fillna(0) + ran_out)[affected]),
        description=told + ".",
        metrics=metrics,
        recommendations=(_recommendation(jobs[affected], gain),),
        expected_gain=gain,
    )


def _fill(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return the fuller of the GPU's and the host's memory, as a share; NaN where not measured."""
    import pandas as pd

    vram = jobs["vram_peak_mb"].fillna(jobs["vram_used_mb"]) / jobs["vram_total_mb"]
    host = jobs["memory_used_mb"] / jobs["memory_total_mb"]
    both = pd.concat([vram, host], axis=1).replace([np.inf, -np.inf], np.nan)
    return both.max(axis=1)


def _ran_out(jobs: pd.DataFrame) -> pd.Series[bool]:
    kinds = jobs["error_type"].astype("string").fillna("")
    found = kinds.str.contains(_OUT_OF_MEMORY, case=False, regex=True)
    return found.astype(bool) & ~jobs["success"]


def _too_many(ran_out: pd.Series[bool]) -> bool:
    from scipy import stats

    count = int(ran_out.sum())
    if count < _LEAST_OUT_OF_MEMORY:
        return False
    test = stats.binomtest(count, len(ran_out), _TOLERATED_OUT_OF_MEMORY, alternative="greater")
    return bool(test.pvalue < _SIGNIFICANCE)


def _severity(fill: float, share: float, out_share: float, slowdown: float) -> float:
    """Return the worst of: how near the end, how many ran out, how much slower."""
    # What is left free shrinks from a tenth: half of it is twice as near.
    free = 1 - FULL_SHARE
    near = free / max(1 - fill, free / 5) if np.isfinite(fill) else 1.0
    return max(
        severity(near, share),
        severity(out_share / _TOLERATED_OUT_OF_MEMORY, 1.0) if out_share else 0.0,
        severity(slowdown, share),
    )


def _recommendation(jobs: pd.DataFrame, gain: float) -> str:
    """Name the size that varies, or else all, and how far it must come down."""
    saving = f"it would save {percent(gain)} of the period's seconds"
    vram = jobs["vram_peak_mb"] / jobs["vram_total_mb"]
    host = jobs["memory_used_mb"] / jobs["memory_total_mb"]
    if not (vram.max() >= host.max() or np.isnan(host.max())):
        return (
            "Lower how many jobs run at once on the host, or give it more memory "
            f"({float(jobs['memory_total_mb'].median()):.0f} MB now); {saving}."
        )
    batch = jobs["batch_size"].median()
    if np.isfinite(batch) and batch > 1:
        least = max(1, int(batch * _ROOMY_SHARE / max(float(vram.median()), _ROOMY_SHARE)))
        return f"Lower batch_size from {batch:.0f} to {min(least, int(batch) - 1)}; {saving}."
    size = (jobs["width"] * jobs["height"]).median()
    if np.isfinite(size):
        return (
            f"Lower width x height (now {size / 1e6:.2f} megapixels in half of these jobs) or "
            f"frame_count, or choose a model of lower precision, until the peak is below "
            f"{percent(_ROOMY_SHARE)}; {saving}."
        )
    return f"Choose a smaller model or a device with more memory; {saving}."
