"""What is measured of a job on a real NVIDIA device; skipped where there is none."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path

import psutil
import pytest

from animatize_assets.performance.models import ResourceUse
from animatize_assets.performance.nvml import NvidiaMonitor
from animatize_assets.performance.sampling import ResourceSampler

pytestmark = pytest.mark.skipif(
    find_library("cuda") is None or find_library("nvidia-ml") is None,
    reason="needs an NVIDIA device and its driver",
)

ROOT = Path(__file__).parents[2]
MIB = 1024**2
OWN, RIVALS = 1024 * MIB, 4096 * MIB
CONTEXT_MB = 1500
"""More than what the driver takes for a process that computes, besides what it asked for."""

Load = Callable[..., None]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Compute in another process until the test ends: a child, or one outside this tree."""
    files: list[Path] = []

    def begin(size: int, *, is_stranger: bool = False) -> None:
        file = tmp_path / f"load {len(files)}"
        files.append(file)
        module = "animatize_assets_tests.performance.gpu_load"
        command = [sys.executable, "-m", module, str(size), str(file)]
        if is_stranger:
            command = ["setsid", "--fork", *command]
        processes.append(subprocess.Popen(command, cwd=ROOT))
        until = time.monotonic() + 60
        while not (file.is_file() and file.read_text()):
            assert time.monotonic() < until, "the device was not reached"
            time.sleep(0.1)
        if is_stranger:
            strangers.append(psutil.Process(int(file.read_text())))

    strangers: list[psutil.Process] = []
    processes: list[subprocess.Popen[bytes]] = []
    yield begin
    for file in files:
        file.unlink(missing_ok=True)
    for process in processes:
        assert process.wait(30) == 0
    _, left = psutil.wait_procs(strangers, timeout=30)
    assert not left


def sampled(monitor: NvidiaMonitor, seconds: float = 6) -> ResourceUse:
    sampler = ResourceSampler(0.5, monitor)
    job = sampler.start()
    time.sleep(seconds)
    use = job.stop()
    sampler.close()
    return use


def _smi(what: str) -> float:
    asked = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits", "--id=0"]
    return float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)


def test_a_device_is_read_as_nvidias_own_tool_reads_it(load: Load) -> None:
    load(OWN)
    monitor = NvidiaMonitor()
    reading = monitor.read()[0]
    assert monitor.problem is None
    assert reading.name
    assert reading.uuid
    assert not set(reading.unread) - {"process_utilization"}
    assert reading.memory_total_mb == pytest.approx(_smi("memory.total") * MIB / 1e6, rel=0.02)
    assert reading.memory_used_mb == pytest.approx(_smi("memory.used") * MIB / 1e6, abs=100)
    time.sleep(2)
    busy = monitor.read()[0].utilization
    assert busy is not None
    assert busy > 50
    monitor.close()


def test_a_jobs_own_use_is_measured(load: Load) -> None:
    load(OWN)
    use = sampled(NvidiaMonitor())
    assert use.gpu_attribution in {"process", "device"}
    assert use.gpu_model
    assert use.gpu_utilization_avg is not None
    assert use.gpu_utilization_avg > 50
    assert use.vram_peak_mb is not None
    assert OWN / 1e6 <= use.vram_peak_mb <= OWN / 1e6 + CONTEXT_MB
    assert use.vram_total_mb is not None
    assert use.vram_total_mb > use.vram_peak_mb


def test_what_a_stranger_uses_is_not_the_jobs(load: Load) -> None:
    load(RIVALS, is_stranger=True)
    monitor = NvidiaMonitor()
    without = sampled(monitor)
    assert without.gpu_utilization_avg is None
    assert without.vram_peak_mb is None
    assert "gpu" in without.unmeasured
    load(OWN)
    beside = sampled(monitor)
    if monitor.foreign_pids is None:
        assert beside.gpu_attribution == "process"
        assert beside.vram_peak_mb is not None
        assert OWN / 1e6 <= beside.vram_peak_mb <= OWN / 1e6 + CONTEXT_MB
        assert beside.gpu_utilization_avg is None or beside.gpu_utilization_avg < 100
    else:  # the driver's process ids mean nothing here, so nobody gets the figures
        assert beside.gpu_attribution in {"shared", None}
        assert beside.vram_peak_mb is None
        assert "gpu" in beside.unmeasured
