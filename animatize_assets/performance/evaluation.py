"""Predictions for jobs that a model has not seen, in three ways.

* Rolling origin: jobs in the order in which they ended; each window is predicted by models that
  learned from the jobs before it. So an estimator works, so model types are compared: once as it
  is, and once as if every job of the window ran for the first time.
* Combinations left out: no job of the same exact parameters was learned from.
* Names left out: no job of the same worker, GPU, model and so on was learned from.

An encoder is fitted anew to every training part, so not even a median is looked up ahead. Belongs
here: the parts and the predictions. Does not belong here: scores (``scoring``), what is made of
the residuals (``training``, ``calibration``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from animatize_assets.performance.encoding import FeatureEncoder
from animatize_assets.performance.features import combination, names_of, parts_of
from animatize_assets.performance.left_out import LeftOut
from animatize_assets.performance.model_types import (
    SEED,
    ModelType,
    fit_model,
    predict_log_seconds,
)
from animatize_assets.performance.models import JobRecord, PipelineType, Submission
from animatize_assets.performance.recent_jobs import RecentLikeJobs

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]

MOST_JOBS = 20_000
"""Newest jobs that are learned from: older ones are of older machines, and time is bounded."""

MOST_JOBS_A_FOLD = 5_000
"""Newest jobs that a model learns from to be judged; with fewer it can only look worse."""

ROLLING_WINDOWS = 4
"""Windows over the newer half of the jobs."""

LEAST_OTHERS = 15
"""Jobs of other parameters that a model must have, for its prediction to say anything of its type:
as many as the first window of the least training."""

COMBINATION_FOLDS = 5

NAMES_LEFT_OUT = 6
"""Values of each field, the most frequent, that are left out in turn."""

LEAST_LEFT_OUT = 5
"""Jobs that tell the offset of a value; fewer are mostly noise."""


@dataclass(frozen=True)
class LearningSet:
    """Finished jobs of one pipeline type, in the order in which they ended.

    Failed jobs are left out: their time tells when they broke, not how long the work takes. So are
    jobs that took no time at all, whose logarithm is not a number.
    """

    jobs: tuple[JobRecord, ...]
    submissions: tuple[Submission, ...]
    recent_medians: tuple[float | None, ...]

    @classmethod
    def of(cls, jobs: Sequence[JobRecord], pipeline_type: PipelineType) -> LearningSet:
        """Take the jobs that can be learned from."""
        usable = [
            job
            for job in jobs
            if job.success and job.total_time_seconds > 0 and job.pipeline_type == pipeline_type
        ]
        usable.sort(key=lambda job: (job.finished_at, job.job_id))
        usable = usable[-MOST_JOBS:]
        submissions = tuple(Submission.of(job) for job in usable)
        return cls(
            jobs=tuple(usable),
            submissions=submissions,
            recent_medians=tuple(RecentLikeJobs(usable).medians(submissions)),
        )

    def __len__(self) -> int:
        return len(self.jobs)

    @cached_property
    def log_seconds(self) -> Floats:
        """The target."""
        return np.array([math.log(job.total_time_seconds) for job in self.jobs])

    @cached_property
    def combinations(self) -> NDArray[np.str_]:
        """The key of the exact parameters of each job."""
        return np.array([combination(submission) for submission in self.submissions])

    def encoder(self, positions: Positions) -> FeatureEncoder:
        """Return an encoder that learned from some of the jobs."""
        return FeatureEncoder.fit(*self._chosen(positions))

    def vectors(self, encoder: FeatureEncoder, positions: Positions) -> Floats:
        """Return the vectors of some of the jobs."""
        return encoder.encode_many(*self._chosen(positions))

    def _chosen(self, positions: Positions) -> tuple[list[Submission], list[float | None]]:
        return (
            [self.submissions[position] for position in positions],
            [self.recent_medians[position] for position in positions],
        )


@dataclass(frozen=True)
class Unseen:
    """Predictions for jobs that the model had not seen."""

    positions: Positions
    """Of the jobs, in the learning set."""
    log_predicted: Floats
    is_repeat: NDArray[np.bool_]
    """Whether a job of the same exact parameters had been learned from."""

    def residuals(self, learning: LearningSet) -> Floats:
        """Return ln(actual / predicted)."""
        return learning.log_seconds[self.positions] - self.log_predicted


def rolling_origin(
    learning: LearningSet, model_types: Sequence[ModelType]
) -> dict[ModelType, list[Unseen]]:
    """Return, per model type, the predictions of each window, the oldest window first."""
    told: dict[ModelType, list[Unseen]] = {model_type: [] for model_type in model_types}
    for learned, window in _windows(learning):
        for model_type, unseen in _predicted(learning, learned, window, model_types).items():
            told[model_type].append(unseen)
    return told


def rolling_origin_as_new(
    learning: LearningSet, model_types: Sequence[ModelType]
) -> dict[ModelType, list[Unseen]]:
    """Return the predictions of windows by models that saw no job of the same exact parameters.

    Only of windows with repeats: the others are told by :func:`rolling_origin`. And only where
    enough other jobs are left to learn from.
    """
    told: dict[ModelType, list[Unseen]] = {model_type: [] for model_type in model_types}
    for before, window in _windows(learning):
        alike = np.isin(learning.combinations[before], learning.combinations[window])
        others = before[~alike]
        if len(others) == len(before) or len(others) < LEAST_OTHERS:
            continue
        for model_type, unseen in _predicted(learning, others, window, model_types).items():
            told[model_type].append(unseen)
    return told


def _windows(learning: LearningSet) -> list[tuple[Positions, Positions]]:
    """Return the windows over the newer half, each with all jobs before it."""
    everything = np.arange(len(learning))
    windows = np.array_split(everything[len(learning) // 2 :], ROLLING_WINDOWS)
    return [(everything[: window[0]], window) for window in windows]


def combinations_left_out(learning: LearningSet, model_type: ModelType) -> list[Unseen]:
    """Return predictions for every job by a model that saw none of its exact parameters.

    Combinations are dealt to folds by chance. Empty when there are fewer than two.
    """
    names, number = np.unique(learning.combinations, return_inverse=True)
    if len(names) < 2:
        return []
    folds = min(COMBINATION_FOLDS, len(names))
    fold_of = np.random.default_rng(SEED).permutation(len(names)) % folds
    fold = fold_of[number]
    return [
        _predicted(
            learning, np.flatnonzero(fold != each), np.flatnonzero(fold == each), [model_type]
        )[model_type]
        for each in range(folds)
    ]


def names_left_out(learning: LearningSet) -> dict[str, LeftOut]:
    """Return, per field, the residuals of jobs whose value of it no model had seen.

    A linear model stands in for every type: how far a new GPU lies from all others is a matter of
    the GPU, and many are left out.
    """
    told: dict[str, LeftOut] = {}
    for field, rows_of in _rows_by_name(learning).items():
        residuals: list[float] = []
        groups: list[str] = []
        for value, rows in rows_of.items():
            others = np.setdiff1d(np.arange(len(learning)), rows)
            if len(others) < LEAST_LEFT_OUT:
                continue
            unseen = _predicted(learning, others, rows, ["linear_regression"])
            residuals += unseen["linear_regression"].residuals(learning).tolist()
            groups += [value] * len(rows)
        if groups:
            told[field] = LeftOut(residuals, groups)
    return told


def _rows_by_name(learning: LearningSet) -> dict[str, dict[str, Positions]]:
    rows: dict[tuple[str, str], list[int]] = {}
    for row, submission in enumerate(learning.submissions):
        for field, value in names_of(submission.parameters):
            for part in parts_of(value):
                rows.setdefault((field, part), []).append(row)
    frequent = Counter({pair: len(own) for pair, own in sorted(rows.items())}).most_common()
    told: dict[str, dict[str, Positions]] = {}
    for (field, part), times in frequent:
        own = told.setdefault(field, {})
        if times >= LEAST_LEFT_OUT and len(own) < NAMES_LEFT_OUT:
            own[part] = np.array(rows[field, part])
    return told


def _predicted(
    learning: LearningSet,
    learned: Positions,
    asked: Positions,
    model_types: Sequence[ModelType],
) -> dict[ModelType, Unseen]:
    """Return what models of each type, having learned from some jobs, say of others."""
    learned = learned[-MOST_JOBS_A_FOLD:]
    encoder = learning.encoder(learned)
    known = learning.vectors(encoder, learned)
    new = learning.vectors(encoder, asked)
    is_repeat = np.isin(learning.combinations[asked], learning.combinations[learned])
    return {
        model_type: Unseen(
            positions=asked,
            log_predicted=predict_log_seconds(
                fit_model(model_type, known, learning.log_seconds[learned]), new
            ),
            is_repeat=is_repeat,
        )
        for model_type in model_types
    }
