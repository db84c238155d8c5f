"""How busy this machine is, for a service that runs for long and for a job that passes through.

Belongs here: host-level readings and the loop that takes them. Does not belong here: what one job
uses (``sampling``), where readings go to (``web``).

"The machine" is what may be used of it: in a container with limits (cgroup v2) the cores and the
memory of the limit, else the host's. Memory is in MB of 10^6 bytes, utilization in per cent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import psutil

from animatize_assets.performance.cgroups import ControlGroups
from animatize_assets.performance.gpu import GpuMonitor, GpuReading

MEGA = 1_000_000
WATCH_INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True)
class CpuMark:
    """The machine's CPU time so far; the difference of two marks is its use in between."""

    busy_s: float
    """Core-seconds in which something ran."""
    capacity_s: float
    """Core-seconds in which something could have run."""

    def utilization_until(self, later: CpuMark) -> float | None:
        """Return the share used in between, %; None when no tick of the CPU clock passed."""
        capacity = later.capacity_s - self.capacity_s
        if capacity <= 0:
            return None
        share = (later.busy_s - self.busy_s) / capacity
        # ticks of the cores are not counted at one instant, so a share may be a little off
        return 100 * min(max(share, 0.0), 1.0)


class Machine:
    """What may be used of this machine, and how much of it is.

    ``clock`` counts seconds.
    """

    def __init__(
        self,
        groups: ControlGroups | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._groups = groups or ControlGroups()
        self._clock = clock

    @property
    def cpu_count(self) -> float | None:
        """Cores that may be used; in a container this may be a fraction."""
        host = psutil.cpu_count()
        limit = self._groups.cpu_limit
        if limit is None:
            return host
        return limit if host is None else min(limit, float(host))

    def cpu_mark(self) -> CpuMark:
        """Return the CPU time so far."""
        used, limit = self._groups.cpu_used_s(), self._groups.cpu_limit
        if used is not None and limit is not None:
            return CpuMark(used, self._clock() * limit)
        times = psutil.cpu_times()
        # guests' time is part of user and nice as well, and waiting for a disk is idle
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        total = sum(times) - guests
        return CpuMark(total - times.idle - getattr(times, "iowait", 0.0), total)

    def memory_mb(self) -> tuple[float, float]:
        """Return memory in use and in all."""
        host = psutil.virtual_memory()
        limit, used = self._groups.memory_limit_mb, self._groups.memory_used_mb()
        if limit is not None and used is not None and limit < host.total / MEGA:
            return used, limit
        return (host.total - host.available) / MEGA, host.total / MEGA

    @property
    def memory_total_mb(self) -> float:
        """Memory in all."""
        return self.memory_mb()[1]


@dataclass(frozen=True, slots=True)
class HostReading:
    """The machine at one moment. What could not be read is None and in ``unread``."""

    at: datetime
    cpu: CpuMark
    cpu_count: float | None
    cpu_utilization: float | None
    """Since the reading before, % of all cores."""
    memory_used_mb: float
    memory_total_mb: float
    gpus: tuple[GpuReading, ...]
    unread: Mapping[str, str] = field(default_factory=dict)
    """A field above, or ``gpu`` -> why it could not be read."""


def read_host(
    since: HostReading | None = None,
    monitor: GpuMonitor | None = None,
    *,
    machine: Machine | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> HostReading:
    """Take a reading; CPU utilization is the average since the reading ``since``."""
    machine = machine or Machine()
    unread = {}
    mark = machine.cpu_mark()
    utilization = None if since is None else since.cpu.utilization_until(mark)
    if since is None:
        unread["cpu_utilization"] = "it is the first reading"
    elif utilization is None:
        unread["cpu_utilization"] = "no tick of the CPU clock passed since the reading before"
    count = machine.cpu_count
    if count is None:
        unread["cpu_count"] = "the operating system does not tell"
    gpus = () if monitor is None else monitor.read()
    if monitor is None:
        unread["gpu"] = "no monitor of GPUs was set up"
    elif monitor.problem is not None:
        unread["gpu"] = monitor.problem
    used, total = machine.memory_mb()
    return HostReading(now(), mark, count, utilization, used, total, gpus, unread)


class Stop(Protocol):
    """What ends a watch; a ``threading.Event`` is one."""

    def wait(self, timeout: float) -> bool:
        """Wait that many seconds, or until the end; True at the end."""


def watch(
    tell: Callable[[HostReading], None],
    stop: Stop,
    *,
    monitor: GpuMonitor | None = None,
    interval_s: float = WATCH_INTERVAL_S,
    machine: Machine | None = None,
) -> None:
    """Tell a reading now and every ``interval_s`` seconds until ``stop``; run it in a thread."""
    machine = machine or Machine()
    reading = read_host(monitor=monitor, machine=machine)
    tell(reading)
    while not stop.wait(interval_s):
        reading = read_host(reading, monitor, machine=machine)
        tell(reading)
