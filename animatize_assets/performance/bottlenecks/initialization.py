"""Jobs that are slow to begin: ``slow_initialization``.

Physical idea: starting and loading a model makes no picture. It is paid once per job (or once per
worker, when the model stays loaded), whatever the job's size; so a long one is seen as a share of
the job, as a wait of its own, or against how fast like jobs began before or elsewhere.

Statistics, any of which is enough:

- the seconds before work begins are more than a third of the job in a sustained share of jobs
  (:func:`~animatize_assets.performance.bottlenecks.scopes.sustained`), and a quarter in sum;
- they are longer than a person is to wait in a queue (30 s by default), likewise;
- they became longer: against like jobs (model, worker) earlier, or against the same model on other
  workers, by at least half and by a rank test (Mann and Whitney 1947), and that matters in sum.

A single cold start among warm ones is none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from animatize_assets.performance.bottlenecks.findings import (
    LEAST_JOBS,
    Bottleneck,
    Period,
    clipped,
    percent,
    seconds,
    severity,
    worst_ids,
)
from animatize_assets.performance.bottlenecks.scopes import (
    SHORTEST_STRETCH,
    SIGNIFICANCE,
    Scope,
    segments,
    sustained,
    time_stretches,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_LARGE_SHARE = 1 / 3
"""Of the job's seconds: half as long to begin as to work. A fifth is ordinary for short jobs."""
_LARGE_IN_SUM = 0.25
_LEAST_SECONDS = 4.0
"""Starting Python with its libraries, opening a device and reading a small model take so long:
less is not slow, however short the job."""
_LEAST_SHARE_OF_WAIT = 0.10
"""A long wait within a job ten times as long is not its bottleneck."""
_SLOWER = 1.5
_LEAST_GAIN = 0.05
"""Of the part's seconds that a slower beginning must cost to matter."""
_SAME = ("pipeline_type", "provider", "model")


@dataclass(frozen=True)
class _Slow:
    scope: Scope
    beyond: NDArray[np.bool_]
    """Which rows of the period are affected."""
    reference: float
    """Seconds that the beginning could take."""
    ratio: float
    """How far beyond the limit."""
    why: str
    p_value: float


def slow_initialization(period: Period) -> Bottleneck | None:
    """Find beginnings that are long for their jobs, as a wait, or against like ones."""
    before = before_work(period.jobs)
    jobs = period.jobs[before.notna() & period.jobs["success"]]
    if len(jobs) < LEAST_JOBS:
        return None
    before = before[jobs.index]
    found = (
        _large_share(jobs, before)
        or _long_wait(jobs, before, period.thresholds.high_queue_s)
        or _became_longer(period, jobs, before)
    )
    return None if found is None else _finding(period, jobs, before, found)


def before_work(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return the seconds of starting and of loading a model; NaN where neither was measured."""
    parts = jobs[["initialization_time_seconds", "model_load_time_seconds"]]
    return parts.sum(axis=1, min_count=1)


def _large_share(jobs: pd.DataFrame, before: pd.Series[float]) -> _Slow | None:
    share = before / jobs["total_time_seconds"]
    beyond = (share > _LARGE_SHARE) & (before >= _LEAST_SECONDS)
    found = sustained(jobs, beyond)
    if found is None:
        return None
    part, part_total = before[found.scope.rows], jobs["total_time_seconds"][found.scope.rows]
    in_sum = float(part.sum() / part_total.sum())
    if in_sum < _LARGE_IN_SUM:
        return None
    affected = found.scope.rows & beyond.to_numpy()
    working = float((jobs["total_time_seconds"] - before)[affected].median())
    # The beginning of which it would be just a third of the job.
    reference = working * _LARGE_SHARE / (1 - _LARGE_SHARE)
    typical = float(before[affected].median())
    why = f"takes {seconds(typical)} in the middle, and the work itself {seconds(working)}"
    return _Slow(found.scope, affected, reference, typical / reference, why, found.p_value)


def _long_wait(jobs: pd.DataFrame, before: pd.Series[float], limit: float) -> _Slow | None:
    share = before / jobs["total_time_seconds"]
    beyond = (before > limit) & (share > _LEAST_SHARE_OF_WAIT)
    found = sustained(jobs, beyond)
    if found is None:
        return None
    affected = found.scope.rows & beyond.to_numpy()
    typical = float(before[affected].median())
    why = f"takes {seconds(typical)} or more in half of them, {seconds(limit)} is a long wait"
    return _Slow(found.scope, affected, limit, typical / limit, why, found.p_value)


def _became_longer(period: Period, jobs: pd.DataFrame, before: pd.Series[float]) -> _Slow | None:
    from scipy import stats

    found = []
    comparisons = [*_against_earlier(period, jobs), *_within(jobs, before)]
    for scope, likes, how in comparisons:
        part = before[scope.rows]
        if len(likes) < LEAST_JOBS or len(part) < LEAST_JOBS:
            continue
        usual = float(likes.median())
        ratio = float(part.median()) / usual if usual > 0 else np.inf
        cost = float((part - usual).sum()) / float(jobs["total_time_seconds"][scope.rows].sum())
        if ratio < _SLOWER or cost < _LEAST_GAIN:
            continue
        p_value = float(stats.mannwhitneyu(part, likes, alternative="greater").pvalue)
        if p_value < SIGNIFICANCE / len(comparisons):
            beyond = scope.rows & (before > usual).to_numpy()
            why = f"takes {seconds(float(part.median()))} in the middle, {seconds(usual)} {how}"
            found.append(_Slow(scope, beyond, usual, min(ratio, 100.0), why, p_value))
    return min(found, key=lambda each: each.p_value, default=None)


_Compared = tuple[Scope, "pd.Series[float]", str]


def _against_earlier(period: Period, jobs: pd.DataFrame) -> Iterator[_Compared]:
    """Give each model of each worker, with its beginnings before the period."""
    earlier = before_work(period.earlier)
    names, earlier_names = _place(jobs), _place(period.earlier)
    for name in names.unique():
        likes = earlier[earlier_names == name].dropna()
        yield Scope(str(name), (names == name).to_numpy()), likes, "before"


def _place(jobs: pd.DataFrame) -> pd.Series[str]:
    """Return pipeline, provider, model and worker in words."""
    known = jobs[[*_SAME, "worker"]].astype("string").fillna("?")
    return known[_SAME[0]].str.cat(known.drop(columns=_SAME[0]), sep=", ")


def _within(jobs: pd.DataFrame, before: pd.Series[float]) -> Iterator[_Compared]:
    """Give each worker against the others, and each stretch against the rest, for each model."""
    workers = [scope for scope in segments(jobs) if scope.label.startswith("worker ")]
    for members in jobs.groupby(list(_SAME), dropna=False).indices.values():
        if len(members) < 2 * LEAST_JOBS:
            continue
        alike = np.zeros(len(jobs), dtype=bool)
        alike[members] = True
        for scope in workers:
            others = alike & ~scope.rows
            yield Scope(scope.label, alike & scope.rows), before[others], "on other workers"
        if len(members) < 2 * SHORTEST_STRETCH:
            continue
        own = jobs[alike]
        for stretch in time_stretches(own):
            rows = np.zeros(len(jobs), dtype=bool)
            rows[np.flatnonzero(alike)] = stretch.rows
            yield Scope(stretch.label, rows), before[alike & ~rows], "otherwise"


def _finding(
    period: Period, jobs: pd.DataFrame, before: pd.Series[float], found: _Slow
) -> Bottleneck:
    affected, spent = jobs[found.beyond], before[found.beyond]
    saved = float((spent - found.reference).clip(lower=0).sum())
    gain = clipped(saved / float(period.jobs["total_time_seconds"].sum()))
    count, part = len(affected), int(found.scope.rows.sum())
    load = affected["model_load_time_seconds"].fillna(0.0)
    saving = (
        f"with {seconds(found.reference)} per job it saves {percent(gain)} of the period's seconds"
    )
    if float(load.sum()) > float(spent.sum()) / 2:
        advice = (
            "Keep the model loaded between jobs (route one model to one worker), or move its files "
            f"to a faster disk, to shorten model_load_time_seconds: {saving}."
        )
    else:
        advice = (
            "Start the worker once for many jobs, to shorten initialization_time_seconds: "
            f"{saving}."
        )
    return Bottleneck(
        type="slow_initialization",
        severity=severity(found.ratio, count / len(jobs)),
        affected_jobs=count,
        affected_job_ids=worst_ids(affected, spent),
        description=(
            f"Before work begins, starting and loading {found.why} ({found.scope.label}; "
            f"{count} of {part} jobs)."
        ),
        metrics={
            "seconds_before_work_median": float(spent.median()),
            "reference_seconds": found.reference,
            "share_of_seconds": float(spent.sum() / affected["total_time_seconds"].sum()),
            "model_load_share": float(load.sum() / spent.sum()),
            "p_value": found.p_value,
            "where": found.scope.label,
        },
        recommendations=(advice,),
        expected_gain=gain,
    )
