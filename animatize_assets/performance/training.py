"""Training of one estimator: compare, choose, judge, calibrate, learn from everything.

Belongs here: the course of a training. Does not belong here: predictions for unseen jobs
(``evaluation``), storing the result (``registry``), when to train (``defs``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from animatize_assets.errors import NotEnoughJobs
from animatize_assets.performance.baselines import LastTwoLikeJobs
from animatize_assets.performance.calibration import Calibration
from animatize_assets.performance.estimator import (
    EstimatorCard,
    Evidence,
    TrainedEstimator,
)
from animatize_assets.performance.evaluation import (
    LearningSet,
    Unseen,
    combinations_left_out,
    names_left_out,
    rolling_origin,
    rolling_origin_as_new,
)
from animatize_assets.performance.heuristic import LEAST_JOBS
from animatize_assets.performance.left_out import LeftOut
from animatize_assets.performance.model_types import MODEL_TYPES, ModelType, fit_model
from animatize_assets.performance.models import JobRecord, PipelineType
from animatize_assets.performance.promotion import decide
from animatize_assets.performance.scoring import Score, best_of, score

LEAST_CALIBRATED = 100
"""Repeated jobs from which on they have an interval of their own, told to about a tenth."""

LEAST_COMPARED = 10
"""Jobs after the champion's training from which on the two are compared on them."""


def train(
    jobs: Sequence[JobRecord],
    pipeline_type: PipelineType,
    *,
    model_types: Sequence[ModelType] = MODEL_TYPES,
    now: datetime,
    champion: TrainedEstimator | None = None,
) -> TrainedEstimator:
    """Train each type, choose the best and learn from all jobs with it.

    ``champion``: the estimator in use, which the new one must beat to be promoted. The same jobs
    give the same estimator. Whether it should be used is in its card.

    Raises:
        NotEnoughJobs: fewer than 30 jobs of that type finished well.

    """
    learning = LearningSet.of(jobs, pipeline_type)
    if len(learning) < LEAST_JOBS:
        raise NotEnoughJobs(
            f"An estimator for {pipeline_type} jobs learns from at least {LEAST_JOBS} that "
            f"finished well; there are {len(learning)} so far."
        )
    windows = rolling_origin(learning, model_types)
    as_new = rolling_origin_as_new(learning, model_types)
    scores = {
        name: _score(learning, _joined([*told, *as_new[name]]), each_combination_once=True)
        for name, told in windows.items()
    }
    best = best_of(scores)
    newest = _newest(learning, windows[best][-1], champion)
    judged = _score(learning, newest)
    baseline = _baseline(learning, newest)
    rival = _champion(learning, newest, champion)
    familiar, unfamiliar = _calibrations(learning, _joined(windows[best]), best)
    everything = np.arange(len(learning))
    encoder = learning.encoder(everything)
    model = fit_model(best, learning.vectors(encoder, everything), learning.log_seconds)
    card = EstimatorCard(
        pipeline_type=pipeline_type,
        model_type=best,
        trained_at=now,
        learned_from=len(learning),
        first_finished_at=learning.jobs[0].finished_at,
        last_finished_at=learning.jobs[-1].finished_at,
        data_sha256=data_sha256(learning.jobs),
        features=len(encoder.feature_names),
        scores=scores,
        newest=judged,
        newest_coverage_80=_coverage(learning, windows[best]),
        baseline=baseline,
        champion=rival,
        promotion=decide(judged, baseline=baseline, champion=rival),
        versions={name: version(name) for name in ("scikit-learn", "numpy")},
    )
    return TrainedEstimator(
        encoder=encoder,
        model=model,
        familiar=familiar,
        unfamiliar=unfamiliar,
        combinations=frozenset(learning.combinations.tolist()),
        card=card,
        evidence=_evidence(learning, _joined(windows[best])),
    )


def data_sha256(jobs: Sequence[JobRecord]) -> str:
    """Return the hash of all that is learned from jobs: what was asked for, and the seconds.

    The order of the jobs does not matter.
    """
    rows = sorted(
        [
            job.job_id,
            job.pipeline_type,
            job.parameters.model_dump(mode="json"),
            job.submitted_at.timestamp(),
            job.finished_at.timestamp(),
            job.queue_length,
            job.total_time_seconds,
        ]
        for job in jobs
    )
    return hashlib.sha256(
        json.dumps(rows, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def _joined(parts: Sequence[Unseen]) -> Unseen:
    nothing = Unseen(np.zeros(0, np.intp), np.zeros(0), np.zeros(0, np.bool_))
    return Unseen(
        positions=np.concatenate([part.positions for part in (nothing, *parts)]),
        log_predicted=np.concatenate([part.log_predicted for part in (nothing, *parts)]),
        is_repeat=np.concatenate([part.is_repeat for part in (nothing, *parts)]),
    )


def _score(learning: LearningSet, unseen: Unseen, *, each_combination_once: bool = False) -> Score:
    """Score predictions; types are compared with each combination of parameters counted once.

    Where most jobs repeat each other, a type that only remembers them would win, and fail at the
    first new combination. So they are compared on both, repeats as such and as if they were new.
    """
    alike = learning.combinations[unseen.positions] if each_combination_once else None
    actual = np.exp(learning.log_seconds[unseen.positions])
    return score(actual, np.exp(unseen.log_predicted), alike=alike)


def _baseline(learning: LearningSet, window: Unseen) -> Score | None:
    """Score the mean of the last two like jobs; None where it had nothing to say."""
    last_two = LastTwoLikeJobs(learning.jobs)
    told = [last_two.predict(learning.submissions[position]) for position in window.positions]
    predicted = np.array([np.nan if seconds is None else seconds for seconds in told])
    if np.isnan(predicted).all():
        return None
    return score(np.exp(learning.log_seconds[window.positions]), predicted)


def _newest(learning: LearningSet, window: Unseen, champion: TrainedEstimator | None) -> Unseen:
    """Return the window to be judged on: of jobs that the champion did not learn from, if enough.

    Where there are too few of those it is the whole window, and the champion cannot be judged.
    """
    if champion is None:
        return window
    after = np.array(
        [
            learning.jobs[position].finished_at > champion.card.last_finished_at
            for position in window.positions
        ]
    )
    if after.sum() < LEAST_COMPARED:
        return window
    return _part(window, after)


def _champion(
    learning: LearningSet, window: Unseen, champion: TrainedEstimator | None
) -> Score | None:
    """Score the champion on the window; None where it learned from these jobs itself."""
    if champion is None:
        return None
    first = learning.jobs[window.positions[0]]
    if first.finished_at <= champion.card.last_finished_at:
        return None
    predicted = champion.predict_seconds(
        [learning.submissions[position] for position in window.positions],
        [learning.recent_medians[position] for position in window.positions],
    )
    return score(np.exp(learning.log_seconds[window.positions]), predicted)


def _calibrations(
    learning: LearningSet, rolled: Unseen, model_type: ModelType
) -> tuple[Calibration, Calibration]:
    """Return the calibrations for jobs that repeat one learned from, and for all others.

    A job whose exact parameters were never run misses by more than a repeated one, so each kind
    has residuals of its own; a kind with too few shares those of the other. What has never been
    run is run for the first time once, so of each combination only the first job counts there.
    """
    left_out = names_left_out(learning)
    fresh = [
        _firsts(learning, part)
        for part in (
            _part(rolled, ~rolled.is_repeat),
            _joined(combinations_left_out(learning, model_type)),
        )
    ]
    repeats = _learned(learning, [_part(rolled, rolled.is_repeat)], left_out)
    unfamiliar = _learned(learning, fresh, left_out)
    if unfamiliar.count < LEAST_JOBS // 2:
        return repeats, repeats
    return (repeats if repeats.count >= LEAST_CALIBRATED else unfamiliar), unfamiliar


def _part(unseen: Unseen, chosen: NDArray[np.bool_]) -> Unseen:
    return Unseen(unseen.positions[chosen], unseen.log_predicted[chosen], unseen.is_repeat[chosen])


def _firsts(learning: LearningSet, unseen: Unseen) -> Unseen:
    """Keep the first job of each combination."""
    in_order = np.argsort(unseen.positions)
    keys = learning.combinations[unseen.positions[in_order]]
    _, first = np.unique(keys, return_index=True)
    chosen = np.zeros(len(unseen.positions), dtype=np.bool_)
    chosen[in_order[first]] = True
    return _part(unseen, chosen)


def _learned(
    learning: LearningSet, parts: Sequence[Unseen], left_out: Mapping[str, LeftOut]
) -> Calibration:
    return Calibration.learn(
        np.concatenate([part.residuals(learning) for part in parts]),
        np.exp(np.concatenate([part.log_predicted for part in parts])),
        left_out=left_out,
    )


def _coverage(learning: LearningSet, windows: Sequence[Unseen]) -> float | None:
    """Return the share of the newest window inside the 80 % interval that earlier ones give."""
    newest = windows[-1]
    earlier = _learned(learning, windows[:-1], {})
    told = earlier.calibrated(np.exp(newest.log_predicted))
    if np.isnan(told.low_80).any():
        return None
    actual = np.exp(learning.log_seconds[newest.positions])
    return float(np.mean((told.low_80 <= actual) & (actual <= told.high_80)))


def _evidence(learning: LearningSet, rolled: Unseen) -> Evidence:
    return Evidence(
        jobs=tuple(learning.jobs[position] for position in rolled.positions),
        predicted_seconds=np.exp(rolled.log_predicted),
        is_repeat=rolled.is_repeat,
    )
