"""Part (b) of ``prediction.py``: public timings of other people's machines.

    python benchmarks/prediction_public.py --data DIR [--quick] [--json] [--postgres URL]

Grouped splits: all jobs of a fifth of the exact parameter combinations are put aside, the product
trains on the others and predicts those, in turn; repeated with several seeds. The type of model is
chosen by the product on the first split of each file and kept for the others, to save time. With
``--quick`` there is one split and one type: too little for a verdict.

Replay: the jobs of a file that is in time order, one by one; the estimator is trained again every
so often on what had ended, and each job is predicted when it is submitted.

The jobs of a file are recorded first; those that the database gives back are learned and told.

Belongs here: these two. Does not belong here: reading files (``public_timings``), settings of
models (``animatize_assets.performance.model_types``).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from performance_database import add_postgres_option, kept, opened_store
from public_timings import Timings, combinations, read_timings
from report import Measurement, finish, measure, not_measured

from animatize_assets.performance.baselines import LastTwoLikeJobs, noise_floor
from animatize_assets.performance.calibration import WITHIN
from animatize_assets.performance.encoding import FeatureEncoder
from animatize_assets.performance.estimator import TrainedEstimator
from animatize_assets.performance.model_types import MODEL_TYPES, SEED, ModelType
from animatize_assets.performance.models import Estimate, JobRecord, Submission
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.training import train

Floats = NDArray[np.float64]

GOALS = {"horde": 0.94, "image_benchmarks": 0.90, "video_benchmarks": 0.88}
"""Share within 20 % on combinations that were not seen."""

COVERAGE = (0.85, 0.95)
"""Of the 90 % interval."""

BY_CONFIGURATION = "video_benchmarks"
"""Here seven configurations make half of the rows, so every configuration counts once."""

FOLDS = 5
SEEDS = (0, 1, 2)
SIZE_BINS = 4
QUICK_TYPES: tuple[ModelType, ...] = ("gradient_boosting",)
NOW = datetime(2026, 6, 1, tzinfo=UTC)

REPLAY_FROM = 400
RETRAINED_EVERY = 300
KEPT_AT_HAND = 300
"""Newest finished jobs that the product keeps at hand (``time_estimator.RECENT``)."""


@dataclass(frozen=True)
class Told:
    """What was said of jobs and what became of them; arrays of one length."""

    actual: Floats
    predicted: Floats
    low_90: Floats
    high_90: Floats
    low_80: Floats
    high_80: Floats
    last_two: Floats
    raw_forest: Floats
    weight: Floats

    @classmethod
    def joined(cls, parts: Iterable[Told]) -> Told:
        """Put the folds of one split together."""
        columns = [[getattr(part, name) for name in cls.__annotations__] for part in parts]
        return cls(*(np.concatenate(column) for column in zip(*columns, strict=True)))

    def part(self, chosen: NDArray[np.bool_]) -> Told:
        """Return some of them."""
        return Told(*(getattr(self, name)[chosen] for name in self.__annotations__))

    def within(self, predicted: Floats) -> float:
        """Return the share of predictions that missed by at most 20 % of the actual time."""
        return self._share(np.abs(predicted - self.actual) <= WITHIN * self.actual)

    @property
    def covered_90(self) -> float:
        """Return the share inside the 90 % interval."""
        return self._share((self.low_90 <= self.actual) & (self.actual <= self.high_90))

    @property
    def covered_80(self) -> float:
        """Return the share inside the 80 % interval."""
        return self._share((self.low_80 <= self.actual) & (self.actual <= self.high_80))

    def error(self, predicted: Floats) -> float:
        """Return the mean absolute error, seconds, of predictions that were made."""
        made = np.isfinite(predicted)
        off = np.abs(predicted - self.actual)[made]
        return float(np.average(off, weights=self.weight[made]))

    @property
    def bias(self) -> float:
        """Return the mean of (predicted - actual) / actual."""
        return float(np.average(self.predicted / self.actual - 1, weights=self.weight))

    def _share(self, hits: NDArray[np.bool_]) -> float:
        return float(np.average(hits, weights=self.weight))


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with the public timings")
    parser.add_argument("--quick", action="store_true", help="one split of each file")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_postgres_option(parser)
    arguments = parser.parse_args()
    one_thread_a_process()
    with opened_store(arguments.postgres) as store:
        results = public_rows(arguments.data, store, quick=arguments.quick)
    return finish("prediction_public", results, as_json=arguments.json)


def one_thread_a_process() -> None:
    """Tell the processes that are started: splits are computed side by side."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def public_rows(folder: Path | None, store: PerformanceStore, *, quick: bool) -> list[Measurement]:
    """Measure each file of the folder; what is not there is not measured. Empties ``store``."""
    rows: list[Measurement] = []
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        for name, goal in GOALS.items():
            timings = None if folder is None else read_timings(folder, name)
            if timings is None:
                rows += _not_measured(name, goal)
                continue
            timings = replace(timings, jobs=tuple(kept(store, timings.jobs)))
            splits = list(_splits(timings, seeds=SEEDS[:1] if quick else SEEDS))
            splits = splits[:1] if quick else splits
            types: Sequence[ModelType] = QUICK_TYPES if quick else MODEL_TYPES
            first, chosen = _split_told(timings, *splits[0], types)
            others = pool.map(
                _one_type,
                [(timings, *split, chosen) for split in splits[1:]],
            )
            parts = [first, *others]
            per_seed = [parts] if quick else _by_seed(parts)
            told = [Told.joined(each) for each in per_seed]
            rows += [
                replace(row, goal=None, met=None) if quick else row
                for row in _split_rows(timings, chosen, told, goal)
            ]
            if timings.is_in_time_order:
                rows += _replay_rows(timings, chosen, quick=quick)
    return rows


def _splits(
    timings: Timings, *, seeds: Sequence[int]
) -> Iterable[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Give (learned, put aside) positions: each combination is put aside once per seed."""
    numbers = np.array(combinations(timings.jobs))
    for seed in seeds:
        fold_of = np.random.default_rng(seed).permutation(numbers.max() + 1) % FOLDS
        for fold in range(FOLDS):
            aside = fold_of[numbers] == fold
            yield np.flatnonzero(~aside), np.flatnonzero(aside)


def _by_seed(parts: list[Told]) -> list[list[Told]]:
    return [parts[start : start + FOLDS] for start in range(0, len(parts), FOLDS)]


def _one_type(
    task: tuple[Timings, NDArray[np.intp], NDArray[np.intp], ModelType],
) -> Told:
    timings, learned, aside, model_type = task
    return _split_told(timings, learned, aside, [model_type])[0]


def _split_told(
    timings: Timings,
    learned: NDArray[np.intp],
    aside: NDArray[np.intp],
    model_types: Sequence[ModelType],
) -> tuple[Told, ModelType]:
    known = [timings.jobs[position] for position in learned]
    asked = [timings.jobs[position] for position in aside]
    trained = train(known, known[0].pipeline_type, model_types=model_types, now=NOW)
    submissions = [Submission.of(job) for job in asked]
    recent = trained.recent(known)
    estimates = trained.estimate_many(submissions, recent)
    # Where there is no time order, the baseline may use every job that was learned from.
    last = max(job.finished_at for job in known)
    moments = (
        submissions
        if timings.is_in_time_order
        else [each.model_copy(update={"submitted_at": last}) for each in submissions]
    )
    return _told(
        timings,
        asked,
        estimates,
        last_two=_last_two(known, moments),
        raw_forest=_raw_forest(trained, known, submissions),
    ), trained.card.model_type


def _told(
    timings: Timings,
    asked: Sequence[JobRecord],
    estimates: Sequence[Estimate],
    *,
    last_two: Floats,
    raw_forest: Floats,
) -> Told:
    numbers = np.array(combinations(asked))
    weight = np.ones(len(asked))
    if timings.name == BY_CONFIGURATION:
        weight = 1 / np.bincount(numbers)[numbers]
    bounds_80 = np.array([each.uncertainty_range or (np.nan, np.nan) for each in estimates])
    bounds_90 = np.array([each.interval_90 or (np.nan, np.nan) for each in estimates])
    return Told(
        actual=np.array([job.total_time_seconds for job in asked]),
        predicted=np.array([each.predicted_time_seconds for each in estimates]),
        low_90=bounds_90[:, 0],
        high_90=bounds_90[:, 1],
        low_80=bounds_80[:, 0],
        high_80=bounds_80[:, 1],
        last_two=last_two,
        raw_forest=raw_forest,
        weight=weight,
    )


def _last_two(known: Sequence[JobRecord], submissions: Sequence[Submission]) -> Floats:
    baseline = LastTwoLikeJobs(known)
    told = [baseline.predict(each) for each in submissions]
    return np.array([np.nan if seconds is None else seconds for seconds in told])


def _raw_forest(
    trained: TrainedEstimator, known: Sequence[JobRecord], submissions: Sequence[Submission]
) -> Floats:
    """Predict by a plain random forest of raw seconds, on the same features."""
    from sklearn.ensemble import RandomForestRegressor

    like = trained.recent(known).like
    learned = [Submission.of(job) for job in known]
    encoder: FeatureEncoder = trained.encoder
    forest = RandomForestRegressor(random_state=SEED, n_jobs=1)
    forest.fit(
        encoder.encode_many(learned, like.medians(learned)),
        [job.total_time_seconds for job in known],
    )
    return np.asarray(forest.predict(encoder.encode_many(submissions, like.medians(submissions))))


def _split_rows(
    timings: Timings, chosen: ModelType, told: Sequence[Told], goal: float
) -> list[Measurement]:
    name = timings.name
    counted = "configurations" if name == BY_CONFIGURATION else "jobs"
    shares = [each.within(each.predicted) for each in told]
    spread = f"{min(shares):.3f} to {max(shares):.3f}"
    rows = [
        measure(
            f"{name}: unseen combinations within 20 % ({counted}; {chosen}; {spread})",
            _mean(shares),
            "share",
            goal=goal,
            direction="at least",
            baseline=_mean(each.within(each.last_two) for each in told),
        ),
        measure(
            f"{name}: the same by a random forest of raw seconds",
            _mean(each.within(each.raw_forest) for each in told),
            "share",
        ),
        _between(f"{name}: coverage of the 90 % interval", _mean(t.covered_90 for t in told)),
        measure(
            f"{name}: coverage of the 80 % interval", _mean(t.covered_80 for t in told), "share"
        ),
        measure(
            f"{name}: mean absolute error (baseline: last two)",
            _mean(each.error(each.predicted) for each in told),
            "s",
            baseline=_mean(each.error(each.last_two) for each in told),
        ),
        measure(f"{name}: signed bias", _mean(each.bias for each in told), "share of actual"),
    ]
    floor = noise_floor(timings.jobs)
    if floor is not None:
        rows.append(measure(f"{name}: noise floor by repeats", floor, "share"))
    return [*rows, *_size_rows(name, told)]


def _size_rows(name: str, told: Sequence[Told]) -> list[Measurement]:
    """Measure coverage in bins of equal count by predicted time."""
    rows = []
    everything = Told.joined(told)
    edges = np.quantile(everything.predicted, np.linspace(0, 1, SIZE_BINS + 1))
    for low, high in pairwise(edges):
        chosen = (low <= everything.predicted) & (everything.predicted <= high)
        rows.append(
            measure(
                f"{name}: coverage of the 90 % interval, {low:.3g} to {high:.3g} s predicted",
                everything.part(chosen).covered_90,
                "share",
            )
        )
    return rows


def _replay_rows(timings: Timings, model_type: ModelType, *, quick: bool) -> list[Measurement]:
    start = len(timings.jobs) - RETRAINED_EVERY if quick else REPLAY_FROM
    told, is_new = _replayed(timings, model_type, start)
    new = told.part(is_new)
    name = f"{timings.name} in time order"
    return [
        measure(
            f"{name}: within 20 %, {told.actual.size} jobs",
            told.within(told.predicted),
            "share",
            baseline=told.within(told.last_two),
        ),
        measure(
            f"{name}: within 20 %, {new.actual.size} jobs of new combinations",
            new.within(new.predicted),
            "share",
            baseline=new.within(new.last_two),
        ),
        measure(f"{name}: coverage of the 80 % interval", told.covered_80, "share"),
        measure(f"{name}: coverage of the 90 % interval", told.covered_90, "share"),
        measure(f"{name}: of it, new combinations", new.covered_90, "share"),
    ]


def _replayed(
    timings: Timings, model_type: ModelType, start: int
) -> tuple[Told, NDArray[np.bool_]]:
    """Go through the jobs from ``start`` on; also tell which had a combination not run before."""
    jobs = timings.jobs
    trained: TrainedEstimator | None = None
    estimates = []
    for position in range(start, len(jobs)):
        if trained is None or (position - start) % RETRAINED_EVERY == 0:
            known = jobs[:position]
            trained = train(known, known[0].pipeline_type, model_types=[model_type], now=NOW)
        recent = trained.recent(jobs[max(0, position - KEPT_AT_HAND) : position])
        estimates.append(trained.estimate(Submission.of(jobs[position]), recent))
    asked = jobs[start:]
    numbers = combinations(jobs)
    seen = {number: position for position, number in reversed(list(enumerate(numbers)))}
    is_new = np.array([seen[numbers[position]] == position for position in range(start, len(jobs))])
    told = _told(
        timings,
        asked,
        estimates,
        last_two=_last_two(jobs, [Submission.of(job) for job in asked]),
        raw_forest=np.full(len(asked), np.nan),
    )
    return told, is_new


def _between(name: str, value: float) -> Measurement:
    low, high = COVERAGE
    return Measurement(name, value, "share", goal=f"{low:g} to {high:g}", met=low <= value <= high)


def _not_measured(name: str, goal: float) -> list[Measurement]:
    return [
        not_measured(f"{name}: unseen combinations within 20 %", "share", f"at least {goal:g}"),
        not_measured(
            f"{name}: coverage of the 90 % interval", "share", "{:g} to {:g}".format(*COVERAGE)
        ),
    ]


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


if __name__ == "__main__":
    sys.exit(main())
