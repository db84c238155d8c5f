"""Jobs that fail: ``high_failure_rate``.

Physical idea: a failed job costs its time and gives nothing. Few jobs say little of a rate, so
the rate must be above the limit (10 % by default) and not be the luck of a healthy machine.

Statistic: exact one-sided binomial test against half the limit (a machine that fails half as often
as is tolerated counts as healthy), for all jobs and, with Bonferroni's correction, for each worker,
model, provider and stretch of time; Wilson's interval (JASA 1927) is told with the rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from animatize_assets.performance.bottlenecks.findings import (
    LEAST_JOBS,
    Bottleneck,
    Period,
    clipped,
    percent,
    severity,
    worst_ids,
)
from animatize_assets.performance.bottlenecks.scopes import Sustained, sustained

if TYPE_CHECKING:
    import pandas as pd


def high_failure_rate(period: Period) -> Bottleneck | None:
    """Find a part of the period in which more jobs fail than is tolerated."""
    from scipy import stats

    jobs, limit = period.jobs, period.thresholds.failure_rate
    if len(jobs) < LEAST_JOBS:
        return None
    failed = ~jobs["success"]
    found = sustained(jobs, failed, least_share=limit, tolerated=limit / 2)
    if found is None or found.share <= limit:
        return None
    part = jobs[found.scope.rows]
    lost = part[~part["success"]]
    interval = stats.binomtest(found.beyond, found.jobs).proportion_ci(method="wilson")
    wasted = float(lost["total_time_seconds"].sum())
    gain = clipped(wasted / float(jobs["total_time_seconds"].sum()))
    return Bottleneck(
        type="high_failure_rate",
        severity=severity(found.share / limit, _prevalence(found, len(jobs))),
        affected_jobs=found.beyond,
        affected_job_ids=worst_ids(lost, lost["total_time_seconds"]),
        description=(
            f"{found.beyond} of {found.jobs} jobs failed ({found.scope.label}): "
            f"{percent(found.share)}, with 95 % confidence {percent(interval.low)} to "
            f"{percent(interval.high)}; {percent(limit)} is tolerated."
        ),
        metrics={
            "failure_rate": found.share,
            "failure_rate_low": float(interval.low),
            "failure_rate_high": float(interval.high),
            "limit": limit,
            "seconds_lost": wasted,
            "p_value": found.p_value,
            "where": found.scope.label,
        },
        recommendations=_recommendations(lost, found, gain),
        expected_gain=gain,
    )


def _prevalence(found: Sustained, jobs: int) -> float:
    return found.jobs / jobs


def _recommendations(lost: pd.DataFrame, found: Sustained, gain: float) -> tuple[str, ...]:
    saving = f"{percent(gain)} of the period's seconds went into failed jobs"
    told = []
    kinds = lost["error_type"].value_counts()
    if len(kinds):
        kind, count = kinds.index[0], int(kinds.iloc[0])
        told.append(
            f"Look at error_type {kind} first: {count} of the {found.beyond} failures "
            f"({percent(count / found.beyond)}); {saving}."
        )
    if found.scope.label != "all jobs":
        told.append(f"Send no jobs to {found.scope.label} until it is repaired; {saving}.")
    if not told:
        told.append(f"Record error_type with each failure, to tell their cause; {saving}.")
    return tuple(told)
