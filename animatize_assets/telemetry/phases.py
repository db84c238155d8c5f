"""How long each phase of one piece of work takes.

Belongs here: measuring. Does not belong here: where the seconds are stored or what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from animatize_assets.telemetry.job_tracking import TrackedJob

PHASE_KINDS = {
    "open": "initialization",
    "decode": "preprocessing",
    "analyze": "processing",
    "generate": "processing",
    "render": "processing",
    "preview": "postprocessing",
}
"""Phase -> the phase of a job record that it counts as; any other is one of its own name."""


class PhaseTimer:
    """Seconds per named phase, in the order in which phases were first entered.

    A phase that is entered twice adds up. One timer belongs to one thread.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._job: TrackedJob | None = None

    def tell(self, job: TrackedJob) -> None:
        """Mark every phase from now on in the record of ``job``, too."""
        self._job = job

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the block as (a part of) the phase ``name``, also when it raises."""
        kind = PHASE_KINDS.get(name, name)
        if self._job is not None:
            self._job.mark_phase(kind, name)
        started = perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + perf_counter() - started
            if self._job is not None:
                self._job.mark_phase_end(kind)

    @property
    def seconds(self) -> dict[str, float]:
        """A copy: phase name -> seconds."""
        return dict(self._seconds)
