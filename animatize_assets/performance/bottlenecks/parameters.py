"""Parameters that cost time and bring nothing: ``suboptimal_parameters``.

Physical idea: time is proportional to the sampling steps (each is one evaluation of the network;
a second-order sampler makes two), quality is not: it saturates. Published curves are flat from 50
steps on (DDIM, Song et al. 2021; EDM, Karras et al. 2022, at 35; DPM-Solver++, Lu et al. 2022, at
20). Size and length are what was asked for, so a job is never blamed for them.

Statistic, within one pipeline, job type and model: jobs with at least one and a half times the
steps that like jobs use (at most 50 are taken as useful), that are above 50, or above the limit of
a slow job (120 s image, 300 s video) and would be below it with the usual steps; sustained by
:func:`~animatize_assets.performance.bottlenecks.scopes.sustained`. Likewise a sampler that takes
one and a half times as long as the usual one for equal work. Jobs that persons rate higher than
the others (one-sided rank test) are not suboptimal; a sampler is blamed only when ratings were
given and are not higher, or when it makes jobs slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from animatize_assets.performance.bottlenecks.likeness import (
    LIKE,
    longer_than_like,
    work_seconds,
)
from animatize_assets.performance.bottlenecks.scopes import sustained

if TYPE_CHECKING:
    import pandas as pd

SATURATED_STEPS = 50.0
_MANY = 1.5
"""Times the usual steps; and times the usual sampler's seconds."""
_LEAST_GAIN = 0.10
"""Of the part's seconds."""
_LEAST_RATED = 5
_RATED_HIGHER = 0.05
"""p-value from which ratings count as higher: the jobs get the benefit of the doubt."""
_SIGNIFICANCE = 0.01
_GROUP = ("pipeline_type", "job_type", "provider", "model")
_LIKE_SAMPLERS = tuple(name for name in LIKE if name != "sampler")


@dataclass(frozen=True)
class _Costly:
    parameter: str
    now: str
    better: str
    affected: pd.DataFrame
    part: int
    """Jobs that were judged."""
    ratio: float
    saved: pd.Series[float]
    """Seconds per affected job."""
    where: str
    rated: str


def suboptimal_parameters(period: Period) -> Bottleneck | None:
    """Find jobs whose steps or sampler cost much more than they bring."""
    jobs = period.jobs[period.jobs["success"]]
    if len(jobs) < LEAST_JOBS:
        return None
    found = _too_many_steps(period, jobs) or _costly_sampler(period, jobs)
    return None if found is None else _finding(period, found)


def _too_many_steps(period: Period, jobs: pd.DataFrame) -> _Costly | None:
    known = jobs[jobs["steps"].notna()]
    if len(known) < LEAST_JOBS:
        return None
    usual = _usual_steps(period, known)
    times = known["steps"] / usual
    total = known["total_time_seconds"]
    saved = _stepped_seconds(known) * (1 - 1 / times)
    slow = _slow_limit(period, known)
    costly = (known["steps"] > SATURATED_STEPS) | ((total > slow) & (total - saved <= slow))
    beyond = (times >= _MANY) & costly & ~_rated_higher(known, times >= _MANY)
    found = sustained(known, beyond)
    if found is None:
        return None
    rows = found.scope.rows & beyond.to_numpy()
    affected = known[rows]
    if float(saved[rows].sum()) < _LEAST_GAIN * float(total[found.scope.rows].sum()):
        return None
    return _Costly(
        parameter="steps",
        now=f"{affected['steps'].median():.0f}",
        better=f"{usual[rows].median():.0f}",
        affected=affected,
        part=found.jobs,
        ratio=float(times[rows].median()),
        saved=saved[rows],
        where=found.scope.label,
        rated=_rating_words(affected, known[~rows]),
    )


def _usual_steps(period: Period, jobs: pd.DataFrame) -> pd.Series[float]:
    """Return what like jobs use, earlier ones included; at most where quality saturates."""
    import pandas as pd

    seen = pd.concat([period.earlier, jobs], ignore_index=True)
    medians = seen.groupby(list(_GROUP), dropna=False)["steps"].transform("median")
    usual: pd.Series[float] = medians.iloc[len(period.earlier) :].clip(upper=SATURATED_STEPS)
    return usual.set_axis(jobs.index)


def _stepped_seconds(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return the seconds that are proportional to the steps: those of processing."""
    measured = jobs["processing_time_seconds"]
    return measured.fillna(work_seconds(jobs)).fillna(jobs["total_time_seconds"])


def _slow_limit(period: Period, jobs: pd.DataFrame) -> pd.Series[float]:
    limits = {"image": period.thresholds.slow_image_s, "video": period.thresholds.slow_video_s}
    return jobs["pipeline_type"].map(limits).astype("float64")


def _rated_higher(jobs: pd.DataFrame, beyond: pd.Series[bool]) -> pd.Series[bool]:
    """Mark the jobs of groups in which those beyond are rated higher than the others."""
    import pandas as pd

    marked = pd.Series(False, index=jobs.index)
    for members in jobs.groupby(list(_GROUP), dropna=False).groups.values():
        ratings, is_beyond = jobs.loc[members, "user_rating"], beyond[members]
        p_value = _rating_test(ratings[is_beyond], ratings[~is_beyond])
        marked[members] = p_value is not None and p_value < _RATED_HIGHER
    return marked


def _rating_test(ours: pd.Series[float], theirs: pd.Series[float]) -> float | None:
    """Return the p-value of 'ours are rated higher'; None with too few ratings."""
    from scipy import stats

    ours, theirs = ours.dropna(), theirs.dropna()
    if min(len(ours), len(theirs)) < _LEAST_RATED:
        return None
    return float(stats.mannwhitneyu(ours, theirs, alternative="greater").pvalue)


def _rating_words(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    mine, others = ours["user_rating"].dropna(), theirs["user_rating"].dropna()
    if min(len(mine), len(others)) < _LEAST_RATED:
        return "no rating says that it is worth it"
    return f"rated {mine.mean():.1f} on average, the others {others.mean():.1f}"


def _costly_sampler(period: Period, jobs: pd.DataFrame) -> _Costly | None:
    known = jobs[jobs["sampler"].notna()]
    counts = known["sampler"].value_counts()
    if len(counts) < 2 or len(known) < 2 * LEAST_JOBS:
        return None
    usual = known["sampler"] == counts.index[0]
    found = [
        costly
        for name in counts.index[1:]
        if (costly := _against_usual(period, known, str(name), str(counts.index[0]), usual))
    ]
    return max(found, key=lambda each: float(each.saved.sum()), default=None)


def _against_usual(
    period: Period, jobs: pd.DataFrame, name: str, usual_name: str, usual: pd.Series[bool]
) -> _Costly | None:
    ours = jobs["sampler"] == name
    compared = longer_than_like(jobs, work_seconds(jobs), ours, usual, columns=_LIKE_SAMPLERS)
    if compared is None or compared.ratio < _MANY or compared.p_value >= _SIGNIFICANCE:
        return None
    mine = jobs[ours]
    saved = _stepped_seconds(mine) * (1 - 1 / compared.ratio)
    if float(saved.sum()) < _LEAST_GAIN * float(jobs["total_time_seconds"].sum()):
        return None
    p_value = _rating_test(mine["user_rating"], jobs.loc[usual, "user_rating"])
    total, slow = mine["total_time_seconds"], _slow_limit(period, mine)
    makes_slow = sustained(mine, (total > slow) & (total - saved <= slow), stretches=False)
    is_for_nothing = p_value is not None and p_value > 0.5
    if p_value is not None and p_value < _RATED_HIGHER:
        return None
    if not is_for_nothing and makes_slow is None:
        return None
    return _Costly(
        parameter="sampler",
        now=name,
        better=usual_name,
        affected=mine,
        part=len(jobs),
        ratio=compared.ratio,
        saved=saved,
        where="all jobs",
        rated=_rating_words(mine, jobs[usual]),
    )


def _finding(period: Period, found: _Costly) -> Bottleneck:
    saved = float(found.saved.sum())
    gain = clipped(saved / float(period.jobs["total_time_seconds"].sum()))
    count = len(found.affected)
    each = float(found.saved.median())
    return Bottleneck(
        type="suboptimal_parameters",
        severity=severity(found.ratio, count / len(period.jobs)),
        affected_jobs=count,
        affected_job_ids=worst_ids(found.affected, found.saved),
        description=(
            f"{count} of {found.part} jobs ({found.where}) use {found.parameter} {found.now} where "
            f"{found.better} is enough, and {found.rated}; half of them spend {seconds(each)} or "
            "more on it."
        ),
        metrics={
            "parameter": found.parameter,
            "value": found.now,
            "recommended": found.better,
            "cost_ratio": found.ratio,
            "seconds_saved": saved,
            "share_of_jobs": count / found.part,
            "where": found.where,
        },
        recommendations=(
            (
                f"Change {found.parameter} from {found.now} to {found.better}: it saves "
                f"{seconds(each)} per job, {percent(gain)} of the period's seconds."
            ),
        ),
        expected_gain=gain,
    )
