"""A process that computes on the first NVIDIA device until a file is gone.

    python -m animatize_assets_tests.performance.gpu_load BYTES FILE

It asks the driver itself (``libcuda.so.1``), so it needs no CUDA toolkit. ``FILE`` gets its process
id once ``BYTES`` of the device are taken. Source of the calls: the CUDA driver API reference,
https://docs.nvidia.com/cuda/cuda-driver-api/.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

LIBRARY = "libcuda.so.1"


def load(size: int, file: Path) -> None:
    """Take ``size`` bytes of the device and write them over and over while ``file`` exists."""
    cuda = ctypes.CDLL(LIBRARY)

    def call(name: str, *arguments: object) -> None:
        code = getattr(cuda, name)(*arguments)
        if code:
            raise RuntimeError(f"{name} failed with code {code}")

    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxSetCurrent", context)
    call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(size))
    file.write_text(str(os.getpid()))
    while file.exists():
        for _ in range(100):
            call("cuMemsetD8_v2", memory, ctypes.c_ubyte(1), ctypes.c_size_t(size))
        call("cuCtxSynchronize")


if __name__ == "__main__":
    load(int(sys.argv[1]), Path(sys.argv[2]))
