"""When a whole list of jobs is done, given how many run at once.

The method is simulation of list scheduling (Graham, 1969): jobs start in the order of the list,
each at the place of its provider that is free first; providers work beside each other. In each draw
every job takes its estimate times a log-normal error with the job's own interval, one deviation
above and another below. The errors of a list go together in part, for its jobs share the hour and
the machine: the normal score of a job is ``sqrt(rho) g + sqrt(1 - rho) e`` with one ``g`` per draw
(a one-factor model). Without it errors would cancel out in a long list: at rho = 0.1 the interval
of 500 jobs would be seven times too narrow.

Belongs here: the schedule and its draws. Does not belong here: the estimates (``estimator``), money
(the quote of the generation room).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from animatize_assets.performance.models import Count, Estimate, Seconds
from animatize_assets.records import Measured, Record

Floats = NDArray[np.float64]

SHARED = 0.10
"""``rho``: the share of the variance of ln(time) that jobs of one list have in common, until it is
measured (:func:`shared_share`). Residuals of the public AI Horde timings have 0.11 in common within
10 jobs in a row, 0.07 within 20 and 0.05 within 100 (gradient boosting, 5 folds)."""

DRAWS = 300
"""The 10 % quantile of as many draws has an error of 1.7 percentage points."""

LEVEL = 0.80

_SEED = 20_260_601
_NORMAL_80 = 1.2815515655446004


@dataclass(frozen=True)
class PlannedJob:
    """A job of the list."""

    job_id: str
    estimate: Estimate
    provider: str = ""
    """Whose places it waits for; empty: those of all that name none."""


class JobFinish(Record):
    """When one job of a list starts and ends, in seconds from the start of the list."""

    job_id: str
    start_seconds: Seconds
    finish_seconds: Seconds
    interval_80: tuple[Seconds, Seconds] | None = Field(description="of the finish")


class BatchEstimate(Record):
    """When a list is done. Medians and middle 80 % of the draws."""

    seconds: Seconds = Field(description="from the start of the first job to the end of the last")
    interval_80: tuple[Seconds, Seconds] | None = Field(
        description="None when a job of the list has no interval"
    )
    work_seconds: Seconds = Field(description="sum of the estimates")
    jobs: tuple[JobFinish, ...]
    learned_from: Count = Field(description="fewest finished jobs behind any of the estimates")
    shared: Measured = Field(description="share of the variance that the jobs have in common")


def finishing_time(
    planned: Sequence[PlannedJob],
    concurrency: int | Mapping[str, int],
    *,
    shared: float = SHARED,
    draws: int = DRAWS,
) -> BatchEstimate:
    """Return when the jobs of ``planned`` are done if the first starts now.

    ``concurrency``: how many run at once, of each provider. The same arguments give the same
    answer. An empty list is done at once.

    Raises:
        ValueError: no place for a provider, or ``shared`` is no share.

    """
    if not 0 <= shared <= 1:
        raise ValueError("The shared part of the variance is a share between 0 and 1.")
    lanes: defaultdict[str, list[int]] = defaultdict(list)
    for number, job in enumerate(planned):
        lanes[job.provider].append(number)
    places = {provider: _places(concurrency, provider) for provider in lanes}
    is_known = all(job.estimate.uncertainty_range is not None for job in planned)
    durations = _durations(planned, shared, draws) if is_known else _plain(planned)
    starts, ends = np.zeros_like(durations), np.zeros_like(durations)
    for provider, numbers in lanes.items():
        starts[numbers], ends[numbers] = _scheduled(durations[numbers], places[provider])
    last = ends.max(axis=0) if planned else np.zeros(1)
    return BatchEstimate(
        seconds=float(np.median(last)),
        interval_80=_middle(last) if is_known else None,
        work_seconds=sum(job.estimate.predicted_time_seconds for job in planned),
        jobs=_finishes(planned, starts, ends, is_known=is_known),
        learned_from=min((job.estimate.learned_from for job in planned), default=0),
        shared=shared,
    )


def shared_share(residuals: Sequence[float] | Floats, lists: Sequence[str]) -> float | None:
    """Return the share of the variance of residuals that jobs of one list have in common.

    The intraclass correlation of a one-way analysis of variance (Fisher, 1925), 0 where chance
    made it negative. ``lists``: which list (run, backfill) each job was of. None: fewer than two
    lists, or none with two jobs.
    """
    values, names = np.asarray(residuals, dtype=np.float64), np.asarray(lists)
    groups = [values[names == name] for name in dict.fromkeys(lists)]
    inside = values.size - len(groups)
    if len(groups) < 2 or inside < 1:
        return None
    sizes = np.array([group.size for group in groups], dtype=np.float64)
    means = np.array([group.mean() for group in groups])
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / inside
    between = float(np.sum(sizes * (means - values.mean()) ** 2)) / (len(groups) - 1)
    typical = (values.size - float(np.sum(sizes**2)) / values.size) / (len(groups) - 1)
    common = max(0.0, between - within) / typical
    return common / (common + within) if common + within > 0 else 0.0


def _places(concurrency: int | Mapping[str, int], provider: str) -> int:
    places = concurrency if isinstance(concurrency, int) else concurrency.get(provider, 0)
    if places < 1:
        raise ValueError(f"Nothing says how many jobs of {provider or 'the list'} run at once.")
    return places


def _plain(planned: Sequence[PlannedJob]) -> Floats:
    return np.array([[job.estimate.predicted_time_seconds] for job in planned]).reshape(-1, 1)


def _durations(planned: Sequence[PlannedJob], shared: float, draws: int) -> Floats:
    """Return the drawn seconds, one row per job."""
    chance = np.random.default_rng(_SEED)
    scores = math.sqrt(shared) * chance.standard_normal(draws)
    scores = scores + math.sqrt(1 - shared) * chance.standard_normal((len(planned), draws))
    seconds = _plain(planned)
    ranges = [job.estimate.uncertainty_range or (0.0, 0.0) for job in planned]
    bounds = np.array(ranges, dtype=np.float64).reshape(-1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.log(seconds / bounds[:, :1]) / _NORMAL_80
        above = np.log(bounds[:, 1:] / seconds) / _NORMAL_80
    spreads = np.where(scores < 0, _spread(below), _spread(above))
    return np.asarray(seconds * np.exp(scores * spreads))


def _spread(told: Floats) -> Floats:
    """Return deviations; none where the estimate lies outside its interval, or is 0 s."""
    return np.where(np.isfinite(told), np.maximum(told, 0.0), 0.0)


def _scheduled(durations: Floats, places: int) -> tuple[Floats, Floats]:
    """Return start and end of each job in each draw, by list scheduling on that many places."""
    jobs, draws = durations.shape
    free = np.zeros((min(places, jobs), draws))
    every = np.arange(draws)
    starts, ends = np.empty_like(durations), np.empty_like(durations)
    for job in range(jobs):
        place = free.argmin(axis=0)
        starts[job] = free[place, every]
        ends[job] = starts[job] + durations[job]
        free[place, every] = ends[job]
    return starts, ends


def _middle(drawn: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def _finishes(
    planned: Sequence[PlannedJob], starts: Floats, ends: Floats, *, is_known: bool
) -> tuple[JobFinish, ...]:
    if not planned:
        return ()
    start = np.median(starts, axis=1)
    low, middle, high = np.quantile(ends, ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2), axis=1)
    return tuple(
        JobFinish(
            job_id=job.job_id,
            start_seconds=float(start[number]),
            finish_seconds=float(middle[number]),
            interval_80=(float(low[number]), float(high[number])) if is_known else None,
        )
        for number, job in enumerate(planned)
    )
