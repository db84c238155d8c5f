"""What one look at a GPU shows, whoever looks.

Belongs here: the readings, and the protocol of what reads them. Does not belong here: NVIDIA's
library (``nvml``), which job a reading belongs to (``gpu_attribution``).

Memory is in MB of 10^6 bytes, utilization in per cent. What could not be read is None, never 0,
and ``unread`` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that uses a device."""

    pid: int
    """In the process id namespace of the driver, which is the host's."""
    memory_used_mb: float | None
    utilization: float | None
    """Share of the time in which the device computed for this process, %."""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One device, or one MIG instance, at one moment."""

    index: str
    """Its place in the driver's list: ``0``, or ``0.1`` for the second MIG instance of the first
    device."""
    uuid: str | None
    name: str | None
    utilization: float | None = None
    memory_used_mb: float | None = None
    memory_total_mb: float | None = None
    processes: tuple[GpuProcess, ...] | None = None
    is_mig: bool = False
    is_lost: bool = False
    """It answered before and does no longer: it fell off the bus, or its driver was unloaded."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """A field above, or ``process_utilization`` -> why it is None."""

    @property
    def key(self) -> str:
        """What tells it from every other one of this machine."""
        return self.uuid or self.index


class GpuMonitor(Protocol):
    """Something that looks at the GPUs of this machine. No method ever raises."""

    @property
    def problem(self) -> str | None:
        """Why no GPU can be read; None when some can."""

    @property
    def foreign_pids(self) -> str | None:
        """Why its process ids are not those that this process sees; None when they are."""

    @property
    def is_exclusive(self) -> bool:
        """Whether nobody outside this container uses its devices, as a person declared."""

    def read(self) -> tuple[GpuReading, ...]:
        """Look at every device."""
