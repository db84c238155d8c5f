"""How long will it take: the estimator in use, or the heuristic until there is one.

Belongs here: the choice, and what recent jobs say, kept at hand. Does not belong here: how either
of them works (``estimator``, ``heuristic``), where estimators are stored (``registry``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from animatize_assets.performance.estimator import RecentJobs, TrainedEstimator
from animatize_assets.performance.heuristic import heuristic_estimates
from animatize_assets.performance.models import (
    PIPELINE_TYPES,
    Estimate,
    JobParameters,
    JobRecord,
    PipelineType,
    Submission,
)
from animatize_assets.performance.store import PerformanceStore

RECENT = 300
"""Newest jobs that are kept at hand: the last of each worker, also where there are many."""

_Device = tuple[str | None, str | None]
"""Worker and provider."""

LoadTrained = Callable[[PipelineType], TrainedEstimator | None]
"""Gives the estimator in use, or None. It is asked for each call, so it keeps what it loaded."""


@dataclass(frozen=True)
class _AtHand:
    """What is known now of one pipeline type."""

    newest_id: int | None
    trained: TrainedEstimator | None
    finished: Mapping[int, JobRecord]
    """The latest jobs by row number, in the order in which they finished."""
    recent: RecentJobs | None
    devices: Mapping[_Device, JobParameters]
    """Parameters of the last job of each worker and provider whose GPU is known."""
    looked_at: float
    """When it was last seen that this is the newest, in seconds of the timer."""


class TimeEstimator:
    """Estimates for jobs of any kind. Threads may share it.

    Recent jobs are read again when there are newer ones, which takes milliseconds; to know that
    there are costs one small query. Who is asked often while jobs end often looks only every
    ``look_every_s`` seconds, and meanwhile answers from what was known. ``timer`` counts seconds.
    """

    def __init__(
        self,
        store: PerformanceStore,
        load_trained: LoadTrained,
        *,
        look_every_s: float = 0.0,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._load_trained = load_trained
        self._look_every_s = look_every_s
        self._timer = timer
        self._at_hand: dict[PipelineType, _AtHand] = {}
        self._locks: dict[PipelineType, threading.Lock] = {
            kind: threading.Lock() for kind in PIPELINE_TYPES
        }

    def estimate(self, submission: Submission) -> Estimate:
        """Return the estimate of one job."""
        return self.estimate_many([submission])[0]

    def estimate_many(self, submissions: Sequence[Submission]) -> list[Estimate]:
        """Return the estimate of each job, in their order; kinds may be mixed."""
        told: dict[int, Estimate] = {}
        for pipeline_type in sorted({each.pipeline_type for each in submissions}):
            positions = [
                position
                for position, each in enumerate(submissions)
                if each.pipeline_type == pipeline_type
            ]
            estimates = self._of_kind(pipeline_type, [submissions[each] for each in positions])
            told |= dict(zip(positions, estimates, strict=True))
        return [told[position] for position in range(len(submissions))]

    def _of_kind(
        self, pipeline_type: PipelineType, submissions: Sequence[Submission]
    ) -> list[Estimate]:
        known = self._known(pipeline_type)
        submissions = [_with_gpu(each, known.devices) for each in submissions]
        if known.trained is None:
            return heuristic_estimates(submissions, tuple(known.finished.values()))
        return known.trained.estimate_many(submissions, known.recent)

    def _known(self, pipeline_type: PipelineType) -> _AtHand:
        known = self._at_hand.get(pipeline_type)
        if known is not None and self._is_fresh(known):
            return known
        lock = self._locks[pipeline_type]
        # One thread looks; the others need not wait for it where what is known may be a bit old.
        if not lock.acquire(blocking=known is None or not self._look_every_s):
            assert known is not None  # noqa: S101  # waited for otherwise
            return known
        try:
            return self._newest(pipeline_type)
        finally:
            lock.release()

    def _is_fresh(self, known: _AtHand) -> bool:
        return self._timer() - known.looked_at < self._look_every_s

    def _newest(self, pipeline_type: PipelineType) -> _AtHand:
        """Bring what is known up to date; the lock of this type is held."""
        known = self._at_hand.get(pipeline_type)
        if known is not None and self._is_fresh(known):
            return known  # another thread was faster
        trained, newest_id = self._load_trained(pipeline_type), self._store.newest_id()
        now = self._timer()
        if known is not None and known.newest_id == newest_id and known.trained is trained:
            known = replace(known, looked_at=now)
        else:
            before = {} if known is None else known.finished
            finished = self._finished(pipeline_type, before)
            recent = known.recent if known is not None and known.trained is trained else None
            known = _at_hand(newest_id, trained, finished, recent, now)
        self._at_hand[pipeline_type] = known
        return known

    def _finished(
        self, pipeline_type: PipelineType, before: Mapping[int, JobRecord]
    ) -> Mapping[int, JobRecord]:
        """Return the latest jobs; only those that are not among ``before`` are read."""
        ids = self._store.newest_ids(pipeline_type, RECENT)
        new = self._store.of_ids([each for each in ids if each not in before])
        known = {**before, **new}
        return {each: known[each] for each in ids if each in known}


def _at_hand(
    newest_id: int | None,
    trained: TrainedEstimator | None,
    finished: Mapping[int, JobRecord],
    before: RecentJobs | None,
    looked_at: float,
) -> _AtHand:
    jobs = tuple(finished.values())
    return _AtHand(
        newest_id=newest_id,
        trained=trained,
        finished=finished,
        recent=None if trained is None else trained.recent(jobs, before),
        devices={
            _device(job.parameters): job.parameters for job in jobs if job.parameters.gpu_model
        },
        looked_at=looked_at,
    )


def _device(parameters: JobParameters) -> _Device:
    return parameters.worker, parameters.provider


def _with_gpu(submission: Submission, devices: Mapping[_Device, JobParameters]) -> Submission:
    """Fill in the GPU that the last job of the same worker and provider used.

    Finished jobs have it by measurement; who submits a job often does not know it.
    """
    parameters = submission.parameters
    last = devices.get(_device(parameters))
    if parameters.gpu_model or last is None:
        return submission
    gpu = {"gpu_model": last.gpu_model, "vram_total_mb": last.vram_total_mb}
    return submission.model_copy(update={"parameters": parameters.model_copy(update=gpu)})
