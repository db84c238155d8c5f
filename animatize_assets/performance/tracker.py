"""The tracker: opens a job, asks for its estimate, ends it and hands its record on.

Belongs here: the life of one block. Does not belong here: the marks (``tracked_job``), the
decorator and what a process tracks with (``tracking``), where records go (``recording``).
"""

from __future__ import annotations

import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol

from animatize_assets.performance.given_parameters import clean, read_given
from animatize_assets.performance.job_sampling import GuardedSampling, Sampler
from animatize_assets.performance.models import (
    PIPELINE_TYPES,
    Estimate,
    JobRecord,
    Submission,
)
from animatize_assets.performance.tracked_job import Clocks, TrackedGenerationJob
from animatize_assets.telemetry import metrics
from animatize_assets.telemetry.job_tracking import UNTRACKED, TrackedJob

_log = logging.getLogger(__name__)

MEGA = 1_000_000
LONGEST_JOB_ID = 128
"""The column's."""

_current: ContextVar[TrackedGenerationJob | None] = ContextVar("tracked_job", default=None)


class Recorder(Protocol):
    """Where records go (``recording.JobRecorder``)."""

    def record(self, job: JobRecord) -> object:
        """Write a record; never raises."""


class Tracking:
    """Implements ``telemetry.JobTracker``: measures jobs and hands their records on.

    ``estimate`` is asked for each job when it is submitted; its promise is stored with the job.
    ``clock`` tells the time, with its time zone; ``timer`` counts seconds. Safe to use from
    several threads and tasks at once. Nothing that goes wrong in here reaches a job.
    """

    def __init__(
        self,
        recorder: Recorder,
        sampler: Sampler | None = None,
        estimate: Callable[[Submission], Estimate | None] | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.recorder = recorder
        self.sampler = sampler
        self.estimate = estimate
        self.clocks = Clocks(clock, timer)

    def track(
        self, job_id: str, pipeline_type: str, params: Mapping[str, object]
    ) -> AbstractContextManager[TrackedJob]:
        """Track the work of a ``with`` block; an exception is recorded and raised on.

        ``params``: what ``given_parameters.read_given`` takes: fields of ``JobParameters``, further
        parameters by any name, and ``run_id``, ``partition_key``, ``queue_length``, ``queued_at``
        (when it was enqueued) or ``queue_time_seconds``.
        """
        return _Block(self, job_id, pipeline_type, params)


class _Block:
    """Tracks what happens between entering and leaving it."""

    def __init__(
        self, tracking: Tracking, job_id: str, pipeline_type: str, params: Mapping[str, object]
    ) -> None:
        self._tracking = tracking
        self._job_id, self._pipeline_type, self._params = job_id, pipeline_type, params
        self._job: TrackedGenerationJob | None = None
        self._token: Token[TrackedGenerationJob | None] | None = None

    def __enter__(self) -> TrackedJob:
        try:
            self._job = self._opened()
        except Exception:  # noqa: BLE001  # no job fails because it cannot be tracked
            _log.exception("Job %s is not tracked.", self._job_id)
            return UNTRACKED
        self._token = _current.set(self._job)
        return self._job

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._job is None:
            return
        self._leave()
        try:
            record = self._job.finish(error)
            self._tracking.recorder.record(record)
            _measure(record)
        except Exception:  # noqa: BLE001  # as above
            _log.exception("Job %s is not recorded.", self._job.job_id)

    def _opened(self) -> TrackedGenerationJob:
        if self._pipeline_type not in PIPELINE_TYPES:
            raise ValueError(
                f"'{self._pipeline_type}' is no pipeline type; they are {PIPELINE_TYPES}."
            )
        given = read_given(self._params)
        if given.left_out:
            _log.warning(
                "Job %s: its record has no place for %s.", self._job_id, ", ".join(given.left_out)
            )
        around = _current.get()
        job = TrackedGenerationJob(
            _fit_job_id(self._job_id),
            self._pipeline_type,
            given,
            clocks=self._tracking.clocks,
            sampling=GuardedSampling(
                self._tracking.sampler, None if around is None else around.sampling
            ),
        )
        job.estimate = self._estimated(job)
        job.enter()
        return job

    def _estimated(self, job: TrackedGenerationJob) -> Estimate | None:
        if self._tracking.estimate is None:
            return None
        try:
            return self._tracking.estimate(
                Submission(
                    pipeline_type=job.pipeline_type,
                    parameters=job.given.parameters,
                    submitted_at=job.submitted_at,
                    queue_length=job.given.facts.queue_length,
                )
            )
        except Exception:  # noqa: BLE001  # as above
            _log.exception("Job %s starts without an estimate.", job.job_id)
            return None

    def _leave(self) -> None:
        if self._token is None:
            return
        try:
            _current.reset(self._token)
        except ValueError:
            # Left in another context than entered: a generator was closed by somebody else. That
            # context still has what it had.
            _log.debug("Job %s ended in another context.", self._job_id)


def _measure(job: JobRecord) -> None:
    """Tell the metrics what only a finished job knows: its estimate's error, its GPU."""
    if job.success and job.promise is not None:
        metrics.record_estimate(
            job.pipeline_type,
            job.promise.method,
            estimated_s=job.promise.predicted_seconds,
            actual_s=job.total_time_seconds,
        )
    used, memory_mb = job.resources.gpu_utilization_avg, job.resources.vram_peak_mb
    metrics.record_gpu(
        job.pipeline_type,
        utilization=None if used is None else used / 100,
        memory_bytes=None if memory_mb is None else memory_mb * MEGA,
    )


def current_job() -> TrackedJob:
    """Return the innermost job that this thread or task works on, or one that records nothing.

    An asyncio task works on the job in which it was created; a new thread on none.
    """
    return _current.get() or UNTRACKED


def _fit_job_id(job_id: object) -> str:
    """Return an id that fits its column; the same one for the same."""
    text = clean(str(job_id))
    if not text:
        return uuid.uuid4().hex
    if len(text) <= LONGEST_JOB_ID:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: LONGEST_JOB_ID - 17]}-{digest}"
