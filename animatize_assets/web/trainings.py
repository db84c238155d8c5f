"""Trainings that the service was asked for: one at a time, in a process of their own.

Belongs here: whether one may start. Does not belong here: the training (``performance``), Dagster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from animatize_assets.errors import NotEnoughJobs
from animatize_assets.performance.heuristic import LEAST_JOBS
from animatize_assets.performance.learning import jobs_to_learn_from
from animatize_assets.performance.models import PIPELINE_TYPES, PipelineType
from animatize_assets.performance.store import PerformanceStore

if TYPE_CHECKING:
    from animatize_assets.orchestration import DetachedRuns

RETRAIN_JOB = "retrain_estimators"
"""The job's name in the code location."""

StartRuns = Callable[[str, tuple[str, ...]], "DetachedRuns"]
"""Starts a job's runs, one for each partition."""


class Trainings:
    """Starts trainings with ``start_runs``. Threads may share it."""

    def __init__(self, start_runs: StartRuns) -> None:
        self._start_runs = start_runs
        self._going_on: DetachedRuns | None = None
        self._lock = threading.Lock()

    def start(
        self, store: PerformanceStore, only: PipelineType | None = None
    ) -> tuple[Mapping[str, str], bool]:
        """Start a run for each pipeline type, or ``only`` one, that has enough jobs.

        Returns:
            Pipeline type -> id of its run, and whether they are new: not while others go on.

        Raises:
            NotEnoughJobs: none has enough.
            OrchestrationFailed: the process could not be started.

        """
        with self._lock:
            if self._going_on is not None and self._going_on.is_going_on:
                return self._going_on.run_ids, False
            asked = PIPELINE_TYPES if only is None else (only,)
            jobs = {kind: jobs_to_learn_from(store, kind) for kind in asked}
            enough = tuple(kind for kind, count in jobs.items() if count >= LEAST_JOBS)
            if not enough:
                there = " and ".join(f"{count} {kind} jobs" for kind, count in jobs.items())
                raise NotEnoughJobs(
                    f"An estimator learns from at least {LEAST_JOBS} jobs that finished well; "
                    f"here are {there}."
                )
            self._going_on = self._start_runs(RETRAIN_JOB, enough)
            return self._going_on.run_ids, True
