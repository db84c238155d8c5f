"""What the estimator says of jobs of a simulated fleet, and how it came out.

The jobs are those that the database gave back after they were recorded.

Belongs here: training on a fleet, telling jobs in time order, comparing. Does not belong here:
goals (``prediction_fleet``, ``prediction_newcomers``), the fleet itself (``simulated_fleet``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from performance_database import kept
from simulated_fleet import Event, Fleet, SimulatedJob

from animatize_assets.performance.estimator import TrainedEstimator
from animatize_assets.performance.models import Estimate, JobRecord, Submission
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.training import train

Floats = NDArray[np.float64]

REFRESHED_EVERY = 25
"""Jobs between two readings of what recent ones say; in the service it is each job."""

LOOKED_BACK = 300
"""Newest jobs that are looked at for that."""


@dataclass(frozen=True)
class TrainedFleet:
    """A fleet, and the estimator that learned from its first jobs."""

    fleet: Fleet
    estimator: TrainedEstimator
    learned: list[JobRecord]
    """In the order in which they finished."""
    store: PerformanceStore


def train_on(
    fleet: Fleet, jobs: int, chance: np.random.Generator, store: PerformanceStore
) -> TrainedFleet:
    """Let the product learn from the first jobs of a fleet."""
    learned = kept(store, [each.job for each in fleet.jobs(jobs, chance)])
    now = learned[-1].finished_at
    return TrainedFleet(fleet, train(learned, fleet.pipeline_type, now=now), learned, store)


def stream(
    trained: TrainedFleet, count: int, chance: np.random.Generator, *, events: Sequence[Event] = ()
) -> list[SimulatedJob]:
    """Return jobs of the fleet that are submitted after the training."""
    starting = trained.estimator.card.last_finished_at
    made = trained.fleet.jobs(count, chance, events=events, starting=starting)
    back = {job.job_id: job for job in kept(trained.store, [each.job for each in made])}
    return [replace(each, job=back[each.job.job_id]) for each in made]


def told_in_order(trained: TrainedFleet, jobs: Sequence[SimulatedJob]) -> list[Estimate]:
    """Return what is told of each job in time order."""
    told: list[Estimate] = []
    for first in range(0, len(jobs), REFRESHED_EVERY):
        block = jobs[first : first + REFRESHED_EVERY]
        known = [
            *trained.learned[-LOOKED_BACK:],
            *(each.job for each in jobs[max(0, first - LOOKED_BACK) : first]),
        ]
        over = [job for job in known if job.finished_at <= block[0].job.submitted_at]
        recent = trained.estimator.recent(over)
        told += trained.estimator.estimate_many([Submission.of(each.job) for each in block], recent)
    return told


def told_at_submission(
    trained: TrainedFleet, jobs: Sequence[SimulatedJob], wanted: SimulatedJob
) -> Estimate:
    """Return what is told of a job when it is submitted, by those that had ended by then."""
    moment = wanted.job.submitted_at
    over = [each.job for each in jobs if each.job.finished_at <= moment]
    return trained.estimator.estimate(Submission.of(wanted.job), trained.estimator.recent(over))


def seconds_of(jobs: Sequence[SimulatedJob]) -> Floats:
    """Return what each job took."""
    return np.array([each.job.total_time_seconds for each in jobs])


def covered_by(actual: Floats, told: Sequence[Estimate]) -> NDArray[np.bool_]:
    """Return which jobs ended inside their 80 % interval."""
    low, high = bounds_of(told).T
    covered: NDArray[np.bool_] = (low <= actual) & (actual <= high)
    return covered


def bounds_of(told: Sequence[Estimate]) -> Floats:
    """Return the 80 % intervals, one row each."""
    return np.array([each.uncertainty_range or (np.nan, np.nan) for each in told])
