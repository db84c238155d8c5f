"""Jobs that wait before they start: ``high_queue_time``.

Physical idea: a wait is not work. A busy hour makes jobs wait and passes; a queue that is long
outside of it lacks places, or is held up by something else.

Statistic: how many jobs waited longer than the limit (30 s by default), by
:func:`~animatize_assets.performance.bottlenecks.scopes.sustained`, after the jobs of the worst
hour and a half were set aside. The gain of more places is estimated by a replay of the same
arrivals and the same durations through a first-come-first-served queue with more of them
(Kendall's G/G/c).
"""

from __future__ import annotations

import bisect
import heapq
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
from animatize_assets.performance.bottlenecks.scopes import Scope, Sustained, sustained

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_BUSY_HOUR_S = 5400.0
"""A busy hour and the half hour in which its queue drains."""
_LEAST_REST = 0.2
"""When less of the jobs is outside the busy hour, the period is too short to tell one."""
_REPRODUCED = 0.5
"""A replay that gives less than this share of the wait shows that places are not what lacks."""
_SAME_INSTANT_S = 0.001
"""A job that begins when another ends runs after it, whatever rounding says."""
_SHORT_WAITS = 0.95
"""Share of the jobs whose wait must be within the limit for places to be enough."""
_MOST_PLACES = 8
"""Times the places of now: more are not tried."""


def high_queue_time(period: Period) -> Bottleneck | None:
    """Find a sustained wait beyond the limit."""
    limit = period.thresholds.high_queue_s
    jobs = period.jobs[period.jobs["queue_time_seconds"].notna()]
    if len(jobs) < LEAST_JOBS:
        return None
    waited = jobs["queue_time_seconds"]
    found = _outside_the_busy_hour(jobs, waited > limit)
    if found is None:
        return None
    part = jobs[found.scope.rows]
    long = part["queue_time_seconds"] > limit
    waits = part.loc[long, "queue_time_seconds"]
    all_seconds = float((waited + jobs["total_time_seconds"]).sum())
    gain = clipped(float((waits - limit).sum()) / all_seconds)
    places, enough = _places(part, limit)
    metrics: dict[str, float | int | str] = {
        "queue_time_median": float(waits.median()),
        "limit_seconds": limit,
        "share_of_jobs": float(long.mean()),
        "p_value": found.p_value,
        "where": found.scope.label,
        "places": places,
    }
    if enough is not None:
        metrics["places_enough"] = enough
    return Bottleneck(
        type="high_queue_time",
        severity=severity(float(waits.median()) / limit, len(waits) / len(jobs)),
        affected_jobs=int(long.sum()),
        affected_job_ids=worst_ids(part[long], waits),
        description=(
            f"{int(long.sum())} of {len(part)} jobs ({found.scope.label}) waited longer than "
            f"{seconds(limit)}, half of those longer than {seconds(float(waits.median()))}, and "
            "not only in one busy hour."
        ),
        metrics=metrics,
        recommendations=(_recommendation(places, enough, gain, limit),),
        expected_gain=gain,
    )


def _outside_the_busy_hour(jobs: pd.DataFrame, long: pd.Series[bool]) -> Sustained | None:
    rest = ~_worst_hour(jobs, long)
    if rest.sum() < max(LEAST_JOBS, _LEAST_REST * len(jobs)):
        return sustained(jobs, long, least_share=0.5, stretches=False)
    found = sustained(jobs[rest], long[rest])
    if found is None:
        return None
    rows = np.zeros(len(jobs), dtype=bool)
    rows[np.flatnonzero(rest)] = found.scope.rows
    if found.scope.label == "all jobs":
        rows[:] = True
    return Sustained(Scope(found.scope.label, rows), found.jobs, found.beyond, found.p_value)


def _worst_hour(jobs: pd.DataFrame, long: pd.Series[bool]) -> NDArray[np.bool_]:
    """Mark the jobs submitted in the hour and a half with the most long waits."""
    asked = jobs["submitted_at"].astype("int64").to_numpy() / _nanos_per_second(jobs)
    order = np.argsort(asked, kind="stable")
    ordered = asked[order]
    sums = np.concatenate([[0], np.cumsum(long.to_numpy()[order])])
    ends = np.searchsorted(ordered, ordered + _BUSY_HOUR_S, side="right")
    first = int(np.argmax(sums[ends] - sums[np.arange(len(ordered))]))
    marked = np.zeros(len(jobs), dtype=bool)
    marked[order[first : ends[first]]] = True
    return marked


def _nanos_per_second(jobs: pd.DataFrame) -> float:
    import pandas as pd

    unit = pd.Timedelta(1, unit="s").as_unit(jobs["submitted_at"].dt.unit)
    return float(unit.asm8.astype("int64"))


def _places(jobs: pd.DataFrame, limit: float) -> tuple[int, int | None]:
    """Return how many jobs ran at once, and how many at once would have kept waits short.

    None: no number tried is enough, or the replay with the places of now does not show the wait
    that was measured, so something else holds the queue up.
    """
    start = jobs["submitted_at"] + _as_time(jobs["queue_time_seconds"])
    arrival = _in_seconds(jobs["submitted_at"])
    begin, work = _in_seconds(start), jobs["total_time_seconds"].to_numpy()
    places = _most_at_once(begin, begin + work)
    measured = float(jobs["queue_time_seconds"].mean())
    if _replayed(arrival, work, places).mean() < _REPRODUCED * measured:
        return places, None
    tried = range(places + 1, _MOST_PLACES * places + 1)

    def is_enough(count: int) -> bool:
        return bool((_replayed(arrival, work, count) <= limit).mean() >= _SHORT_WAITS)

    # With another place no job of such a queue waits longer (Kiefer and Wolfowitz 1955).
    first = bisect.bisect_left(tried, True, key=is_enough)
    return places, tried[first] if first < len(tried) else None


def _as_time(values: pd.Series[float]) -> pd.Series[pd.Timedelta]:
    import pandas as pd

    return pd.to_timedelta(values, unit="s")


def _in_seconds(times: pd.Series[pd.Timestamp]) -> NDArray[np.float64]:
    return np.asarray((times - times.min()).dt.total_seconds(), dtype=np.float64)


def _most_at_once(begin: NDArray[np.float64], end: NDArray[np.float64]) -> int:
    """Return the 95th percentile of how many jobs run when one begins: an odd overlap is noise."""
    running = np.searchsorted(np.sort(begin), begin, side="right") - np.searchsorted(
        np.sort(end) - _SAME_INSTANT_S, begin, side="right"
    )
    return max(1, int(np.quantile(running, 0.95)))


def _replayed(
    arrival: NDArray[np.float64], work: NDArray[np.float64], places: int
) -> NDArray[np.float64]:
    """Return the wait of each job in a first-come-first-served queue with so many places."""
    free = [0.0] * places
    order = np.argsort(arrival, kind="stable")
    waited = []
    # Lists: numbers of an array are slow one by one.
    for came, takes in zip(arrival[order].tolist(), work[order].tolist(), strict=True):
        begin = max(came, free[0])
        waited.append(begin - came)
        heapq.heapreplace(free, begin + takes)
    waits = np.empty(len(arrival))
    waits[order] = waited
    return waits


def _recommendation(places: int, enough: int | None, gain: float, limit: float) -> str:
    saving = f"{percent(gain)} of the time that people wait for jobs"
    if enough is None:
        return (
            f"Look at what holds the queue up: replayed with the {places} jobs at once of now, the "
            f"same jobs do not explain their wait. Waits of at most {seconds(limit)} save {saving}."
        )
    return (
        f"Raise the number of jobs at once (workers, max_concurrent_runs or the pool's limit) from "
        f"{places} to {enough}: replayed so, 95 % of the same jobs wait at most {seconds(limit)}, "
        f"which saves {saving}."
    )
