"""A worker, GPU or model that the estimator never saw, before and after its first jobs.

Belongs here: how honest the interval is, and how much a correction helps. Does not belong here: the
rest of the simulated proof (``prediction_fleet``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from fleet_replay import (
    Floats,
    TrainedFleet,
    bounds_of,
    covered_by,
    seconds_of,
    stream,
    told_at_submission,
)
from report import Measurement, compare, measure
from simulated_fleet import Fleet, SimulatedJob, draw_worker

from animatize_assets.performance.models import Estimate, Submission

FIRST_JOBS = (3, 4, 5)
TOLD_AFTER = 4
"""Jobs of a newcomer that are told after its first ones."""

Novelty = Literal["worker and GPU", "GPU", "model"]
NOVELTIES: tuple[Novelty, ...] = get_args(Novelty)


def newcomer_rows(
    fleets: Sequence[TrainedFleet], novelty: Novelty, count: int, chance: np.random.Generator
) -> list[Measurement]:
    """Return the rows of one kind of newcomer, each with a single new name of that kind."""
    covered, widths = [], []
    before: dict[int, list[Floats]] = {jobs: [] for jobs in FIRST_JOBS}
    after: dict[int, list[Floats]] = {jobs: [] for jobs in FIRST_JOBS}
    covered_after = []
    for number in range(count):
        trained = fleets[number % len(fleets)]
        fleet = _with_newcomer(trained.fleet, novelty, f"new-{number}", chance)
        jobs = stream(replace(trained, fleet=fleet), max(FIRST_JOBS) + TOLD_AFTER, chance)
        alone = trained.estimator.estimate_many([Submission.of(each.job) for each in jobs])
        covered.append(covered_by(seconds_of(jobs), alone))
        widths.append(_log_width(alone))
        for first in FIRST_JOBS:
            judged = jobs[first : first + TOLD_AFTER]
            told = [told_at_submission(trained, jobs[:first], each) for each in judged]
            before[first].append(_log_error(judged, alone[first : first + TOLD_AFTER]))
            after[first].append(_log_error(judged, told))
            covered_after.append(covered_by(seconds_of(judged), told))
    known = [_log_width(_unshifted(trained)) for trained in fleets]
    rows = [
        measure(
            f"coverage on a {novelty} never seen",
            float(np.mean(np.concatenate(covered))),
            "share",
            goal=0.75,
            direction="at least",
        ),
        measure(
            f"width of that interval in ln(time), {novelty}; baseline: of known ones",
            float(np.mean(np.concatenate(widths))),
            "ln(s)",
            baseline=float(np.mean(np.concatenate(known))),
        ),
        measure(
            f"coverage after its first {FIRST_JOBS[0]} to {FIRST_JOBS[-1]} jobs, {novelty}",
            float(np.mean(np.concatenate(covered_after))),
            "share",
            goal=0.75,
            direction="at least",
        ),
    ]
    rows += [
        compare(
            f"error after {first} jobs of a new {novelty} / before any",
            float(np.mean(np.concatenate(after[first]))),
            "ln(s)",
            baseline=float(np.mean(np.concatenate(before[first]))),
            goal=0.5,
            direction="at most",
        )
        for first in FIRST_JOBS
    ]
    return rows


def _with_newcomer(fleet: Fleet, novelty: Novelty, name: str, chance: np.random.Generator) -> Fleet:
    """Return the fleet with only jobs of something that the estimator never saw."""
    if novelty == "model":
        offset = draw_worker(chance, name).log_offset
        return replace(fleet, models={name: offset})
    worker = draw_worker(chance, name)
    if novelty == "GPU":
        worker = replace(worker, name=fleet.workers[0].name)
    return replace(fleet, workers=(worker,))


def _unshifted(trained: TrainedFleet) -> list[Estimate]:
    return trained.estimator.estimate_many([Submission.of(job) for job in trained.learned[-300:]])


def _log_width(told: Sequence[Estimate]) -> Floats:
    low, high = bounds_of(told).T
    return np.asarray(np.log(high / low))


def _log_error(jobs: Sequence[SimulatedJob], told: Sequence[Estimate]) -> Floats:
    predicted = np.array([each.predicted_time_seconds for each in told])
    return np.asarray(np.abs(np.log(seconds_of(jobs) / predicted)))
