"""One generation job while it is under way: its marks, and the record they add up to.

Belongs here: what each mark means in seconds. Does not belong here: opening and recording a job
(``tracking``), reading what a caller says of it (``given_parameters``).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from animatize_assets.performance.given_parameters import Given, JobFacts, clean, fitting, plain
from animatize_assets.performance.job_sampling import GuardedSampling
from animatize_assets.performance.models import (
    Estimate,
    JobRecord,
    Phase,
    PipelineType,
    ResourceUse,
)

_log = logging.getLogger(__name__)

NOT_MARKED = "not_marked"
"""``error_type`` of a block that ended without an exception and without ``mark_success``."""

LONGEST_DETAILS = 4_000
"""Characters that are kept of an error's text."""

NOTABLE = frozenset({"cost_usd", "retries", "network_latency_ms", "run_id", "partition_key"})
"""Facts of the outcome that ``note`` takes."""


@dataclass(frozen=True)
class Clocks:
    """``wall`` tells the time, with its zone; ``seconds`` counts seconds and never goes back."""

    wall: Callable[[], datetime]
    seconds: Callable[[], float]


@dataclass
class _OpenPhase:
    name: str
    since: float


@dataclass
class _PhaseSum:
    description: str
    seconds: float = 0.0


class TrackedGenerationJob:
    """Implements ``telemetry.TrackedJob``. Safe to use from several threads; nothing raises.

    Work begins with the first of ``mark_processing_start``, ``mark_phase`` and, without any mark,
    the block itself. What lies between ``mark_queued`` and the work is queue time, and so is every
    later wait that is marked; the total leaves it out. Each thread and each asyncio task has a
    phase of its own open, so that none ends another's; a phase's seconds add up.
    """

    def __init__(
        self,
        job_id: str,
        pipeline_type: PipelineType,
        given: Given,
        *,
        clocks: Clocks,
        sampling: GuardedSampling,
    ) -> None:
        self.job_id = job_id
        self.pipeline_type: PipelineType = pipeline_type
        self.given = given
        self.estimate: Estimate | None = None
        """What was estimated when the job was submitted."""
        self._clocks = clocks
        self.sampling = sampling
        self._lock = threading.RLock()
        self._entered = self._origin = clocks.seconds()
        self._entered_at = clocks.wall().astimezone(UTC)
        self._queued: float | None = None
        self._waiting_since: float | None = None
        self._waited_before = 0.0
        self._waited_within = 0.0
        self._started: float | None = None
        self._is_success = False
        self._sums: dict[str, _PhaseSum] = {}
        self._open: dict[object, _OpenPhase] = {}
        self._noted: dict[str, object] = {}
        self._is_finished = False

    def enter(self) -> None:
        """Begin the block; for ``tracking`` alone. What came before is not the job's time."""
        self._entered = self._clocks.seconds()
        self.sampling.begin()

    @property
    def submitted_at(self) -> datetime:
        """When it was enqueued, where that is known, else when its block began."""
        queued_at = self.given.facts.queued_at
        if queued_at is None or queued_at > self._entered_at:
            return self._entered_at
        return queued_at.astimezone(UTC)

    @property
    def estimated_seconds(self) -> float | None:
        """How long it was said to take, before it began."""
        return None if self.estimate is None else self.estimate.predicted_time_seconds

    def mark_queued(self) -> None:
        """Say that the job waits from now on."""
        with self._lock:
            if self._waiting_since is not None or self._is_finished:
                return
            self._waiting_since = self._clocks.seconds()
            self._end_phases(self._waiting_since)
            if self._started is None:
                self._queued = self._waiting_since
                self.sampling.end()  # what others use while it waits is not its own

    def mark_processing_start(self) -> None:
        """Say that it waits no longer: its work begins now."""
        with self._lock:
            if self._is_finished:
                return
            now = self._clocks.seconds()
            if self._waiting_since is not None:
                waited = now - self._waiting_since
                self._waiting_since = None
                if self._started is None:
                    self._waited_before += waited
                else:
                    self._waited_within += waited
            if self._started is None:
                self._started = now
                self.sampling.begin()

    def mark_phase(self, name: str, description: str = "") -> None:
        """Begin a phase; one that this thread or task has open still ends now."""
        with self._lock:
            if self._is_finished:
                return
            self.mark_processing_start()
            now = self._clocks.seconds()
            here = _here()
            if here in self._open:
                self._end(here, now)
            name = clean(name)
            known = self._sums.setdefault(name, _PhaseSum(clean(description)))
            known.description = known.description or clean(description)
            self._open[here] = _OpenPhase(name, now)

    def mark_phase_end(self, name: str) -> None:
        """End a phase: this thread's or task's own, else the oldest of that name."""
        with self._lock:
            name = clean(name)
            places = [_here(), *self._open]
            for place in places:
                if place in self._open and self._open[place].name == name:
                    self._end(place, self._clocks.seconds())
                    return
            _log.debug("Job %s has no open phase '%s'.", self.job_id, name)

    def mark_success(self) -> None:
        """Say that the work is done."""
        self._is_success = True

    def note(self, **facts: object) -> None:
        """Tell facts of the outcome (:data:`NOTABLE`); of one told twice, the later counts."""
        unknown = facts.keys() - NOTABLE
        if unknown:
            _log.warning("Job %s: no record has %s.", self.job_id, ", ".join(sorted(unknown)))
        with self._lock:
            self._noted |= {name: plain(facts[name]) for name in facts.keys() & NOTABLE}

    def finish(self, error: BaseException | None) -> JobRecord:
        """End everything that is open and return the record; for ``tracking`` alone."""
        with self._lock:
            now = self._clocks.seconds()
            self._is_finished = True  # a task that outlives the block marks nothing any more
            self._end_phases(now)
            use = self.sampling.end()
            outcome = _outcome(error, is_success=self._is_success)
            times = self._times(now, is_success=bool(outcome["success"]))
        latency = self._noted.pop("network_latency_ms", None)
        use, no_latency = fitting(ResourceUse, dict(use) | {"network_latency_ms": latency})
        fields: dict[str, object] = {
            "job_id": self.job_id,
            "pipeline_type": self.pipeline_type,
            "parameters": self.given.parameters,
            "submitted_at": self.submitted_at,
            "queue_length": self.given.facts.queue_length,
            "phases": tuple(
                Phase(name=name, description=each.description, seconds=each.seconds)
                for name, each in self._sums.items()
            ),
            "resources": use,
            "promise": None if self.estimate is None else self.estimate.promise(),
            "run_id": self.given.facts.run_id,
            "partition_key": self.given.facts.partition_key,
        }
        noted = {name: value for name, value in self._noted.items() if value is not None}
        record, left_out = fitting(JobRecord, fields | noted | times | outcome)
        self._tell_left_out(left_out | no_latency)
        return record

    def _times(self, now: float, *, is_success: bool) -> dict[str, object]:
        """Return the instants and seconds of the record.

        A job that ended while it waited for its work: all was queue when it failed. When it
        succeeded, its work was not marked: the total includes the wait, which nobody measured.
        """
        queue: float | None = None if self._queued is None else self._waited_before
        within = self._waited_within
        started = self._started
        if self._waiting_since is not None:
            if started is not None:
                within += now - self._waiting_since
            elif is_success:
                started, queue = self._waiting_since, None
            else:
                queue = now - self._waiting_since
        elif started is None:
            started = self._entered
        started_at = None if started is None else self._at(started)
        queue = self._queue_of(self.given.facts, started_at or self._at(now), queue)
        if within:
            queue = within + (queue or 0.0)
        return {
            "started_at": started_at,
            "finished_at": max(self._at(now), self.submitted_at),
            "queue_time_seconds": queue,
            "total_time_seconds": 0.0 if started is None else max(0.0, now - started - within),
        }

    @staticmethod
    def _queue_of(facts: JobFacts, until: datetime, marked: float | None) -> float | None:
        """Return the wait before the work: as given, or since it was enqueued, or as marked."""
        if facts.queue_time_seconds is not None:
            return facts.queue_time_seconds
        if facts.queued_at is None:
            return marked
        waited = (until - facts.queued_at).total_seconds()
        return waited if waited >= 0 else None  # two clocks that disagree measure nothing

    def _at(self, seconds: float) -> datetime:
        """Return the instant of a reading of the clock that never goes back."""
        return self._entered_at + timedelta(seconds=seconds - self._origin)

    def _end(self, place: object, now: float) -> None:
        phase = self._open.pop(place)
        self._sums[phase.name].seconds += max(0.0, now - phase.since)

    def _end_phases(self, now: float) -> None:
        for place in list(self._open):
            self._end(place, now)

    def _tell_left_out(self, left_out: Mapping[str, object]) -> None:
        if left_out:
            _log.warning(
                "Job %s is recorded without %s: no fit value.",
                self.job_id,
                ", ".join(sorted(left_out)),
            )


def _outcome(error: BaseException | None, *, is_success: bool) -> dict[str, object]:
    if error is not None:
        return {
            "success": False,
            "error_type": type(error).__name__[:128],
            "error_details": clean(str(error))[:LONGEST_DETAILS],
        }
    if is_success:
        return {"success": True}
    return {
        "success": False,
        "error_type": NOT_MARKED,
        "error_details": "The block ended without an exception and without mark_success().",
    }


def _here() -> object:
    """Return what tells this thread, or asyncio task, from others."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        task = None
    return task or threading.get_ident()
