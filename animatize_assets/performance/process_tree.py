"""What this process and its descendants use.

Belongs here: reading them. Does not belong here: the machine (``host``), GPUs (``nvml``), what a
job made of it (``sampling``).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

MEGA = 1_000_000
SEARCH_SHARE = 0.002
"""Looking for descendants reads a file of every process of the machine (15 us each, measured); it
is done as seldom as keeps it to this share of a core."""

STATUS = Path("/proc/self/status")
"""Linux tells the peak of a process here. getrusage(2) starts a new program with the peak of the
process that started it."""

CUDA_DEVICE_FILE = Path("/dev/nvidia-uvm")
"""Opened by every process that computes with CUDA on Linux, not by one that only asks NVML."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure, or why there is none."""

    value: float | None
    reason: str | None = None


class ProcessTree:
    """A process, by default this one, and its descendants. Safe to share between threads.

    ``clock`` counts seconds; ``cpu_clock`` counts the CPU seconds of the thread that calls.
    """

    def __init__(
        self,
        root: psutil.Process | None = None,
        *,
        cuda_device_file: Path = CUDA_DEVICE_FILE,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._root = root or psutil.Process()
        self._cuda_device_file = str(cuda_device_file)
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._lock = threading.Lock()
        self._descendants: tuple[psutil.Process, ...] = ()
        self._next_search = float("-inf")

    def search(self) -> None:
        """Look for descendants, unless that was done too short a time ago."""
        with self._lock:
            if self._clock() < self._next_search:
                return
            started = self._cpu_clock()
            try:
                self._descendants = tuple(self._root.children(recursive=True))
            except psutil.Error:
                self._descendants = ()  # the root is gone, as each reading of it will say
            cost = self._cpu_clock() - started
            self._next_search = self._clock() + cost / SEARCH_SHARE

    def pids(self) -> frozenset[int]:
        """Return the ids of all known processes."""
        return frozenset(each.pid for each in (self._root, *self._descendants))

    def memory_mb(self) -> Reading:
        """Return the resident memory of all, MB; pages that they share count more than once."""
        return self._sum(lambda process: process.memory_info().rss / MEGA)

    def read_mb(self) -> Reading:
        """Return what all have read from disks so far, MB."""
        return self._sum(_bytes_of("read_bytes"))

    def written_mb(self) -> Reading:
        """Return what all have written to disks so far, MB."""
        return self._sum(_bytes_of("write_bytes"))

    def cpu_s(self) -> Reading:
        """Return the CPU seconds that all have used so far, children that ended included."""
        return self._sum(_cpu_seconds)

    def own_peak_mb(self) -> Reading:
        """Return the most memory that the root by itself ever had, MB."""
        if os.name != "posix" or self._root.pid != os.getpid():
            return Reading(None, "the peak of another process, or on this system, is not told")
        if STATUS.is_file():
            lines = STATUS.read_text(encoding="utf-8", errors="replace").splitlines()
            found = next((line for line in lines if line.startswith("VmHWM:")), None)
            if found is None:
                return Reading(None, f"{STATUS} does not tell the peak")
            return Reading(int(found.split()[1]) * 1024 / MEGA)
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # kilobytes on the BSDs, bytes on macOS: getrusage(2) of each
        return Reading(peak / MEGA if sys.platform == "darwin" else peak * 1024 / MEGA)

    def uses_cuda(self) -> bool | None:
        """Whether one of them has opened CUDA's device file; None when that cannot be read."""
        answers = [self._has_opened_cuda(each) for each in (self._root, *self._descendants)]
        return True if True in answers else None if None in answers else False

    def _has_opened_cuda(self, process: psutil.Process) -> bool | None:
        folder = Path(f"/proc/{process.pid}/fd")
        try:
            return any(_target(each) == self._cuda_device_file for each in folder.iterdir())
        except FileNotFoundError:
            return False if Path("/proc/self/fd").exists() else None
        except OSError:
            return None

    def _sum(self, figure: Callable[[psutil.Process], float]) -> Reading:
        """Add a figure up over all; the kernel adds that of a child that ended to its parent."""
        try:
            total = figure(self._root)
        except psutil.AccessDenied:
            return Reading(None, "no permission to read that of the job's process")
        except psutil.NoSuchProcess:
            return Reading(None, "the job's process is gone")
        except NotImplementedError:
            return Reading(None, "this operating system does not tell it of a process")
        for child in self._descendants:
            try:
                total += figure(child)
            except psutil.NoSuchProcess:
                continue
            except psutil.AccessDenied:
                return Reading(None, f"no permission to read that of the child {child.pid}")
        return Reading(total)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    # of children that were waited for; 0 where the system does not tell
    ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + ended)


def _target(link: Path) -> str | None:
    try:
        return str(link.readlink())
    except OSError:
        return None  # closed since the folder was listed


def _bytes_of(name: str) -> Callable[[psutil.Process], float]:
    def read(process: psutil.Process) -> float:
        counters = getattr(process, "io_counters", None)
        if counters is None:
            raise NotImplementedError
        return float(getattr(counters(), name)) / MEGA

    return read
