"""Parameters that cost time and bring nothing: ``suboptimal_parameters``.

Physical idea: time is proportional to the sampling steps (each is one evaluation of the network;
a second-order sampler makes two), quality is not: it saturates. Published curves are flat from 50
steps on (DDIM, Song et al. 2021; EDM, Karras et al. 2022, at 35; DPM-Solver++, Lu et al. 2022, at
20). Size and length are what was asked for, so a job is never blamed for them.

Statistic, within one pipeline, job type and model: jobs with at least one and a half times the
steps that a quarter of like jobs get by with (at most 50 are taken as useful), that are above 50;
or more than twice those steps, in a job above the limit of a slow one (120 s image, 300 s video)
that would be below it with them; or more than two and a half times those steps, of which ratings
show that nobody likes them better (a model distilled to four steps needs no thirty). Sustained by
:func:`~animatize_assets.performance.bottlenecks.scopes.sustained`. Likewise a sampler that takes
one and a half times as long as the usual one for equal work, when it makes jobs slow or ratings
show that it is for nothing. Jobs that persons rate higher than the others (one-sided rank test,
Mann and Whitney 1947) are not suboptimal.
"""

from __future__ import annotations

from collections.abc import Callable
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
_MANY_FOR_SLOW = 2.0
"""Times the usual steps: a large job with somewhat more is slow because it is large."""
_OUT_OF_RANGE = 2.5
"""Times the usual steps, where only ratings speak against them: guides recommend 20 to 50."""
_LEAST_COSTLY = 0.2
"""Share of jobs: each of them wastes its seconds for certain, and what that adds up to counts."""
_LEAST_GAIN = 0.05
"""Of the part's seconds."""
_LEAST_RATED = 5
_RATED_HIGHER = 0.01
"""p-value from which ratings count as higher: the jobs get the benefit of the doubt."""
_LEAST_FOR_NOTHING = 10
"""Ratings on both sides that show that something is for nothing."""
_NOTICED = 0.5
"""Stars of the mean rating: half a star is the least that is shown."""
_SURELY = 0.2
"""p-value from which a gain counts as smaller than that (Welch 1947): one in five may be luck, and
what is recommended is only to try fewer."""
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
    makes_slow = (times > _MANY_FOR_SLOW) & (total > slow) & (total - saved <= slow)
    costly = (known["steps"] > SATURATED_STEPS) | makes_slow
    beyond = (times >= _MANY) & costly & ~_rated(known, times >= _MANY, _higher)
    found = sustained(known, beyond, least_share=_LEAST_COSTLY, tolerated=_LEAST_COSTLY / 2)
    if found is None:
        # Steps that are neither too many by the books nor slow: only ratings can tell.
        many = times > _OUT_OF_RANGE
        beyond = many & _rated(known, many, _for_nothing) & ~_rated(known, many, _higher)
        found = sustained(known, beyond, least_share=_LEAST_COSTLY, tolerated=_LEAST_COSTLY / 2)
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
    """Return the steps that a quarter of like jobs get by with; at most where quality saturates.

    Jobs before the period count too, so that steps which everybody raised last week are seen.
    """
    import pandas as pd

    columns = [*_GROUP, "steps"]
    seen = pd.concat([period.earlier[columns], jobs[columns]], ignore_index=True)
    group = seen.groupby(list(_GROUP), dropna=False).ngroup()
    usual = group.map(seen["steps"].groupby(group).quantile(0.25))
    own: pd.Series[float] = usual.iloc[len(period.earlier) :].clip(upper=SATURATED_STEPS)
    return own.set_axis(jobs.index)


def _stepped_seconds(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return the seconds that are proportional to the steps: those of processing."""
    measured = jobs["processing_time_seconds"]
    return measured.fillna(work_seconds(jobs)).fillna(jobs["total_time_seconds"])


def _slow_limit(period: Period, jobs: pd.DataFrame) -> pd.Series[float]:
    limits = {"image": period.thresholds.slow_image_s, "video": period.thresholds.slow_video_s}
    return jobs["pipeline_type"].map(limits).astype("float64")


def _rated(
    jobs: pd.DataFrame,
    beyond: pd.Series[bool],
    verdict: Callable[[pd.Series[float], pd.Series[float]], bool],
) -> pd.Series[bool]:
    """Mark the jobs of groups for which the ratings of those beyond and of the others say so."""
    import pandas as pd

    marked = pd.Series(False, index=jobs.index)
    for members in jobs.groupby(list(_GROUP), dropna=False).groups.values():
        ratings, is_beyond = jobs.loc[members, "user_rating"], beyond[members]
        marked[members] = verdict(ratings[is_beyond].dropna(), ratings[~is_beyond].dropna())
    return marked


def _higher(ours: pd.Series[float], theirs: pd.Series[float]) -> bool:
    """Tell whether ours are surely rated higher."""
    from scipy import stats

    if min(len(ours), len(theirs)) < _LEAST_RATED:
        return False
    test = stats.mannwhitneyu(ours, theirs, alternative="greater")
    return bool(test.pvalue < _RATED_HIGHER)


def _for_nothing(ours: pd.Series[float], theirs: pd.Series[float]) -> bool:
    """Tell whether ours are surely not rated noticeably higher."""
    from scipy import stats

    if min(len(ours), len(theirs)) < _LEAST_FOR_NOTHING:
        return False
    difference = float(ours.mean() - theirs.mean())
    if ours.nunique() == theirs.nunique() == 1:  # no spread to test with
        return difference < _NOTICED
    test = stats.ttest_ind(ours - _NOTICED, theirs, equal_var=False, alternative="less")
    return bool(test.pvalue < _SURELY)


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
    ratings = mine["user_rating"].dropna(), jobs.loc[usual, "user_rating"].dropna()
    total, slow = mine["total_time_seconds"], _slow_limit(period, mine)
    makes_slow = sustained(mine, (total > slow) & (total - saved <= slow), stretches=False)
    if _higher(*ratings) or (makes_slow is None and not _for_nothing(*ratings)):
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
