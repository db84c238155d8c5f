"""From job records to the estimator in use: train, register, promote or not, forget old ones.

A retraining is one call (:func:`retrain`), or its two halves with somebody's look in between:
:func:`train_and_register`, then :func:`newest_candidate` and :func:`promote_or_reject`.

Belongs here: the course of a retraining and loading what is in use. Does not belong here: training
(``training``), files (``registry``), when to retrain (``retraining_need``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from animatize_assets.errors import StorageFailed
from animatize_assets.performance.estimator_rows import EstimatorRows, RegisteredEstimator
from animatize_assets.performance.heuristic import LEAST_JOBS
from animatize_assets.performance.model_types import MODEL_TYPES, ModelType
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.retention import KEEP_DAYS, drop_old_models

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from animatize_assets.performance.estimator import EstimatorCard, TrainedEstimator
    from animatize_assets.performance.registry import EstimatorRegistry
    from animatize_assets.performance.store import PerformanceStore

_log = logging.getLogger(__name__)

MOST_JOBS = 20_000
"""Newest jobs that are learned from: a minute of training on two cores, and months of records."""


@dataclass(frozen=True)
class Candidate:
    """A version that is registered, with all that is known of its training."""

    registered: RegisteredEstimator
    card: EstimatorCard

    @property
    def is_better(self) -> bool:
        """Whether it beat the baseline and the estimator that was in use when it was trained."""
        return self.card.promotion.promote

    @property
    def reason(self) -> str:
        """Why it is better, or is not: one sentence with the scores."""
        return self.card.promotion.reason


@dataclass(frozen=True)
class Retraining:
    """What a retraining came to."""

    registered: RegisteredEstimator
    trained: TrainedEstimator
    is_promoted: bool
    reason: str
    removed: int
    """Old versions that are kept no longer."""


class Champions:
    """Loads the estimator in use of each pipeline type, once. Threads may share it.

    One whose files cannot be used is told in the log, and None is given: the heuristic stands in
    until it is trained again.
    """

    def __init__(self, rows: EstimatorRows, registry: EstimatorRegistry) -> None:
        self._rows = rows
        self._registry = registry
        self._loaded: dict[PipelineType, tuple[str, TrainedEstimator | None]] = {}
        self._lock = threading.Lock()

    def __call__(self, pipeline_type: PipelineType) -> TrainedEstimator | None:
        """Return the estimator in use; costs one small query when it is loaded already."""
        active = self._rows.active(pipeline_type)
        if active is None:
            return None
        with self._lock:
            known = self._loaded.get(pipeline_type)
            if known is None or known[0] != active.version:
                known = active.version, self._load(active)
                self._loaded[pipeline_type] = known
            return known[1]

    def _load(self, active: RegisteredEstimator) -> TrainedEstimator | None:
        from animatize_assets.performance.estimator import EstimatorState, TrainedEstimator

        try:
            model, card = self._registry.load(active)
        except StorageFailed as error:
            _log.error("The %s estimator is not used: %s", active.pipeline_type, error.message)
            return None
        state = EstimatorState.model_validate_json(card)
        return TrainedEstimator.from_state(state, model, version=active.version)


def jobs_to_learn_from(store: PerformanceStore, pipeline_type: PipelineType) -> int:
    """Return how many jobs a training would find; counts no further than it needs."""
    newest = store.jobs(pipeline_type=pipeline_type, success=True, newest=LEAST_JOBS)
    return sum(job.total_time_seconds > 0 for job in newest)


def train_and_register(
    store: PerformanceStore,
    registry: EstimatorRegistry,
    champions: Champions,
    pipeline_type: PipelineType,
    *,
    now: datetime,
    keep_days: int = KEEP_DAYS,
    model_types: Sequence[ModelType] = MODEL_TYPES,
) -> tuple[RegisteredEstimator, TrainedEstimator]:
    """Train on the records there are and register the result, which is not in use yet.

    Raises:
        NotEnoughJobs: fewer than 30 jobs of that kind finished well.
        StorageFailed: MLflow or the disk did not take it; what is in use stays in use.
    """
    from animatize_assets.performance.training import train
    from animatize_assets.performance.training_record import training_record

    jobs = store.jobs(
        pipeline_type=pipeline_type, since=now - timedelta(days=keep_days), newest=MOST_JOBS
    )
    trained = train(
        jobs,
        pipeline_type,
        model_types=model_types,
        now=now,
        champion=champions(pipeline_type),
    )
    return registry.register(training_record(trained, jobs)), trained


def newest_candidate(registry: EstimatorRegistry, pipeline_type: PipelineType) -> Candidate | None:
    """Return the newest version, read from the files that were registered; None: there is none.

    Raises:
        StorageFailed: its files are not there, or are not those that were registered.
    """
    from animatize_assets.performance.estimator import EstimatorState

    versions = registry.rows.versions(pipeline_type)
    if not versions:
        return None
    _, card = registry.load(versions[0])
    return Candidate(versions[0], EstimatorState.model_validate_json(card).card)


def promote_or_reject(registry: EstimatorRegistry, candidate: Candidate) -> bool:
    """Put a candidate into use if it is better; else note why not. Returns whether it is in use."""
    if candidate.registered.is_active:
        return True
    if candidate.is_better:
        registry.promote(candidate.registered, candidate.reason)
    else:
        registry.rows.leave_out_of_use(candidate.registered, candidate.reason)
    return candidate.is_better


def forget_old_versions(registry: EstimatorRegistry, engine: Engine) -> int:
    """Remove all but the three newest versions of each kind, and never the one in use."""
    old = drop_old_models(engine)
    for each in old:
        registry.remove(each.model_name, each.version)
    return len(old)


def retrain(
    store: PerformanceStore,
    registry: EstimatorRegistry,
    champions: Champions,
    pipeline_type: PipelineType,
    *,
    now: datetime,
    keep_days: int = KEEP_DAYS,
    model_types: Sequence[ModelType] = MODEL_TYPES,
) -> Retraining:
    """Train on the records there are, and put the result into use if it is better.

    Raises:
        NotEnoughJobs: fewer than 30 jobs of that kind finished well.
        StorageFailed: MLflow or the disk did not take it; what is in use stays in use.
    """
    registered, trained = train_and_register(
        store,
        registry,
        champions,
        pipeline_type,
        now=now,
        keep_days=keep_days,
        model_types=model_types,
    )
    candidate = Candidate(registered, trained.card)
    is_promoted = promote_or_reject(registry, candidate)
    removed = forget_old_versions(registry, store.engine)
    return Retraining(
        registered=registry.rows.version(pipeline_type, registered.version),
        trained=trained,
        is_promoted=is_promoted,
        reason=candidate.reason,
        removed=removed,
    )
