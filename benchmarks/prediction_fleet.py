"""The time estimator on a simulated fleet whose noise floor is known.

Through the product's own training and estimates, in time order: the share within 20 % against that
of a perfect model, the mean of the last two like jobs and a plain random forest on raw seconds;
coverage of the 80 % interval by size; coverage after a sudden slowdown; a worker, GPU or model that
was never seen, before and after its first jobs.

    python benchmarks/prediction_fleet.py [--quick] [--json] [--postgres URL]

Belongs here: part (a) of the proof. Does not belong here: how the fleet works
(``simulated_fleet``), public timings (``prediction``), real clips (``prediction_clips``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from fleet_replay import (
    Floats,
    TrainedFleet,
    covered_by,
    seconds_of,
    stream,
    told_at_submission,
    told_in_order,
    train_on,
)
from performance_database import add_postgres_option, opened_store
from prediction_newcomers import NOVELTIES, newcomer_rows
from report import Measurement, compare, finish, measure
from simulated_fleet import Fleet, SimulatedJob, slowdown

from animatize_assets.performance.baselines import LastTwoLikeJobs, share_within
from animatize_assets.performance.models import JobRecord, PipelineType, Submission
from animatize_assets.performance.store import PerformanceStore

NOISE = 0.10
SEED = 20
SIZE_BINS = 5
SLOWER = 1.6
CALM = 60
"""Jobs between the training and the slowdown: all that the correction looks back on."""
JUDGED = range(20, 60)
"""Places after the slowdown, of jobs 21 to 60."""


@dataclass(frozen=True)
class Amount:
    """How much is simulated."""

    pipeline_types: tuple[PipelineType, ...]
    learned: int
    told: int
    fleets: int
    """For slowdowns and novelty; each is trained once."""
    learned_a_fleet: int
    slowdowns: int
    newcomers: int
    """Of each kind."""


FULL = Amount(("image", "video"), 2_000, 5_000, 4, 1_000, 200, 200)
QUICK = Amount(("image",), 800, 2_500, 1, 400, 20, 60)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer jobs; about a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_postgres_option(parser)
    arguments = parser.parse_args()
    with opened_store(arguments.postgres) as store:
        results = measure_fleet(store, quick=arguments.quick)
    return finish("prediction_fleet", results, as_json=arguments.json)


def measure_fleet(store: PerformanceStore, *, quick: bool) -> list[Measurement]:
    """Return the rows of part (a); ``store`` is emptied between fleets."""
    amount = QUICK if quick else FULL
    chance = np.random.default_rng(SEED)
    rows = []
    for pipeline_type in amount.pipeline_types:
        fleet = Fleet.draw(chance, noise=NOISE, pipeline_type=pipeline_type)
        trained = train_on(fleet, amount.learned, chance, store)
        rows += _accuracy(trained, amount.told, chance)
    fleets = [
        train_on(Fleet.draw(chance, noise=NOISE), amount.learned_a_fleet, chance, store)
        for _ in range(amount.fleets)
    ]
    rows += _slowdown(fleets, amount.slowdowns, chance)
    for novelty in NOVELTIES:
        rows += newcomer_rows(fleets, novelty, amount.newcomers, chance)
    return rows


def _accuracy(trained: TrainedFleet, count: int, chance: np.random.Generator) -> list[Measurement]:
    kind = trained.fleet.pipeline_type
    jobs = stream(trained, count, chance)
    told = told_in_order(trained, jobs)
    actual = seconds_of(jobs)
    predicted = np.array([each.predicted_time_seconds for each in told])
    perfect = share_within(actual, np.array([each.expected_seconds for each in jobs]))
    floor = f"{kind} jobs at noise {NOISE:g}"
    rows = [
        compare(
            f"share within 20 %, {floor} / perfect model",
            share_within(actual, predicted),
            "share",
            baseline=perfect,
            goal=0.95,
            direction="at least",
        ),
        *_rivals(trained, jobs, actual, floor),
        measure(f"mean absolute error, {floor}", float(np.mean(np.abs(predicted - actual))), "s"),
        measure(
            f"bias, {floor}", float(np.mean((predicted - actual) / actual)), "share of the time"
        ),
        measure(
            f"promised confidence, {floor}; baseline: the share that came true",
            float(np.mean([each.confidence for each in told if each.confidence is not None])),
            "share",
            baseline=share_within(actual, predicted),
        ),
    ]
    covered = covered_by(actual, told)
    by_size = [
        float(covered[chosen].mean()) for chosen in np.array_split(np.argsort(predicted), SIZE_BINS)
    ]
    bins = f"of {SIZE_BINS} size bins of {count // SIZE_BINS} {kind} jobs"
    return [
        *rows,
        measure(f"least coverage {bins}", min(by_size), "share", goal=0.75, direction="at least"),
        measure(f"most coverage {bins}", max(by_size), "share", goal=0.85),
    ]


def _rivals(
    trained: TrainedFleet, jobs: Sequence[SimulatedJob], actual: Floats, floor: str
) -> list[Measurement]:
    """Return the share within 20 % of two simple methods, as rows without a goal."""
    last_two = LastTwoLikeJobs([*trained.learned, *(each.job for each in jobs)])
    by_last = [last_two.predict(Submission.of(each.job)) for each in jobs]
    plain = np.array([np.nan if seconds is None else seconds for seconds in by_last])
    return [
        measure(
            f"the same of the last two like jobs, {floor}", share_within(actual, plain), "share"
        ),
        measure(
            f"the same of a random forest on raw seconds, {floor}",
            share_within(actual, _forest(trained.learned, [each.job for each in jobs])),
            "share",
        ),
    ]


def _forest(learned: Sequence[JobRecord], told: Sequence[JobRecord]) -> Floats:
    """Return what a plain random forest says: no logarithm, no work, names as numbers."""
    from sklearn.ensemble import RandomForestRegressor  # here: seconds of import

    names: dict[str, int] = {}

    def row(job: JobRecord) -> list[float]:
        known = job.parameters.model_dump(exclude={"extra", "seed"})
        return [
            float(
                value
                if isinstance(value, int | float)
                else names.setdefault(str(value), len(names))
            )
            for value in known.values()
        ]

    forest = RandomForestRegressor(100, random_state=SEED, n_jobs=1)
    forest.fit([row(job) for job in learned], [job.total_time_seconds for job in learned])
    return np.asarray(forest.predict([row(job) for job in told]))


def _slowdown(
    fleets: Sequence[TrainedFleet], replications: int, chance: np.random.Generator
) -> list[Measurement]:
    shares, frozen = [], []
    for number in range(replications):
        trained = fleets[number % len(fleets)]
        events = (slowdown(CALM, SLOWER),)
        jobs = stream(trained, CALM + JUDGED.stop, chance, events=events)
        judged = [jobs[CALM + place] for place in JUDGED]
        told = [told_at_submission(trained, jobs, each) for each in judged]
        shares.append(float(covered_by(seconds_of(judged), told).mean()))
        alone = trained.estimator.estimate_many([Submission.of(each.job) for each in judged])
        frozen.append(float(covered_by(seconds_of(judged), alone).mean()))
    return [
        measure(
            f"coverage of jobs 21 to 60 after a slowdown by {SLOWER}, mean of {replications}; "
            "baseline: without re-centring",
            float(np.mean(shares)),
            "share",
            baseline=float(np.mean(frozen)),
            goal=0.75,
            direction="at least",
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
