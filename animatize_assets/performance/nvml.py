"""NVIDIA's GPUs, by NVIDIA's own library.

Belongs here: opening the library, finding devices, and doing both again after a device was lost.
Does not belong here: what is read of a device (``nvml_readings``), whose use it is
(``gpu_attribution``), when to look (``sampling``, ``host``).

The library (``libnvidia-ml.so.1``) comes with the driver, ``pynvml`` only calls it; both are loaded
when first needed. Failures are told apart by return code, never by message.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from animatize_assets.performance.gpu import GpuReading
from animatize_assets.performance.nvml_readings import Device, in_words, read_device
from animatize_assets.performance.pid_namespace import foreign_namespace

REOPEN_S = 60.0
"""Initialising the library takes tenths of a second of a real machine: trying once a minute keeps
that below the sampler's one per cent of a core."""

_log = logging.getLogger(__name__)


class NvidiaMonitor:
    """Looks at every NVIDIA device and MIG instance. Safe to share between threads.

    Works where there is no device, no driver or no library: ``read`` returns nothing then, and
    ``problem`` says why. After a device was lost the library is initialised anew, at most every
    ``reopen_s`` seconds; so a driver that was reloaded, or installed later, is found.

    ``is_exclusive``: nobody outside this container uses its devices (as with Kubernetes' device
    plugin), so a device's figures may count as ours although process ids cannot be compared.
    ``clock`` counts seconds.
    """

    def __init__(
        self,
        *,
        is_exclusive: bool = False,
        reopen_s: float = REOPEN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_exclusive = is_exclusive
        self._foreign_pids = foreign_namespace()
        self._reopen_s = reopen_s
        self._clock = clock
        self._lock = threading.Lock()
        self._devices: list[Device] = []
        self._is_open = False
        self._has_lost_one = False
        self._problem: str | None = "NVML was not opened yet"
        self._next_try = float("-inf")

    @property
    def problem(self) -> str | None:
        """Why no GPU can be read; None when some can."""
        return self._problem

    @property
    def foreign_pids(self) -> str | None:
        """Why its process ids are not those that this process sees; None when they are."""
        return self._foreign_pids

    @property
    def is_exclusive(self) -> bool:
        """Whether nobody outside this container uses its devices, as a person declared."""
        return self._is_exclusive

    def open(self) -> None:
        """Initialise the library now; without a driver this only sets :attr:`problem`."""
        with self._lock:
            if not self._is_open:
                self._open()

    def close(self) -> None:
        """Let go of the library; reading again opens it again."""
        with self._lock:
            self._close()
            self._problem = "NVML was closed"
            self._next_try = float("-inf")

    def read(self) -> tuple[GpuReading, ...]:
        """Look at every device, opening the library first where that is due."""
        with self._lock:
            is_due = not self._is_open or self._has_lost_one
            if is_due and self._clock() >= self._next_try:
                self._close()
                self._open()
            readings = tuple(read_device(device) for device in self._devices)
            self._has_lost_one = any(reading.is_lost for reading in readings)
            return readings

    def _open(self) -> None:
        import pynvml

        self._next_try = self._clock() + self._reopen_s
        self._has_lost_one = False
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            self._problem = in_words(error)
            return
        self._is_open = True
        try:
            self._devices = _found_devices()
        except pynvml.NVMLError as error:
            self._close()
            self._problem = in_words(error)
            return
        self._problem = None if self._devices else "the driver knows no device"

    def _close(self) -> None:
        import pynvml

        self._devices = []
        if not self._is_open:
            return
        self._is_open = False
        try:
            pynvml.nvmlShutdown()
        except pynvml.NVMLError as error:
            # nothing more can be done: a driver that is gone has nothing left to shut down
            _log.info("NVML did not shut down: %s", in_words(error))


def _found_devices() -> list[Device]:
    import pynvml

    found = []
    for number in range(pynvml.nvmlDeviceGetCount()):
        index = str(number)
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(number)
        except pynvml.NVMLError as error:
            found.append(Device.without_handle(index, in_words(error)))
            continue
        found.extend(_instances(handle, index) or [Device.described(handle, index)])
    return found


def _instances(handle: Any, index: str) -> list[Device]:
    """Return the MIG instances of a device; none where it is not partitioned."""
    import pynvml

    try:
        current, _ = pynvml.nvmlDeviceGetMigMode(handle)
        places = pynvml.nvmlDeviceGetMaxMigDeviceCount(handle) if current else 0
    except pynvml.NVMLError:
        return []  # a device that knows no MIG, or says nothing of it, is read as a whole
    found = []
    for number in range(places):
        place = f"{index}.{number}"
        try:
            instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except pynvml.NVMLError as error:
            if error.value != pynvml.NVML_ERROR_NOT_FOUND:  # that one is an empty place
                found.append(Device.without_handle(place, in_words(error), is_mig=True))
            continue
        found.append(Device.described(instance, place, is_mig=True))
    return found
