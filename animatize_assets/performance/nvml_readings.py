"""What NVIDIA's library tells of one device, and what each of its return codes means for it.

Belongs here: the calls that read. Does not belong here: opening the library and finding devices
(``nvml``). Source of every meaning: the NVML API reference,
https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from animatize_assets.performance.gpu import GpuProcess, GpuReading

MEGA = 1_000_000

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "utilization": ("utilization",),
    "memory": ("memory_used_mb", "memory_total_mb"),
    "processes": ("processes",),
}
_MEASURED = tuple(name for names in _FIELDS.values() for name in names)


@dataclass
class Device:
    """A handle of the library, and what never changes about it."""

    handle: Any
    index: str
    is_mig: bool = False
    uuid: str | None = None
    name: str | None = None
    unread: dict[str, str] = field(default_factory=dict)
    seen_until: int = 0
    """Time stamp of the newest sample of process utilization, in the driver's microseconds."""

    @classmethod
    def described(cls, handle: Any, index: str, *, is_mig: bool = False) -> Device:
        """Return a device with its name."""
        import pynvml

        device = cls(handle, index, is_mig)
        try:
            device.uuid = pynvml.nvmlDeviceGetUUID(handle)
        except pynvml.NVMLError as error:
            device.unread["uuid"] = in_words(error)
        try:
            device.name = pynvml.nvmlDeviceGetName(handle)
        except pynvml.NVMLError as error:
            device.unread["name"] = in_words(error)
        return device

    @classmethod
    def without_handle(cls, index: str, reason: str, *, is_mig: bool = False) -> Device:
        """Return a device that is counted and cannot be reached."""
        unread = dict.fromkeys(("uuid", "name", *_MEASURED), reason)
        return cls(None, index, is_mig, unread=unread)


def in_words(error: Any) -> str:
    """Return an error of the library as a reason; the code is what identifies it."""
    return f"NVML: {error} (code {error.value})"


def read_device(device: Device) -> GpuReading:
    """Read everything of a device; what it refuses is None, with the reason."""
    import pynvml

    unread = dict(device.unread)
    found: dict[str, Any] = {}
    gone: str | None = None
    for name, measure in _CALLS.items() if device.handle is not None else ():
        try:
            found[name] = measure(device)
        except pynvml.NVMLError as error:
            reason = in_words(error)
            unread |= dict.fromkeys(_FIELDS[name], reason)
            if error.value in _gone():
                gone = reason
    if gone is not None:
        # what a device still tells while it disappears is not to be believed
        found = {}
        unread |= dict.fromkeys(_MEASURED, f"the device was lost; {gone}")
    elif device.is_mig and "utilization" in unread:
        unread["utilization"] = f"not told of a MIG instance; {unread['utilization']}"
    used, total = found.get("memory", (None, None))
    processes, why_no_shares = found.get("processes", (None, None))
    if why_no_shares is not None:
        unread["process_utilization"] = why_no_shares
    return GpuReading(
        index=device.index,
        uuid=device.uuid,
        name=device.name,
        utilization=found.get("utilization"),
        memory_used_mb=used,
        memory_total_mb=total,
        processes=processes,
        is_mig=device.is_mig,
        is_lost=gone is not None,
        unread=unread,
    )


def _gone() -> frozenset[int]:
    """Return the codes after which a handle is worth nothing: the device or the driver is away."""
    import pynvml

    return frozenset(
        {
            pynvml.NVML_ERROR_UNINITIALIZED,
            pynvml.NVML_ERROR_NOT_FOUND,
            pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
            pynvml.NVML_ERROR_GPU_IS_LOST,
            pynvml.NVML_ERROR_RESET_REQUIRED,
            pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
            pynvml.NVML_ERROR_GPU_NOT_FOUND,
        }
    )


def _unknown_call() -> frozenset[int]:
    """Return the codes of a call that this device, or this version of the driver, has not."""
    import pynvml

    return frozenset(
        {
            pynvml.NVML_ERROR_NOT_SUPPORTED,
            pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
            pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
        }
    )


def _utilization(device: Device) -> float:
    import pynvml

    return float(pynvml.nvmlDeviceGetUtilizationRates(device.handle).gpu)


def _memory(device: Device) -> tuple[float, float]:
    """Return used and total MB; the second version of the call leaves out the driver's share."""
    import pynvml

    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(device.handle, version=pynvml.nvmlMemory_v2)
    except pynvml.NVMLError as error:
        if error.value not in _unknown_call():
            raise
        memory = pynvml.nvmlDeviceGetMemoryInfo(device.handle)
    return memory.used / MEGA, memory.total / MEGA


def _processes(device: Device) -> tuple[tuple[GpuProcess, ...], str | None]:
    """Return who uses the device: by computing, by drawing, or through the MPS server.

    And why it is not told how much each of them computed, or None.
    """
    import pynvml

    memory: dict[int, float | None] = dict(_running(device.handle, "Compute"))
    for kind in ("Graphics", "MPSCompute"):
        try:
            running = _running(device.handle, kind)
        except pynvml.NVMLError as error:
            if error.value not in _unknown_call():
                raise
            continue  # a device that cannot draw, or be shared by MPS, has no such process
        for pid, used in running:
            # one that computes and draws is in both lists with all its memory
            known = memory.get(pid)
            memory[pid] = max((each for each in (known, used) if each is not None), default=None)
    busy, why_not = _process_utilization(device, memory) if memory else ({}, None)
    return (
        tuple(GpuProcess(pid, used, busy.get(pid)) for pid, used in sorted(memory.items())),
        why_not,
    )


def _running(handle: Any, kind: str) -> list[tuple[int, float | None]]:
    """Return process ids with their MB, None where the driver does not tell (WDDM)."""
    import pynvml

    newest = getattr(pynvml, f"nvmlDeviceGet{kind}RunningProcesses_v3")
    older = getattr(pynvml, f"nvmlDeviceGet{kind}RunningProcesses_v2")
    try:
        found = newest(handle)
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
            raise
        found = older(handle)
    return [
        (each.pid, None if each.usedGpuMemory is None else each.usedGpuMemory / MEGA)
        for each in found
    ]


def _process_utilization(
    device: Device, pids: Mapping[int, object]
) -> tuple[dict[int, float], str | None]:
    """Return the share of the device's time that each process computed, %; some may be missing.

    NVML gives a sample of each process "that had some non-zero utilization during the last sample
    period": beside samples of others, none means idle. No sample at all may also mean that no
    period ended since the last look, so then nothing is known.
    """
    import pynvml

    try:
        samples = pynvml.nvmlDeviceGetProcessUtilization(device.handle, device.seen_until)
    except pynvml.NVMLError as error:
        # pynvml raises "success" where the driver has no samples
        if error.value in {pynvml.NVML_SUCCESS, pynvml.NVML_ERROR_NOT_FOUND}:
            return {}, "NVML has no sample of any process since the last look"
        if error.value in _gone():
            raise
        return {}, in_words(error)
    latest: dict[int, Any] = {}
    for sample in sorted(samples, key=lambda each: int(each.timeStamp)):
        latest[sample.pid] = sample
        device.seen_until = max(device.seen_until, int(sample.timeStamp))
    busy = dict.fromkeys(pids, 0.0) if latest else {}
    for pid, sample in latest.items():
        busy[pid] = float(sample.smUtil)
    # drivers are known to return rubbish here at times
    return {pid: share for pid, share in busy.items() if share <= 100}, None


_CALLS: Mapping[str, Callable[[Device], Any]] = {
    "utilization": _utilization,
    "memory": _memory,
    "processes": _processes,
}
