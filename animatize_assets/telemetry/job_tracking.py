"""What a room tells while it works, so that somebody can record it.

Belongs here: the protocol, and the tracker that records nothing. Does not belong here: recording
(``performance`` implements this; ``defs`` joins the two).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class TrackedJob(Protocol):
    """One generation job that is under way. No method ever raises."""

    @property
    def estimated_seconds(self) -> float | None:
        """How long it was said to take, before it began; None: nobody said."""

    def mark_queued(self) -> None:
        """Say that the job waits from now on."""

    def mark_processing_start(self) -> None:
        """Say that it waits no longer: its work begins now."""

    def mark_phase(self, name: str, description: str = "") -> None:
        """Begin a phase; one that is open still ends now."""

    def mark_phase_end(self, name: str) -> None:
        """End a phase."""

    def mark_success(self) -> None:
        """Say that the work is done."""

    def note(self, **facts: object) -> None:
        """Tell facts of the outcome: ``cost_usd``, ``retries``, ``network_latency_ms``."""


class JobTracker(Protocol):
    """Records jobs. What it cannot record it reports; it never breaks the job."""

    def track(
        self, job_id: str, pipeline_type: str, params: Mapping[str, object]
    ) -> AbstractContextManager[TrackedJob]:
        """Track the work of a ``with`` block; an exception is recorded and raised on.

        ``params``: the fields of ``JobParameters`` that are known, and ``run_id``,
        ``partition_key``.
        """


class _Untracked:
    estimated_seconds: float | None = None

    def mark_queued(self) -> None: ...
    def mark_processing_start(self) -> None: ...
    def mark_phase(self, name: str, description: str = "") -> None: ...
    def mark_phase_end(self, name: str) -> None: ...
    def mark_success(self) -> None: ...
    def note(self, **facts: object) -> None: ...


UNTRACKED: TrackedJob = _Untracked()
"""Takes every mark and keeps none."""


class NoTracking:
    """Records nothing; the default where nobody set up a recorder."""

    @contextmanager
    def track(
        self, job_id: str, pipeline_type: str, params: Mapping[str, object]
    ) -> Iterator[TrackedJob]:
        """Do the work of the block and nothing else."""
        del job_id, pipeline_type, params
        yield UNTRACKED
