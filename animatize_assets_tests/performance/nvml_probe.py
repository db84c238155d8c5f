"""A process that reads GPUs by the real binding, and does what it is told on its standard input.

One JSON command a line, one JSON answer a line. Run as
``python -m animatize_assets_tests.performance.nvml_probe``; see ``stubbed_nvml`` for who runs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from animatize_assets.performance.nvml import NvidiaMonitor
from animatize_assets.performance.process_tree import ProcessTree
from animatize_assets.performance.sampling import JobSampling, ResourceSampler

NEVER_S = 3600.0
"""The thread never takes a sample by itself: the test says when."""


class Probe:
    def __init__(self) -> None:
        self.now = 0.0
        self.children: list[subprocess.Popen[bytes]] = []
        self.open_files: list[Any] = []
        self.renew()

    def renew(self, *, is_exclusive: bool = False, cuda_device_file: str = "/nowhere") -> str:
        """Begin anew with another monitor and sampler; returns why pids cannot be compared."""
        self.jobs: dict[str, JobSampling] = {}
        self.monitor = NvidiaMonitor(
            is_exclusive=is_exclusive, reopen_s=60.0, clock=lambda: self.now
        )
        tree = ProcessTree(cuda_device_file=Path(cuda_device_file), cpu_clock=lambda: 0.0)
        self.sampler = ResourceSampler(NEVER_S, self.monitor, tree=tree)
        return self.monitor.foreign_pids or ""

    def read(self) -> dict[str, Any]:
        readings = [asdict(each) for each in self.monitor.read()]
        return {"readings": readings, "problem": self.monitor.problem}

    def open_monitor(self) -> str | None:
        self.monitor.open()
        return self.monitor.problem

    def close_monitor(self) -> str | None:
        self.monitor.close()
        return self.monitor.problem

    def later(self, seconds: float) -> None:
        self.now += seconds

    def start(self, name: str, part_of: str | None = None) -> None:
        self.jobs[name] = self.sampler.start(None if part_of is None else self.jobs[part_of])

    def sample(self) -> None:
        self.sampler.sample()

    def stop(self, name: str) -> dict[str, Any]:
        return self.jobs[name].stop().model_dump()

    def child(self) -> int:
        """Start a child that lives as long as this process, and return its id."""
        waits = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
        self.children.append(subprocess.Popen(waits, stdin=subprocess.PIPE))
        return self.children[-1].pid

    def hold_open(self, path: str) -> None:
        self.open_files.append(Path(path).open("rb"))  # noqa: SIM115


def main() -> None:
    probe = Probe()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        sys.stdout.write(json.dumps(getattr(probe, name)(**arguments)) + "\n")
        sys.stdout.flush()
    for child in probe.children:
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
    for file in probe.open_files:
        file.close()


if __name__ == "__main__":
    main()
