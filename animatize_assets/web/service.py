"""What the routes work with, opened when it is first used and closed with the service.

Belongs here: opening and closing. Does not belong here: HTTP, what a route does with it.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.store import ImageStore
from animatize_assets.performance.time_estimator import TimeEstimator
from animatize_assets.pipeline.generation_setup import GenerationSetup
from animatize_assets.settings import Settings
from animatize_assets.web.access import Access, is_loopback, lower
from animatize_assets.web.analysis import AnalysisProcess
from animatize_assets.web.batches import Batches
from animatize_assets.web.gallery import Gallery
from animatize_assets.web.job_sums import JobSums
from animatize_assets.web.own_process import OwnProcess
from animatize_assets.web.remembered import Remembered
from animatize_assets.web.spooled_jobs import SpooledJobs
from animatize_assets.web.tokens import FILE, TokenFile
from animatize_assets.web.trainings import Trainings
from animatize_assets.web.views import nothing
from animatize_assets.workplace.opening import Workplace

if TYPE_CHECKING:
    from animatize_assets.orchestration import DagsterInstance, DetachedRuns
    from animatize_assets.performance.opening import PerformanceRoom

_log = logging.getLogger(__name__)


LOOK_EVERY_S = 1.0
"""Estimates know of jobs that ended so long ago."""


class Service:
    """The settings of this process, its stores, and the door to Dagster. Threads share it."""

    def __init__(self, workplace: Workplace, access: Access) -> None:
        self.workplace = workplace
        self.access = access
        self._undo = ExitStack()
        self._lock = threading.Lock()
        self._dagster: DagsterInstance | None = None
        self.remembered = Remembered()
        self.own_process = OwnProcess()
        self.trainings = Trainings(self._start_runs)
        self.gallery = Gallery(workplace, lambda: self.dagster)
        self.batches = Batches(workplace.data_dir, self._start_batch)
        self.spooled_jobs = SpooledJobs(lambda: self.performance.import_spooled())  # noqa: PLW0108  # opened when it looks

    @classmethod
    def of(cls, workplace: Workplace, *, host: str | None = None) -> Service:
        """Return the service of a workplace; ``host``: where it listens, else as it is set."""
        settings = workplace.settings
        access = Access(
            token_file(settings),
            is_loopback=is_loopback(host or settings.serve_host),
            hosts=lower(settings.serve_hosts),
            origins=lower(settings.serve_origins),
        )
        return cls(workplace, access)

    @property
    def settings(self) -> Settings:
        """The environment as it was read when the process started."""
        return self.workplace.settings

    @property
    def data_dir(self) -> Path:
        """Absolute path of the data folder."""
        return self.workplace.data_dir

    @property
    def performance(self) -> PerformanceRoom:
        """Job records, estimators, alerts."""
        return self.workplace.performance

    @cached_property
    def time_estimator(self) -> TimeEstimator:
        """What tells how long jobs will take, by what was known a moment ago."""
        room = self.performance
        return TimeEstimator(room.store, room.champions, look_every_s=LOOK_EVERY_S)

    @cached_property
    def analysis(self) -> AnalysisProcess:
        """What computes statistics over many jobs."""
        return AnalysisProcess(self.performance)

    @property
    def images(self) -> ImageStore:
        """The accepted images; its ``engine`` is also that of the ledger."""
        return self.workplace.images

    @property
    def artifacts(self) -> ArtifactStore:
        """What was made from the images."""
        return self.workplace.artifacts

    @property
    def generation(self) -> GenerationSetup:
        """What is set about providers, money and caches."""
        return self.workplace.generation

    @cached_property
    def job_sums(self) -> JobSums:
        """The sums over all job records, which ``/metrics`` tells."""
        return JobSums(self.performance.engine, self.performance.folder)

    @property
    def dagster(self) -> DagsterInstance:
        """The Dagster instance of the data folder, for the functions of ``orchestration``."""
        from animatize_assets.orchestration import open_instance  # noqa: PLC0415  # a second

        with self._lock:
            if self._dagster is None:
                self._open_databases()
                self._dagster = self._undo.enter_context(open_instance(self.data_dir))
            return self._dagster

    def _open_databases(self) -> None:
        """Open ours before Dagster's: a new one of either is made by Alembic, one at a time.

        One that cannot be opened is told to whoever needs it.
        """
        with suppress(SQLAlchemyError):
            self.images  # noqa: B018  # opened
        with suppress(SQLAlchemyError):
            self.performance.engine  # noqa: B018  # opened

    def _start_runs(self, job: str, partitions: tuple[str, ...]) -> DetachedRuns:
        from animatize_assets.orchestration import start_detached  # noqa: PLC0415  # a second

        return start_detached(self.data_dir, job, partitions)

    def _start_batch(self, batch_id: str, options: Sequence[str]) -> DetachedRuns:
        from animatize_assets.orchestration import start_batch  # noqa: PLC0415  # a second

        return start_batch(self.data_dir, batch_id, options)

    def warm_up(self) -> None:
        """Load what the first caller would otherwise wait for: seconds of imports."""
        try:
            self.batches.resume()
            self.analysis.run(nothing)
            from animatize_assets.performance.models import PIPELINE_TYPES  # noqa: PLC0415

            for pipeline in PIPELINE_TYPES:
                self.performance.champions(pipeline)
            self.dagster  # noqa: B018  # opened
            # Half a million objects of libraries live as long as the process: looked through again
            # and again they would hold every request up for a quarter of a second each time.
            gc.collect()
            gc.freeze()
        except Exception:  # noqa: BLE001  # a thread that dies tells nobody
            _log.exception("The service could not be prepared; requests say what is wrong.")

    def close(self) -> None:
        """Close what was opened."""
        self.gallery.close()
        self.batches.close()
        self.spooled_jobs.close()
        self._undo.close()
        if "analysis" in vars(self):
            self.analysis.close()
        opened = vars(self.workplace)  # where cached properties keep what they opened
        if "images" in opened:
            self.images.engine.dispose()
        if "performance" in opened:
            self.performance.close()


def token_file(settings: Settings) -> TokenFile:
    """Return the access tokens of a data folder."""
    return TokenFile(settings.data_dir / FILE)
