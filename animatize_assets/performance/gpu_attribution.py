"""Which figures of a GPU belong to a job.

Belongs here: judging one look at the devices, and adding looks up over a job. Does not belong
here: looking (``nvml``), when that is done (``sampling``).

A look counts for a job as

``process``  NVML names a process of the job, and tells its memory or its share of the time;
``device``   it does not tell them apart, but no other process uses the device;
``shared``   several jobs use the device, or several processes that cannot be told apart: the look
             is marked and its figures belong to nobody.

A device that no process of the job is on counts as nothing: a clip drawn on the CPU gets no GPU
figure from a GPU that happens to be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from animatize_assets.performance.gpu import GpuMonitor, GpuProcess, GpuReading
from animatize_assets.performance.models import GpuAttribution

UNUSED = "no process of the job uses a GPU"
LEAST_OWN_SHARE = 0.5
"""A job of which fewer looks are its own is ``shared`` as a whole."""


@dataclass(frozen=True)
class JobProcesses:
    """What is known of a job's processes at the moment of a look."""

    pids: Collection[int]
    """This process and its descendants."""
    has_rivals: bool = False
    """Whether another job is under way in the same processes."""
    uses_cuda: bool | None = None
    """Whether one of them has opened CUDA's device file; None when that cannot be read. Asked
    only where process ids of the driver mean nothing here."""


@dataclass(frozen=True)
class GpuLook:
    """One look, judged for one job."""

    attribution: GpuAttribution | None
    reason: str | None = None
    """Why there is no attribution, or why it is ``shared``."""
    devices: tuple[GpuReading, ...] = ()
    """Those that the job is on."""
    utilization: float | None = None
    memory_used_mb: float | None = None
    unread: dict[str, str] = field(default_factory=dict)


def judge(readings: Sequence[GpuReading], monitor: GpuMonitor, processes: JobProcesses) -> GpuLook:
    """Judge one look at all devices for one job.

    A job on several devices gets the mean of their utilization and the sum of their memory.
    """
    if not readings:
        return GpuLook(None, monitor.problem or "there is no GPU")
    if monitor.foreign_pids is None:
        used = [each for each in readings if _is_on(each, processes.pids)]
        if not used:
            unlisted = [each.unread["processes"] for each in readings if each.processes is None]
            return GpuLook(None, unlisted[0] if unlisted else UNUSED)
        looks = [_by_pid(each, processes) for each in used]
    else:
        reason = _cannot_tell(readings, monitor, processes)
        if reason is not None:
            return GpuLook(None, reason)
        looks = [_by_device(each, processes) for each in readings if not each.is_lost]
    return _together(looks)


def _is_on(reading: GpuReading, pids: Collection[int]) -> bool:
    return any(each.pid in pids for each in reading.processes or ())


def _by_pid(reading: GpuReading, processes: JobProcesses) -> GpuLook:
    if processes.has_rivals:
        return GpuLook("shared", "several jobs of this process were under way", (reading,))
    listed = reading.processes or ()
    own = [each for each in listed if each.pid in processes.pids]
    is_alone = len(own) == len(listed)
    memory, utilization = _memory_of(own), _utilization_of(own)
    if memory is None and utilization is None:
        if not is_alone:
            return GpuLook("shared", "NVML does not tell its processes apart", (reading,))
        return _whole(reading)
    unread = {}
    if is_alone and reading.utilization is not None:
        utilization = reading.utilization
    if utilization is None:
        unread["utilization"] = (
            reading.unread.get("utilization", "NVML does not tell")
            if is_alone
            else reading.unread.get("process_utilization", "not told of each process")
        )
    if memory is None:
        unread["memory_used_mb"] = "NVML does not tell the memory of a process"
    return GpuLook("process", None, (reading,), utilization, memory, unread)


def _memory_of(own: Sequence[GpuProcess]) -> float | None:
    told = [each.memory_used_mb for each in own if each.memory_used_mb is not None]
    return sum(told) if len(told) == len(own) else None


def _utilization_of(own: Sequence[GpuProcess]) -> float | None:
    told = [each.utilization for each in own if each.utilization is not None]
    # each share is rounded up on its own, so a sum may be a little over the whole
    return min(sum(told), 100.0) if len(told) == len(own) else None


def _cannot_tell(
    readings: Sequence[GpuReading], monitor: GpuMonitor, processes: JobProcesses
) -> str | None:
    """Return why nothing counts for the job where process ids mean nothing; None if it may."""
    first = readings[0]
    why: str | None = None
    if processes.uses_cuda is False:
        return UNUSED
    if processes.uses_cuda is None:
        why = "whether the job uses a GPU cannot be read either"
    elif all(each.is_lost for each in readings):
        return first.unread["processes"]
    elif monitor.is_exclusive:
        return None
    elif len(readings) > 1:
        why = f"so which of {len(readings)} devices is its cannot be told"
    elif not first.processes:
        why = first.unread.get("processes", "so whether others use the device cannot be told")
    return None if why is None else f"{monitor.foreign_pids}; {why}"


def _by_device(reading: GpuReading, processes: JobProcesses) -> GpuLook:
    if processes.has_rivals:
        return GpuLook("shared", "several jobs of this process were under way", (reading,))
    if len(reading.processes or ()) > 1:
        return GpuLook("shared", "several processes that cannot be told apart use it", (reading,))
    return _whole(reading)


def _whole(reading: GpuReading) -> GpuLook:
    unread = {
        name: reason
        for name, reason in reading.unread.items()
        if name in {"utilization", "memory_used_mb"}
    }
    return GpuLook("device", None, (reading,), reading.utilization, reading.memory_used_mb, unread)


def _together(looks: Sequence[GpuLook]) -> GpuLook:
    """Put the devices of one job together."""
    devices = tuple(device for look in looks for device in look.devices)
    marked = next((look for look in looks if look.attribution == "shared"), None)
    if marked is not None:
        return GpuLook("shared", marked.reason, devices)
    busy = [look.utilization for look in looks if look.utilization is not None]
    memory = [look.memory_used_mb for look in looks if look.memory_used_mb is not None]
    return GpuLook(
        "device" if any(look.attribution == "device" for look in looks) else "process",
        None,
        devices,
        sum(busy) / len(busy) if busy else None,
        sum(memory) if len(memory) == len(looks) else None,
        {name: reason for look in looks for name, reason in look.unread.items()},
    )


class GpuFigures:
    """Adds the looks of one job up. Not to be shared between threads.

    Averages are over the looks at which the job was on a device and nobody shared it.
    """

    def __init__(self) -> None:
        self._looks: Counter[str] = Counter()
        self._reason: str | None = None
        self._unread: dict[str, str] = {}
        self._devices: dict[str, GpuReading] = {}
        self._utilization: list[float] = []
        self._memory: list[float] = []

    def add(self, look: GpuLook) -> None:
        """Take one look into account."""
        self._looks[look.attribution or "none"] += 1
        self._reason = look.reason or self._reason
        self._unread |= look.unread
        for device in look.devices:
            self._devices[device.key] = device
        if look.utilization is not None:
            self._utilization.append(look.utilization)
        if look.memory_used_mb is not None:
            self._memory.append(look.memory_used_mb)

    def fields(self, unlooked: str | None = None) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the GPU fields of ``ResourceUse`` that are known, and what is not and why.

        Of a shared job the device's name and size are kept, and nothing else. ``unlooked``: why
        there was no look at all, if not because the job was too short.
        """
        looks = sum(self._looks.values())
        own = self._looks["process"] + self._looks["device"]
        shared = self._looks["shared"]
        if not looks:
            return {}, {"gpu": unlooked or "the job ended before the first look at the GPU"}
        if not own + shared:
            return {}, {"gpu": self._reason or UNUSED}
        known, unmeasured = self._of_devices()
        if own < LEAST_OWN_SHARE * (own + shared):
            reason = f"{shared} of {looks} looks at the GPU were shared: {self._reason}"
            return known | {"gpu_attribution": "shared"}, unmeasured | {"gpu": reason}
        if own < looks:
            unmeasured["gpu"] = f"{looks - own} of {looks} looks are not counted: {self._reason}"
        known["gpu_attribution"] = "device" if self._looks["device"] else "process"
        for values, average, peak, name in (
            (self._utilization, "gpu_utilization_avg", "gpu_utilization_peak", "utilization"),
            (self._memory, "vram_used_mb", "vram_peak_mb", "memory_used_mb"),
        ):
            if values:
                known |= {average: sum(values) / len(values), peak: max(values)}
            else:
                unmeasured |= dict.fromkeys((average, peak), self._unread[name])
        return known, unmeasured

    def _of_devices(self) -> tuple[dict[str, Any], dict[str, str]]:
        known: dict[str, Any] = {}
        unmeasured = {}
        devices = list(self._devices.values())
        names = Counter(device.name for device in devices if device.name is not None)
        totals = [d.memory_total_mb for d in devices if d.memory_total_mb is not None]
        if names.total() == len(devices):
            known["gpu_model"] = ", ".join(
                name if count == 1 else f"{count} x {name}" for name, count in names.items()
            )
        else:
            unmeasured["gpu_model"] = next(d.unread["name"] for d in devices if d.name is None)
        if len(totals) == len(devices):
            known["vram_total_mb"] = sum(totals)
        else:
            unmeasured["vram_total_mb"] = next(
                d.unread["memory_total_mb"] for d in devices if d.memory_total_mb is None
            )
        return known, unmeasured
