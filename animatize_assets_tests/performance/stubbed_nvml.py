"""A machine whose NVIDIA driver is a stub that the test compiles (``nvml_stub.c``).

The real binding loads it in a process of its own (``nvml_probe``), because a process loads a
library once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).with_name("nvml_stub.c")
ROOT = Path(__file__).parents[2]
GIB = 1024**3

NOT_SUPPORTED = 3
NO_PERMISSION = 4
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
GPU_IS_LOST = 15

ONE_GPU: Mapping[str, object] = {
    "devices": 1,
    "gpu0.uuid": "GPU-0",
    "gpu0.name": "Stub 80GB",
    "gpu0.utilization": 40,
    "gpu0.memory": "6000000000:80000000000",
    "gpu0.compute": "",
}


def compiled_stub(folder: Path, *options: str) -> Path:
    """Compile the library and return the folder to look for it in; skip without a compiler."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    name = "libnvidia-ml.so.1"
    shared = ["-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name)]
    strict = ["-std=c99", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *strict, *options, *shared, str(SOURCE)], check=True)
    return folder


class StubbedMachine:
    """A process on a machine with made-up devices; close it at the end."""

    def __init__(self, folder: Path, library: Path | None, within: Sequence[str] = ()) -> None:
        self.state_file = folder / "state"
        self.set({})
        environment = os.environ | {"NVML_STUB_STATE": str(self.state_file)}
        environment.pop("LD_LIBRARY_PATH", None)
        if library is not None:
            environment["LD_LIBRARY_PATH"] = str(library)
        probe = "animatize_assets_tests.performance.nvml_probe"
        self._process = subprocess.Popen(
            [*within, sys.executable, "-W", "error", "-m", probe],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def set(self, state: Mapping[str, object]) -> None:
        """Make the devices so; the next call of the library sees it."""
        written = self.state_file.with_suffix(".new")
        written.write_text("".join(f"{key}={value}\n" for key, value in state.items()))
        written.replace(self.state_file)

    def do(self, command: str, /, **arguments: object) -> Any:
        """Have the process do something, and return what it answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def reading(self) -> dict[str, Any]:
        """Read a machine that has one device."""
        (only,) = self.do("read")["readings"]
        assert isinstance(only, dict)
        return only

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        self._process.stdout.close()
