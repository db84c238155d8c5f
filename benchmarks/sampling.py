"""What sampling costs: the CPU time of the sampler's thread at one sample a second.

Measured as it runs, with its true pauses: once with the GPUs of this machine, if any, and once
each with 1 and with 8 made-up ones, read by the real binding from the stub library of the tests
(not measured without a C compiler; a real driver's own time is not in it). And what starting and
stopping costs a job on its own thread (no goal). Goal: at most 1 % of a core.

    python benchmarks/sampling.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from report import REPEATS, Measurement, finish, measure, not_measured

from animatize_assets.performance.gpu import GpuReading
from animatize_assets.performance.nvml import NvidiaMonitor
from animatize_assets.performance.sampling import INTERVAL_S, ResourceSampler

GOAL_PERCENT = 1.0
STUB = Path(__file__).parents[1] / "animatize_assets_tests" / "performance" / "nvml_stub.c"
LIBRARY = "libnvidia-ml.so.1"


def percent_of_a_core(samples: int) -> float:
    """Let a sampler take so many samples, and return its thread's share of a core.

    The first sample is left out: it loads the binding and opens the library, once in a process.
    """
    taken = threading.Semaphore(0)

    class Counted(NvidiaMonitor):
        def read(self) -> tuple[GpuReading, ...]:
            taken.release()
            return super().read()

    sampler = ResourceSampler(INTERVAL_S, Counted())
    job = sampler.start()
    (thread,) = (each for each in threading.enumerate() if each.name == "resource sampler")
    if thread.ident is None:
        raise RuntimeError("the sampler's thread did not start")
    clock = time.pthread_getcpuclockid(thread.ident)
    taken.acquire()
    time.sleep(INTERVAL_S / 2)
    cpu, started = time.clock_gettime(clock), time.perf_counter()
    for _ in range(samples):
        taken.acquire()
    time.sleep(INTERVAL_S / 2)
    cpu, seconds = time.clock_gettime(clock) - cpu, time.perf_counter() - started
    job.stop()
    sampler.close()
    return 100 * cpu / seconds


def job_ms() -> float:
    """Return what starting and stopping costs a job, median CPU ms of its own thread."""
    sampler = ResourceSampler(INTERVAL_S, NvidiaMonitor())
    costs = []
    for _ in range(20 * REPEATS):
        started = time.thread_time()
        sampler.start().stop()
        costs.append(1000 * (time.thread_time() - started))
    sampler.close()
    return statistics.median(costs)


def with_stub(devices: int, samples: int, compiler: str) -> float:
    """Measure in a process of its own whose driver is the stub."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shared = ["-shared", "-fPIC", f"-Wl,-soname,{LIBRARY}", "-o", str(folder / LIBRARY)]
        subprocess.run([compiler, "-O2", "-D_DEFAULT_SOURCE", *shared, str(STUB)], check=True)
        lines = [f"devices={devices}"]
        for number in range(devices):
            gpu = f"gpu{number}"
            lines += [
                f"{gpu}.uuid=GPU-{number}",
                f"{gpu}.name=Stub",
                f"{gpu}.utilization=40",
                f"{gpu}.memory=6000000000:80000000000",
                f"{gpu}.compute={os.getpid()}:1000000000 1:2000000000",
                f"{gpu}.samples=1:20",
            ]
        state = folder / "state"
        state.write_text("\n".join(lines) + "\n")
        told = {"LD_LIBRARY_PATH": name, "NVML_STUB_STATE": str(state)}
        done = subprocess.run(
            [sys.executable, __file__, "--share-of", str(samples)],
            env=os.environ | told,
            capture_output=True,
            text=True,
            check=True,
        )
    return float(json.loads(done.stdout))


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="12 samples each instead of 60")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--share-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.share_of is not None:
        print(json.dumps(percent_of_a_core(options.share_of)))
        return 0
    samples = 12 if options.quick else 60
    what = f"sampler's thread at {INTERVAL_S:g} s"
    rows: list[Measurement] = [
        measure(
            f"{what}, GPUs of this machine",
            percent_of_a_core(samples),
            "% of a core",
            goal=GOAL_PERCENT,
        )
    ]
    compiler = shutil.which("cc")
    for devices in (1, 8):
        label = f"{what}, {devices} made-up GPU(s)"
        if compiler is None:
            rows.append(not_measured(label, "% of a core", f"at most {GOAL_PERCENT:g}"))
        else:
            found = with_stub(devices, samples, compiler)
            rows.append(measure(label, found, "% of a core", goal=GOAL_PERCENT))
    rows.append(measure("start and stop of a job", job_ms(), "ms CPU"))
    return finish("sampling", rows, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
