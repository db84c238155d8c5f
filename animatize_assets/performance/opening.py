"""The performance room put together from plain arguments.

Belongs here: opening store, recorder, sampler, registry and estimator once, in the right order.
Does not belong here: where the arguments come from (``defs``, ``cli``), what the parts do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.performance.analyzer import PerformanceAnalyzer
from animatize_assets.performance.gpu import GpuMonitor
from animatize_assets.performance.learning import Champions, Retraining, retrain
from animatize_assets.performance.model_types import MODEL_TYPES, ModelType
from animatize_assets.performance.models import Estimate, PipelineType, Submission
from animatize_assets.performance.recording import JobRecorder, open_recorder
from animatize_assets.performance.registry import EstimatorRegistry
from animatize_assets.performance.run_promises import RunPromises
from animatize_assets.performance.sampling import ResourceSampler
from animatize_assets.performance.spool import Spool
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.time_estimator import TimeEstimator
from animatize_assets.performance.tracker import Tracking

_log = logging.getLogger(__name__)

DATABASE, MLFLOW_DATABASE = "performance.db", "mlflow.db"
"""File names inside the data folder."""

SPOOL = "spool"
"""Folder, inside the room's, of records that wait for the database."""


@dataclass(frozen=True)
class PerformanceRoom:
    """Everything about job records of one database. Parts are opened when they are first used.

    ``folder``: of the spool and of copies of estimators; made when needed.
    """

    database_url: str
    tracking_uri: str
    folder: Path
    thresholds: Thresholds = field(default_factory=Thresholds)
    sample_interval_s: float = 1.0
    gpu_monitor: GpuMonitor | None = None

    @cached_property
    def engine(self) -> Engine:
        """The database at the newest revision."""
        opened = open_engine(self.database_url)
        upgrade(opened)
        return opened

    @property
    def store(self) -> PerformanceStore:
        """The job records, with those that waited on the disk and can be written now."""
        self.import_spooled()
        return self._store

    @cached_property
    def _store(self) -> PerformanceStore:
        return PerformanceStore(self.engine)

    @cached_property
    def registry(self) -> EstimatorRegistry:
        """The estimators."""
        return EstimatorRegistry(self.engine, self.folder / "estimators", self.tracking_uri)

    @cached_property
    def champions(self) -> Champions:
        """The estimators in use."""
        return Champions(self.registry.rows, self.registry)

    @cached_property
    def time_estimator(self) -> TimeEstimator:
        """What tells how long jobs will take."""
        return TimeEstimator(self.store, self.champions)

    @cached_property
    def formula(self) -> TimeEstimator:
        """What tells it at once: the heuristic and finished jobs, without loading any model."""
        return TimeEstimator(self.store, lambda _: None)

    def promises(self) -> RunPromises:
        """Return what promises the jobs of one run how long they take."""
        return RunPromises(lambda: self.time_estimator)

    def retrain(
        self,
        pipeline_type: PipelineType,
        *,
        now: datetime,
        model_types: Sequence[ModelType] = MODEL_TYPES,
    ) -> Retraining:
        """Train on the records there are; the result is put into use if it is better.

        Raises:
            NotEnoughJobs: fewer than 30 jobs of that kind finished well.
            StorageFailed: MLflow or the disk did not take it.
        """
        return retrain(
            self.store,
            self.registry,
            self.champions,
            pipeline_type,
            now=now,
            model_types=model_types,
        )

    def analyzer(self) -> PerformanceAnalyzer:
        """Return the analyzer of these records."""
        return PerformanceAnalyzer(self.store, thresholds=self.thresholds)

    @cached_property
    def recorder(self) -> JobRecorder:
        """What writes job records. A database that is down does not keep it from opening."""
        try:
            upgrade(open_engine(self.database_url))
        except SQLAlchemyError as error:
            _log.warning("The performance database cannot be opened now: %s", type(error).__name__)
        return open_recorder(self.database_url, self.folder / SPOOL)

    @cached_property
    def reports(self) -> JobRecorder:
        """What writes the records that others report, and may tell them that they are safe."""
        return open_recorder(self.database_url, self.folder / SPOOL, is_durable=True)

    @cached_property
    def spool(self) -> Spool:
        """The job records that wait on the disk, and those that were set aside."""
        return Spool(self.folder / SPOOL)

    def import_spooled(self) -> int:
        """Write the job records that wait on the disk; returns how many were new.

        Costs a look into a folder while there are none. A database that takes nothing is told in
        the log, and the records stay where they are.
        """
        return self.recorder.catch_up() if self.spool.ids() else 0

    def close(self) -> None:
        """Close the connections that were opened."""
        if "engine" in self.__dict__:
            self.engine.dispose()
        for opened in ("recorder", "reports"):
            if opened in self.__dict__:
                self.__dict__[opened].close()

    def tracking(self, estimate: Callable[[Submission], Estimate | None] | None = None) -> Tracking:
        """Return what tracks work that is done in this process, with what it uses."""
        self.import_spooled()
        sampler = ResourceSampler(self.sample_interval_s, self.gpu_monitor)
        return Tracking(self.recorder, sampler, estimate)

    def call_tracking(
        self, estimate: Callable[[Submission], Estimate | None] | None = None
    ) -> Tracking:
        """Return what tracks calls to others, whose use of this machine says nothing."""
        self.import_spooled()
        return Tracking(self.recorder, None, estimate)
