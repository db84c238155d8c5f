"""What a job is told to have used, read of a real process and of a stubbed driver."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from animatize_assets.performance.gpu import GpuReading
from animatize_assets.performance.host import CpuMark, Machine
from animatize_assets.performance.process_tree import ProcessTree, Reading
from animatize_assets.performance.sampling import ResourceSampler
from animatize_assets_tests.performance.stubbed_nvml import (
    GPU_IS_LOST,
    NOT_SUPPORTED,
    ONE_GPU,
    StubbedMachine,
    compiled_stub,
)

NEVER_S = 3600.0
GPU_FIGURES = (
    "gpu_utilization_avg",
    "gpu_utilization_peak",
    "vram_used_mb",
    "vram_peak_mb",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_stub(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="module")
def machine_of_module(
    tmp_path_factory: pytest.TempPathFactory, library: Path
) -> Iterator[StubbedMachine]:
    machine = StubbedMachine(tmp_path_factory.mktemp("machine"), library)
    yield machine
    machine.close()


@pytest.fixture
def machine(machine_of_module: StubbedMachine) -> StubbedMachine:
    """A machine with one device; the process that runs the jobs is ``machine.pid``."""
    machine_of_module.set(ONE_GPU)
    machine_of_module.do("renew")
    return machine_of_module


def sampled(machine: StubbedMachine, *jobs: str, times: int = 1) -> list[dict[str, Any]]:
    """Run jobs side by side, take samples, and return what each used."""
    for job in jobs:
        machine.do("start", name=job)
    for _ in range(times):
        machine.do("sample")
    return [machine.do("stop", name=job) for job in jobs]


def test_a_job_is_found_on_its_device_by_its_process(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.compute": f"{machine.pid}:5000000000"})
    (use,) = sampled(machine, "a", times=3)
    assert use["gpu_attribution"] == "process"
    assert use["gpu_model"] == "Stub 80GB"
    assert use["gpu_utilization_avg"] == 40
    assert use["vram_peak_mb"] == 5000
    assert use["vram_total_mb"] == 80_000
    assert set(use["unmeasured"]) <= {"cpu_utilization_avg", "cpu_utilization_own"}, (
        "it may end before a clock's tick"
    )


def test_a_child_of_the_job_is_found_too(machine: StubbedMachine) -> None:
    child = machine.do("child")
    machine.do("renew")  # with it, descendants are looked for at once
    machine.set({**ONE_GPU, "gpu0.compute": f"{child}:5000000000"})
    (use,) = sampled(machine, "a")
    assert (use["gpu_attribution"], use["vram_used_mb"]) == ("process", 5000)


def test_beside_another_tenant_the_job_gets_its_own_share(machine: StubbedMachine) -> None:
    both = {
        "gpu0.compute": f"{machine.pid}:2000000000 1:3000000000",
        "gpu0.samples": f"{machine.pid}:15 1:25",
    }
    machine.set({**ONE_GPU, **both})
    (use,) = sampled(machine, "a")
    assert use["gpu_attribution"] == "process"
    assert (use["gpu_utilization_avg"], use["vram_used_mb"]) == (15, 2000)


def test_another_tenants_use_is_not_the_jobs(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.compute": "1:3000000000"})
    (use,) = sampled(machine, "a")
    assert use["gpu_attribution"] is None
    assert all(use[name] is None for name in (*GPU_FIGURES, "gpu_model", "vram_total_mb"))
    assert use["unmeasured"]["gpu"] == "no process of the job uses a GPU"


def test_two_jobs_on_one_device_are_marked_and_get_nothing(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.compute": f"{machine.pid}:5000000000"})
    for use in sampled(machine, "a", "b"):
        assert use["gpu_attribution"] == "shared"
        assert all(use[name] is None for name in GPU_FIGURES)
        assert use["gpu_model"] == "Stub 80GB"
        assert "shared" in use["unmeasured"]["gpu"]


def test_a_step_of_a_job_does_not_share_with_it(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.compute": f"{machine.pid}:5000000000"})
    machine.do("start", name="whole")
    machine.do("start", name="step", part_of="whole")
    machine.do("start", name="within", part_of="step")
    machine.do("sample")
    uses = [machine.do("stop", name=name) for name in ("within", "step", "whole")]
    assert [use["gpu_attribution"] for use in uses] == ["process"] * 3


def test_two_steps_of_one_job_share_with_each_other(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.compute": f"{machine.pid}:5000000000"})
    machine.do("start", name="whole")
    machine.do("start", name="one", part_of="whole")
    machine.do("start", name="two", part_of="whole")
    machine.do("sample")
    uses = [machine.do("stop", name=name) for name in ("one", "two", "whole")]
    assert [use["gpu_attribution"] for use in uses] == ["shared", "shared", "process"]


def test_what_was_sampled_before_a_device_was_lost_is_kept(machine: StubbedMachine) -> None:
    on_it = {**ONE_GPU, "gpu0.compute": f"{machine.pid}:5000000000"}
    machine.set(on_it)
    machine.do("start", name="a")
    machine.do("sample")
    machine.set({**on_it, "gpu0.error": GPU_IS_LOST})
    machine.do("sample")
    machine.do("later", seconds=100)
    machine.do("sample")
    use = machine.do("stop", name="a")
    assert use["gpu_attribution"] == "process"
    assert use["gpu_utilization_avg"] == 40, "a device that is away is not one that is idle"
    assert "2 of 3 looks" in use["unmeasured"]["gpu"]
    assert f"(code {GPU_IS_LOST})" in use["unmeasured"]["gpu"]


def test_a_device_that_was_lost_from_the_beginning(machine: StubbedMachine) -> None:
    machine.set({**ONE_GPU, "gpu0.error": GPU_IS_LOST})
    (use,) = sampled(machine, "a")
    assert all(use[name] is None for name in GPU_FIGURES)
    assert f"(code {GPU_IS_LOST})" in use["unmeasured"]["gpu"]


def test_a_mig_instance_tells_memory_and_why_no_utilization(machine: StubbedMachine) -> None:
    machine.set(
        {
            **ONE_GPU,
            "gpu0.mig": 1,
            "gpu0mig0.uuid": "MIG-a",
            "gpu0mig0.name": "Stub 80GB MIG 1g.10gb",
            "gpu0mig0.utilization.error": NOT_SUPPORTED,
            "gpu0mig0.memory": "1000000000:10000000000",
            "gpu0mig0.compute": f"{machine.pid}:900000000",
            "samples.supported": 0,
        }
    )
    (use,) = sampled(machine, "a")
    assert use["gpu_attribution"] == "process"
    assert use["gpu_model"] == "Stub 80GB MIG 1g.10gb"
    assert (use["vram_used_mb"], use["vram_total_mb"]) == (900, 10_000)
    assert use["gpu_utilization_avg"] is None
    assert "MIG" in use["unmeasured"]["gpu_utilization_avg"]
    assert "MIG" in use["unmeasured"]["gpu_utilization_peak"]


UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]


@pytest.fixture
def container(tmp_path: Path, library: Path) -> Iterator[StubbedMachine]:
    """A machine seen from a pid namespace of its own."""
    try:
        subprocess.run([*UNSHARE, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to make a pid namespace (unshare)")
    machine = StubbedMachine(tmp_path, library, UNSHARE)
    machine.set(ONE_GPU)
    yield machine
    machine.close()


def test_in_a_container_a_pid_of_the_driver_is_never_taken_for_ones_own(
    container: StubbedMachine,
) -> None:
    container.set({**ONE_GPU, "gpu0.compute": "1:3000000000"})  # here 1 is the probe, too
    assert "process ids of its own" in container.do("renew")
    (use,) = sampled(container, "a")
    assert use["gpu_attribution"] is None
    assert all(use[name] is None for name in GPU_FIGURES)


def test_in_a_container_a_job_with_cuda_that_is_alone_gets_the_devices_figures(
    container: StubbedMachine, tmp_path: Path
) -> None:
    device_file = tmp_path / "nvidia-uvm"
    device_file.touch()
    container.do("renew", cuda_device_file=str(device_file))
    container.do("hold_open", path=str(device_file))
    container.set({**ONE_GPU, "gpu0.compute": "4711:3000000000"})
    (use,) = sampled(container, "a")
    assert use["gpu_attribution"] == "device"
    assert (use["gpu_utilization_avg"], use["vram_used_mb"]) == (40, 6000)
    container.set({**ONE_GPU, "gpu0.compute": "4711:3000000000 4712:1"})
    (use,) = sampled(container, "b")
    assert use["gpu_attribution"] == "shared"


def test_without_a_library_a_job_is_told_why(tmp_path: Path) -> None:
    machine = StubbedMachine(tmp_path, None)
    try:
        (use,) = sampled(machine, "a")
    finally:
        machine.close()
    assert all(use[name] is None for name in GPU_FIGURES)
    assert use["unmeasured"]["gpu"]
    assert use["memory_used_mb"] > 0


# Without a GPU: this process.


def test_a_job_shorter_than_an_interval_gets_memory_and_disk() -> None:
    sampler = ResourceSampler(NEVER_S)
    job = sampler.start()
    held = bytearray(64_000_000)
    rss = psutil.Process().memory_info().rss / 1e6
    del held
    use = job.stop()
    sampler.close()
    assert use.memory_used_mb is not None
    assert use.memory_used_mb >= 64
    assert use.memory_total_mb is not None
    assert rss < use.memory_total_mb
    assert use.unmeasured["gpu"] == "no monitor of GPUs was set up"


def test_a_peak_between_two_samples_is_not_missed() -> None:
    """In a process of its own: the peak of this one may be of another test."""
    script = """
from animatize_assets.performance.sampling import ResourceSampler
job = ResourceSampler(3600).start()
held = bytearray(200_000_000)
del held
print(job.stop().memory_used_mb)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert float(done.stdout) > 200


def test_a_job_that_waits_until_the_cpu_clock_ticked_gets_the_machines_use() -> None:
    sampler = ResourceSampler(NEVER_S)
    job = sampler.start()
    before = psutil.cpu_times()
    while psutil.cpu_times() == before:
        pass
    use = job.stop()
    sampler.close()
    assert use.cpu_utilization_avg is not None
    assert 0 <= use.cpu_utilization_avg <= 100


def test_a_job_gets_its_own_part_of_the_machines_cpu_use() -> None:
    class TwoCores(Machine):
        """Three seconds in which somebody else used two core-seconds."""

        passed = 0.0

        def cpu_mark(self) -> CpuMark:
            return CpuMark(2.0 * self.passed + own.used, 6.0 * self.passed)

    class Own(ProcessTree):
        used = 0.0

        def cpu_s(self) -> Reading:
            return Reading(self.used)

    own = Own()
    machine = TwoCores()
    sampler = ResourceSampler(NEVER_S, tree=own, machine=machine)
    job = sampler.start()
    own.used, machine.passed = 3.0, 1.0
    use = job.stop()
    sampler.close()
    assert use.cpu_utilization_avg == pytest.approx(100 * 5 / 6)
    assert use.cpu_utilization_own == pytest.approx(50)
    # A child that nobody waited for takes its figures along: not measured is not 0.
    job = sampler.start()
    own.used, machine.passed = 1.0, 2.0
    use = job.stop()
    sampler.close()
    assert use.cpu_utilization_own is None
    assert "child" in use.unmeasured["cpu_utilization_own"]


def test_a_job_is_told_the_same_when_it_is_stopped_twice() -> None:
    sampler = ResourceSampler(NEVER_S)
    job = sampler.start()
    assert job.stop() is job.stop()
    sampler.close()


class Looking:
    """A monitor that tells when somebody looks."""

    problem = None
    foreign_pids = None
    is_exclusive = False

    def __init__(self) -> None:
        self.looks = threading.Semaphore(0)
        self.lookers: set[str] = set()

    def read(self) -> tuple[GpuReading, ...]:
        self.lookers.add(threading.current_thread().name)
        self.looks.release()
        return ()


def test_one_thread_serves_all_jobs_and_ends_with_the_last() -> None:
    monitor = Looking()
    sampler = ResourceSampler(0.001, monitor)
    assert not sampler.is_running
    first, second = sampler.start(), sampler.start()
    for _ in range(5):
        assert monitor.looks.acquire(timeout=10)
    samplers = [each for each in threading.enumerate() if each.name == "resource sampler"]
    assert len(samplers) == 1
    first.stop()
    assert sampler.is_running
    second.stop()
    samplers[0].join(10)  # nobody closed the sampler
    assert not sampler.is_running
    assert monitor.lookers == {"resource sampler"}
    third = sampler.start()
    assert sampler.is_running
    third.stop()
    sampler.close()


def test_many_threads_start_and_stop_jobs_at_once() -> None:
    sampler = ResourceSampler(0.001, Looking())
    used: list[float | None] = []

    def work() -> None:
        used.extend(sampler.start().stop().memory_used_mb for _ in range(20))

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sampler.close()
    assert len(used) == 160
    assert None not in used
    assert not sampler.is_running


def test_a_driver_that_hangs_does_not_hold_up_the_end_of_a_job() -> None:
    class Hanging(Looking):
        def __init__(self) -> None:
            super().__init__()
            self.released = threading.Event()

        def read(self) -> tuple[GpuReading, ...]:
            self.looks.release()
            assert self.released.wait(60)
            return ()

    monitor = Hanging()
    sampler = ResourceSampler(0.001, monitor)
    job = sampler.start()
    assert monitor.looks.acquire(timeout=10)
    assert "before the first look" in job.stop().unmeasured["gpu"]
    monitor.released.set()
    sampler.close()


class Refusing(psutil.Process):
    """This process, of which somebody may not read everything."""

    refusal: Exception = psutil.AccessDenied()

    def io_counters(self) -> Any:
        raise self.refusal


class Gone(Refusing):
    refusal = psutil.NoSuchProcess(1)

    def memory_info(self) -> Any:
        raise self.refusal

    def children(self, recursive: bool = False) -> list[psutil.Process]:  # noqa: ARG002
        raise self.refusal


def test_what_may_not_be_read_is_none_with_the_reason() -> None:
    sampler = ResourceSampler(NEVER_S, tree=ProcessTree(Refusing()))
    use = sampler.start().stop()
    sampler.close()
    assert (use.disk_read_mb, use.disk_write_mb) == (None, None)
    assert use.unmeasured["disk_read_mb"] == use.unmeasured["disk_write_mb"]
    assert "no permission" in use.unmeasured["disk_read_mb"]
    assert use.memory_used_mb is not None


def test_of_a_process_that_is_gone_nothing_is_told_and_nothing_breaks() -> None:
    sampler = ResourceSampler(NEVER_S, tree=ProcessTree(Gone()))
    job = sampler.start()
    sampler.sample()
    use = job.stop()
    sampler.close()
    for name in ("memory_used_mb", "disk_read_mb", "disk_write_mb"):
        assert getattr(use, name) is None
        assert use.unmeasured[name] == "the job's process is gone"
