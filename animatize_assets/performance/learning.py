"""From job records to the estimator in use: train, register, promote or not, forget old ones.

Belongs here: the course of a retraining and loading what is in use. Does not belong here: training
(``training``), files (``registry``), when to retrain (``defs``).
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from animatize_assets.errors import StorageFailed
from animatize_assets.performance.estimator_rows import EstimatorRows, RegisteredEstimator
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.retention import KEEP_DAYS, drop_old_models

if TYPE_CHECKING:
    from animatize_assets.performance.estimator import TrainedEstimator
    from animatize_assets.performance.registry import EstimatorRegistry
    from animatize_assets.performance.store import PerformanceStore

_log = logging.getLogger(__name__)

MOST_JOBS = 20_000
"""Newest jobs that are learned from: a minute of training on two cores, and months of records."""


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


def retrain(
    store: PerformanceStore,
    registry: EstimatorRegistry,
    champions: Champions,
    pipeline_type: PipelineType,
    *,
    now: datetime,
    keep_days: int = KEEP_DAYS,
) -> Retraining:
    """Train on the records there are, and put the result into use if it is better.

    Raises:
        NotEnoughJobs: fewer than 30 jobs of that kind finished well.
        StorageFailed: MLflow or the disk did not take it; what is in use stays in use.
    """
    from animatize_assets.performance.training import train
    from animatize_assets.performance.training_record import training_record

    jobs = store.jobs(
        pipeline_type=pipeline_type, since=now - timedelta(days=keep_days), newest=MOST_JOBS
    )
    trained = train(jobs, pipeline_type, now=now, champion=champions(pipeline_type))
    registered = registry.register(training_record(trained, jobs))
    decision = trained.card.promotion
    if decision.promote:
        registry.promote(registered, decision.reason)
    else:
        registry.rows.leave_out_of_use(registered, decision.reason)
    old = drop_old_models(store.engine)
    for each in old:
        registry.remove(each.model_name, each.version)
    return Retraining(
        registered=registry.rows.version(pipeline_type, registered.version),
        trained=trained,
        is_promoted=decision.promote,
        reason=decision.reason,
        removed=len(old),
    )
