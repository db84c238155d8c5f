"""Jobs that disturb each other: ``resource_contention``.

Physical idea: two jobs at once on one device share its clock, memory and bus. Running together is
no fault as long as neither takes longer; contention is when the same work takes longer in company
than alone.

Statistic: jobs that ran with others on their worker are compared with like jobs of equal work that
ran alone (:func:`~animatize_assets.performance.bottlenecks.likeness.longer_than_like`). Company is
counted over the time that a job was *expected* to take, not over what it took: a job that is late
for another reason meets more others, and would look as if these had made it late (length-biased
sampling, Cox 1969). When no job ran alone, the ones in most company are compared with those in
least; when all ran in the same company, with what was promised at submission.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    LIKE,
    elasticity,
    like_groups,
    log_of,
    longer_than_like,
    work,
    work_seconds,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_LIKE_HERE = (*LIKE, "worker")
_ALONE = 0.1
_TOGETHER = 0.5
"""Other jobs, on average over the expected time of the job."""
_SLOWER = 1.10
"""Below, company costs less than it brings."""
_SIGNIFICANCE = 0.005
_LEAST_GAIN = 0.01
"""Of the period's seconds; a few jobs that met by chance are no bottleneck."""
_MORE_COMPANY = 1.3
"""So many times more jobs at once must the one side have for the two to differ at all."""


@dataclass(frozen=True)
class _Contention:
    affected: pd.Series[bool]
    excess: pd.Series[float]
    ratio: float
    p_value: float
    against: str


def resource_contention(period: Period) -> Bottleneck | None:
    """Find work that takes longer because of other jobs on the same worker."""
    import pandas as pd

    if len(period.jobs) < LEAST_JOBS:
        return None
    is_busy = period.both["cpu_utilization_avg"] > period.thresholds.high_cpu_percent
    jobs = period.both.assign(cpu_is_busy=is_busy)
    is_now = pd.Series(np.arange(len(jobs)) >= len(period.earlier), index=jobs.index)
    spent = work_seconds(jobs).where(jobs["success"])
    others = company(jobs)
    shared = jobs["gpu_attribution"] == "shared"
    together = (others >= _TOGETHER) | shared
    alone = (others < _ALONE) & ~shared
    found = (
        _against_alone(jobs, spent, together & is_now, alone)
        or _by_dose(jobs, spent, others, is_now)
        or _against_promises(jobs, together & is_now, alone)
    )
    if found is None or found.ratio < _SLOWER or found.p_value >= _SIGNIFICANCE:
        return None
    lost = float(jobs.loc[found.affected, "total_time_seconds"].sum()) * (1 - 1 / found.ratio)
    gain = clipped(lost / float(period.jobs["total_time_seconds"].sum()))
    return _finding(period, jobs, others, found, gain) if gain >= _LEAST_GAIN else None


def company(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return how many other jobs ran at the same place, averaged over each job's expected time.

    The place is the worker; where it is not recorded, the provider.
    """
    import pandas as pd

    start = _started(jobs)
    length = _expected_seconds(jobs).clip(upper=jobs["total_time_seconds"])
    place = jobs["worker"].fillna(jobs["provider"]).fillna("?")
    found = pd.Series(0.0, index=jobs.index)
    for members in jobs.groupby(place).groups.values():
        begin = start[members].to_numpy(dtype="float64")
        found[members] = _average_others(begin, begin + length[members].to_numpy(dtype="float64"))
    return found


def _started(jobs: pd.DataFrame) -> pd.Series[float]:
    import pandas as pd

    took = pd.to_timedelta(jobs["total_time_seconds"], unit="s")
    start = jobs["started_at"].fillna(jobs["finished_at"] - took)
    since_first: pd.Series[float] = (start - start.min()).dt.total_seconds()
    return since_first


def _expected_seconds(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return what each job takes undisturbed: as the fast quarter of like jobs, for its work."""
    took = log_of(jobs["total_time_seconds"])
    size = log_of(work(jobs))
    groups = like_groups(jobs, _LIKE_HERE)
    power = elasticity(took, size, groups)
    per_work = took - power * size
    usual = groups.map(per_work.groupby(groups).quantile(0.25))
    expected: pd.Series[float] = (usual + power * size).map(math.exp)
    return expected


def _average_others(
    begin: NDArray[np.floating[Any]], end: NDArray[np.floating[Any]]
) -> NDArray[np.floating[Any]]:
    """Return the mean number of other intervals open during each interval, in O(n log n)."""
    begins, ends = np.sort(begin), np.sort(end)
    begin_sums, end_sums = np.cumsum(begins), np.cumsum(ends)

    def past(
        sorted_times: NDArray[np.floating[Any]],
        sums: NDArray[np.floating[Any]],
        at: NDArray[np.floating[Any]],
    ) -> NDArray[np.floating[Any]]:
        """Return the sum over all times before ``at`` of how long ago they were."""
        count = np.searchsorted(sorted_times, at, side="right")
        before = np.where(count > 0, sums[np.maximum(count - 1, 0)], 0.0)
        return np.asarray(count * at - before, dtype=np.float64)

    def job_seconds(at: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        return past(begins, begin_sums, at) - past(ends, end_sums, at)

    own = np.maximum(end - begin, 1e-9)
    return np.asarray((job_seconds(end) - job_seconds(begin)) / own - 1, dtype=np.float64).clip(
        min=0
    )


def _against_alone(
    jobs: pd.DataFrame, spent: pd.Series[float], together: pd.Series[bool], alone: pd.Series[bool]
) -> _Contention | None:
    # A machine that is slow for another reason has a backlog, so its jobs also run together.
    same_load = (*_LIKE_HERE, "cpu_is_busy")
    compared = longer_than_like(jobs, spent, together, alone, columns=same_load)
    compared = compared or longer_than_like(jobs, spent, together, alone, columns=_LIKE_HERE)
    if compared is None:
        return None
    return _Contention(
        together & spent.notna(),
        compared.excess,
        compared.ratio,
        compared.p_value,
        "like jobs that ran alone",
    )


def _by_dose(
    jobs: pd.DataFrame, spent: pd.Series[float], others: pd.Series[float], is_now: pd.Series[bool]
) -> _Contention | None:
    least, most = others.quantile([1 / 3, 2 / 3])
    low, high = others <= least, others >= most
    if (1 + others[high].median()) < _MORE_COMPANY * (1 + others[low].median()):
        return None
    compared = longer_than_like(jobs, spent, high & is_now, low, columns=_LIKE_HERE)
    if compared is None:
        return None
    return _Contention(
        high & is_now & spent.notna(),
        compared.excess,
        compared.ratio,
        compared.p_value,
        "like jobs in less company",
    )


def _against_promises(
    jobs: pd.DataFrame, together: pd.Series[bool], alone: pd.Series[bool]
) -> _Contention | None:
    from scipy import stats

    if alone.sum() >= LEAST_JOBS:  # then the comparison with those is the better one
        return None
    kept = together & jobs["success"] & (jobs["predicted_seconds"] > 0)
    if kept.sum() < LEAST_JOBS:
        return None
    excess = log_of(jobs["total_time_seconds"] / jobs["predicted_seconds"])[kept]
    # Within +-20 % a promise is as good as promised, so the company must cost more than that.
    test = stats.wilcoxon(excess - np.log(1.2), alternative="greater")
    return _Contention(
        kept, excess, float(np.exp(excess.median())), float(test.pvalue), "what was promised"
    )


def _finding(
    period: Period,
    jobs: pd.DataFrame,
    others: pd.Series[float],
    found: _Contention,
    gain: float,
) -> Bottleneck:
    affected = jobs[found.affected]
    count = len(affected)
    at_once = 1 + float(others[found.affected].median())
    workers = affected["worker"].dropna().value_counts()
    where = f"worker {workers.index[0]}" if len(workers) == 1 else f"{len(workers)} workers"
    named = found.excess[found.excess.index.isin(affected.index)]
    return Bottleneck(
        type="resource_contention",
        severity=severity(found.ratio, count / len(period.jobs)),
        affected_jobs=count,
        affected_job_ids=worst_ids(affected.loc[named.index], named),
        description=(
            f"{count} of {len(period.jobs)} jobs ran with others on {where} and took "
            f"{found.ratio:.2f} times as long as {found.against}."
        ),
        metrics={
            "slowdown": found.ratio,
            "jobs_at_once_median": at_once,
            "share_of_jobs": count / len(period.jobs),
            "compared_with": found.against,
            "p_value": found.p_value,
        },
        recommendations=(
            f"Lower how many jobs run at once on a worker (max_concurrent_runs or the pool's "
            f"limit; about {at_once:.1f} now): each takes {percent(1 - 1 / found.ratio)} less "
            f"time alone, {percent(gain)} of the period's job seconds."
            + _throughput(at_once, found.ratio),
        ),
        expected_gain=gain,
    )


def _throughput(at_once: float, ratio: float) -> str:
    if at_once > ratio:
        return (
            f" Together they still finish more per hour ({at_once / ratio:.2f} times), so do it "
            "where the time of one job matters more."
        )
    return f" Together they finish only {at_once / ratio:.2f} times as many per hour."
