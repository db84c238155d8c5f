"""What jobs use while they run.

Belongs here: the sampler, its thread, and adding samples up to a job's ``ResourceUse``. Does not
belong here: how anything is read (``process_tree``, ``host``, ``nvml``), which job a GPU's figures
belong to (``gpu_attribution``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from animatize_assets.performance.gpu import GpuMonitor
from animatize_assets.performance.gpu_attribution import GpuFigures, JobProcesses, judge
from animatize_assets.performance.host import CpuMark, Machine
from animatize_assets.performance.models import ResourceUse
from animatize_assets.performance.process_tree import ProcessTree, Reading

INTERVAL_S = 1.0


class ResourceSampler:
    """Samples this process, its machine and the GPUs while jobs are under way in it.

    One per process. Its one thread starts with the first job and ends with the last. Nothing that
    cannot be read ever breaks a job: it is None in the job's figures, with the reason.

    What a job gets:

    - CPU: the utilization of the machine (all cores, everybody's work) from start to stop, since
      a busy machine slows a job down whoever keeps it busy; and the part of it that is its own;
    - that part, memory and disk: of this process and its descendants. Jobs that run in one process
      at the same time each get all of it;
    - GPU: see ``gpu_attribution``. A job that ends before its first sample gets none.
    """

    def __init__(
        self,
        interval_s: float = INTERVAL_S,
        monitor: GpuMonitor | None = None,
        *,
        tree: ProcessTree | None = None,
        machine: Machine | None = None,
    ) -> None:
        self._interval_s = interval_s
        self._monitor = monitor
        self._tree = tree or ProcessTree()
        self._machine = machine or Machine()
        self._lock = threading.Lock()
        self._jobs: list[JobSampling] = []
        self._thread: threading.Thread | None = None
        self._end = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, part_of: JobSampling | None = None) -> JobSampling:
        """Begin to sample for a job.

        ``part_of``: the job that this one is a step of. The two do not count as sharing a GPU.
        """
        job = JobSampling(self, self._tree, self._machine, part_of)
        with self._lock:
            self._jobs.append(job)
            if not self.is_running or self._end.is_set():
                self._end = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._end,), name="resource sampler", daemon=True
                )
                self._thread.start()
        return job

    def sample(self) -> None:
        """Take one sample for every job under way; the thread does this at each interval."""
        self._tree.search()
        memory = self._tree.memory_mb()
        with self._lock:
            before = tuple(self._jobs)
        readings = () if self._monitor is None else self._monitor.read()
        pids = self._tree.pids()
        uses_cuda = None
        if readings and self._monitor is not None and self._monitor.foreign_pids is not None:
            uses_cuda = self._tree.uses_cuda()
        with self._lock:
            for job in before:
                # one that ended while the GPUs were read is away; it shared the look all the same
                if job not in self._jobs:
                    continue
                job.add_memory(memory)
                if self._monitor is not None:
                    rivals = job.rivals_in(before)
                    processes = JobProcesses(pids, has_rivals=rivals, uses_cuda=uses_cuda)
                    job.gpu.add(judge(readings, self._monitor, processes))

    def close(self, timeout_s: float = 5.0) -> None:
        """End the thread and wait for it; jobs under way get no further samples."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def leave(self, job: JobSampling) -> None:
        """Sample no longer for a job (``JobSampling.stop`` calls this)."""
        with self._lock:
            if job in self._jobs:
                self._jobs.remove(job)
            if not self._jobs:
                # not waited for: a driver that hangs must not hold up the end of a job
                self._end.set()

    @property
    def why_no_gpu(self) -> str | None:
        """Why no GPU can be read now; None when some can."""
        return "no monitor of GPUs was set up" if self._monitor is None else self._monitor.problem

    def _run(self, end: threading.Event) -> None:
        while not end.wait(self._interval_s):
            self.sample()


class JobSampling:
    """The samples of one job; ``stop`` it when the job ends, however it ends."""

    def __init__(
        self,
        sampler: ResourceSampler,
        tree: ProcessTree,
        machine: Machine,
        part_of: JobSampling | None,
    ) -> None:
        self._sampler = sampler
        self._tree = tree
        self._machine = machine
        self._part_of = part_of
        self._use: ResourceUse | None = None
        self.gpu = GpuFigures()
        tree.search()
        self._cpu = machine.cpu_mark()
        self._own_cpu = tree.cpu_s()
        self._own_peak = tree.own_peak_mb()
        self._read = tree.read_mb()
        self._written = tree.written_mb()
        self._memory = tree.memory_mb()

    def add_memory(self, memory: Reading) -> None:
        """Take a sample of memory into account: the largest one counts."""
        most = self._memory.value
        if most is None or (memory.value is not None and memory.value > most):
            self._memory = memory

    def rivals_in(self, jobs: Iterable[JobSampling]) -> bool:
        """Whether one of those jobs is neither this one, nor around it, nor within it."""
        return any(self not in other.lineage() and other not in self.lineage() for other in jobs)

    def lineage(self) -> tuple[JobSampling, ...]:
        """Return this job and those that it is part of."""
        return (self,) if self._part_of is None else (self, *self._part_of.lineage())

    def stop(self) -> ResourceUse:
        """End the sampling and return what the job used; the same again when asked again."""
        if self._use is None:
            self._sampler.leave(self)
            self._use = self._added_up()
        return self._use

    def _added_up(self) -> ResourceUse:
        self.add_memory(self._tree.memory_mb())
        known: dict[str, Any] = {"memory_total_mb": self._machine.memory_total_mb}
        unmeasured: dict[str, str] = {}
        cpu = self._machine.cpu_mark()
        readings = {
            "cpu_utilization_avg": self._cpu_utilization(cpu),
            "cpu_utilization_own": self._own_cpu_utilization(cpu),
            "memory_used_mb": self._memory_peak(),
            "disk_read_mb": _difference(self._read, self._tree.read_mb()),
            "disk_write_mb": _difference(self._written, self._tree.written_mb()),
        }
        for name, reading in readings.items():
            if reading.value is None:
                unmeasured[name] = reading.reason or "not measured"
            else:
                known[name] = reading.value
        gpu, gpu_unmeasured = self.gpu.fields(unlooked=self._sampler.why_no_gpu)
        known |= gpu
        unmeasured |= gpu_unmeasured
        return ResourceUse(**known, unmeasured=unmeasured)

    def _cpu_utilization(self, until: CpuMark) -> Reading:
        share = self._cpu.utilization_until(until)
        return Reading(share, "the job was shorter than a tick of the CPU clock")

    def _own_cpu_utilization(self, until: CpuMark) -> Reading:
        used = _difference(self._own_cpu, self._tree.cpu_s())
        if used.value is None:
            return used
        # The same arithmetic as for the machine, so that the two can be compared.
        share = CpuMark(0.0, self._cpu.capacity_s).utilization_until(
            CpuMark(used.value, until.capacity_s)
        )
        return Reading(share, "the job was shorter than a tick of the CPU clock")

    def _memory_peak(self) -> Reading:
        """Return the largest sample, or the process's own peak where the job has raised that.

        So a peak between two samples is not missed.
        """
        before, now = self._own_peak.value, self._tree.own_peak_mb().value
        if before is not None and now is not None and now > before:
            self.add_memory(Reading(now))
        return self._memory


def _difference(before: Reading, after: Reading) -> Reading:
    if before.value is None:
        return before
    if after.value is None:
        return after
    if after.value < before.value:
        return Reading(None, "a child ended that nobody waited for, and its figures went with it")
    return Reading(after.value - before.value)
