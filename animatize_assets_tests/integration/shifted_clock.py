"""A wall clock that jumps for other processes, while the machine's own goes on as ever.

A small library (``shifted_clock.c``) is compiled and loaded before all others by every process that
is started meanwhile. Belongs here: compiling it, and setting the clock. Does not belong here: what
must be true after a jump.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path
from time import time

import pytest

SOURCE = Path(__file__).with_name("shifted_clock.c")


class ShiftedClock:
    """The clock of the processes that are started from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._shift_s = 0
        file.write_bytes(struct.pack("=q", 0))

    def jump(self, seconds: int) -> None:
        """Set the clock on, or back, for all of them at once."""
        self._shift_s += seconds
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", self._shift_s))

    def time(self) -> float:
        """Return what the clock shows, seconds since 1970."""
        return time() + self._shift_s


def compiled_clock(folder: Path) -> tuple[ShiftedClock, dict[str, str]]:
    """Return a clock, and the variables of the processes that it is for.

    Skips the test where nothing can be compiled.
    """
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    library, file = folder / "shifted_clock.so", folder / "clock"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the compiler of this machine does not do: {done.stderr.strip()[:300]}")
    return ShiftedClock(file), {"SHIFTED_CLOCK_FILE": str(file), "LD_PRELOAD": str(library)}
