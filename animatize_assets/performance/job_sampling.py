"""The sampling of one job, which may fail without the job failing.

Belongs here: the protocol of a sampler, and the guard around it. Does not belong here: sampling
(``sampling``).
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from animatize_assets.performance.models import ResourceUse

_log = logging.getLogger(__name__)


class Sampling(Protocol):
    """The sampling of one job."""

    def stop(self) -> ResourceUse:
        """End it and return what the job used."""


class Sampler(Protocol):
    """Something that samples what jobs use (``sampling.ResourceSampler``)."""

    def start(self, part_of: Any = None) -> Sampling:
        """Begin to sample for a job; ``part_of``: the sampling of the job around it."""


class GuardedSampling:
    """Begins and ends a sampling; what goes wrong is reported and becomes a reason."""

    def __init__(self, sampler: Sampler | None, around: GuardedSampling | None = None) -> None:
        self._sampler = sampler
        self._around = around
        self._sampling: Sampling | None = None
        self._failure: str | None = None

    def begin(self) -> None:
        """Begin to sample, unless that is under way."""
        if self._sampler is None or self._sampling is not None:
            return
        try:
            self._sampling = self._sampler.start(self._around and self._around._sampling)  # noqa: SLF001
        except Exception as error:  # noqa: BLE001  # no job fails because it cannot be measured
            self._note(error)

    def end(self) -> ResourceUse:
        """End the sampling and return what was used since it began."""
        sampling, self._sampling = self._sampling, None
        if sampling is not None:
            try:
                return sampling.stop()
            except Exception as error:  # noqa: BLE001  # as above
                self._note(error)
        if self._failure is None:
            return ResourceUse()
        names = (
            "gpu",
            "cpu_utilization_avg",
            "cpu_utilization_own",
            "memory_used_mb",
            "disk_read_mb",
            "disk_write_mb",
        )
        return ResourceUse(unmeasured=dict.fromkeys(names, self._failure))

    def _note(self, error: Exception) -> None:
        self._failure = f"sampling failed: {type(error).__name__}"
        _log.warning("A job is not sampled.", exc_info=True)
