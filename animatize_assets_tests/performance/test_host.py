"""How busy the machine is, in a container and outside one."""

from __future__ import annotations

from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.performance.cgroups import ControlGroups
from animatize_assets.performance.gpu import GpuReading
from animatize_assets.performance.host import CpuMark, HostReading, Machine, read_host, watch
from animatize_assets_tests.performance.jobs import MONDAY

NO_LIMITS = Path("/nonexistent")


def groups(folder: Path, own: str, files: dict[str, str]) -> ControlGroups:
    """Make control groups of these files; this process is in the group ``own``."""
    root = folder / "cgroup"
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    membership = folder / "membership"
    membership.write_text(f"4:memory:/elsewhere\n0::{own}\n")
    return ControlGroups(root, membership)


def test_the_tightest_limit_on_the_way_up_binds(tmp_path: Path) -> None:
    found = groups(
        tmp_path,
        "/a/b",
        {
            "cpu.max": "max 100000\n",
            "a/cpu.max": "150000 100000\n",
            "a/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
            "a/b/cpu.max": "400000 100000\n",
            "a/memory.max": "max\n",
            "a/b/memory.max": "1000000000\n",
            "a/b/memory.current": "700000000\n",
            "a/b/memory.stat": "anon 1\ninactive_file 200000000\n",
        },
    )
    assert found.cpu_limit == 1.5
    assert found.cpu_used_s() == 2.5
    assert found.memory_limit_mb == 1000
    assert found.memory_used_mb() == 500


@pytest.mark.parametrize("own", ["/", "/../..", "/gone"])
def test_in_a_namespace_of_its_own_the_root_is_the_containers_group(
    tmp_path: Path, own: str
) -> None:
    assert groups(tmp_path, own, {"cpu.max": "50000 100000\n"}).cpu_limit == 0.5


def test_without_limits_the_host_counts(tmp_path: Path) -> None:
    free = groups(tmp_path, "/", {"cpu.max": "max 100000\n", "memory.max": "max\n"})
    for none in (free, ControlGroups(NO_LIMITS, NO_LIMITS)):
        machine = Machine(none)
        assert machine.cpu_count == psutil.cpu_count()
        assert machine.memory_total_mb == psutil.virtual_memory().total / 1e6


def test_within_limits_a_machine_is_what_may_be_used_of_it(tmp_path: Path) -> None:
    now = [0.0]
    limits = {
        "cpu.max": "50000 100000\n",
        "cpu.stat": "usage_usec 1000000\n",
        "memory.max": "1000000\n",
        "memory.current": "600000\n",
    }
    machine = Machine(groups(tmp_path, "/", limits), clock=lambda: now[0])
    before = machine.cpu_mark()
    now[0] = 10.0
    groups(tmp_path, "/", {"cpu.stat": "usage_usec 5000000\n"})
    assert before.utilization_until(machine.cpu_mark()) == pytest.approx(80), "4 s of 10 s x 0.5"
    assert machine.cpu_count == 0.5
    assert machine.memory_mb() == (0.6, 1.0)


def test_waiting_for_a_disk_is_idle_and_guests_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["user", "nice", "system", "idle", "iowait", "guest", "guest_nice"]
    times = namedtuple("times", names)  # type: ignore[misc]
    monkeypatch.setattr(psutil, "cpu_times", lambda: times(40, 10, 10, 20, 20, 30, 5))
    assert Machine(ControlGroups(NO_LIMITS, NO_LIMITS)).cpu_mark() == CpuMark(60, 100)


def test_a_limit_above_the_host_is_none(tmp_path: Path) -> None:
    beyond = {
        "cpu.max": "100000000000 100000\n",
        "memory.max": str(2**60),
        "memory.current": "1",
    }
    machine = Machine(groups(tmp_path, "/", beyond))
    assert machine.cpu_count == psutil.cpu_count()
    assert machine.memory_total_mb == psutil.virtual_memory().total / 1e6


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(-10, 1e4), st.floats(-10, 1e4))
def test_a_utilization_is_a_share_or_nothing(
    busy: float, capacity: float, more_busy: float, more_capacity: float
) -> None:
    before = CpuMark(busy, capacity)
    found = before.utilization_until(CpuMark(busy + more_busy, capacity + more_capacity))
    if capacity + more_capacity <= capacity:
        assert found is None
    else:
        assert found is not None
        assert 0 <= found <= 100


class Monitor:
    """A monitor with a device, or with a problem."""

    foreign_pids = None
    is_exclusive = False

    def __init__(self, problem: str | None = None) -> None:
        self.problem = problem

    def read(self) -> tuple[GpuReading, ...]:
        return () if self.problem else (GpuReading("0", "GPU-0", "Stub", 40.0),)


def test_a_first_reading_has_no_cpu_utilization_and_says_why() -> None:
    reading = read_host(now=lambda: MONDAY)
    assert reading.at == MONDAY
    assert reading.cpu_utilization is None
    assert set(reading.unread) == {"cpu_utilization", "gpu"}
    assert 0 < reading.memory_used_mb < reading.memory_total_mb


def test_a_reading_holds_the_gpus_or_why_there_are_none() -> None:
    assert [gpu.utilization for gpu in read_host(monitor=Monitor()).gpus] == [40]
    assert "gpu" not in read_host(monitor=Monitor()).unread
    assert read_host(monitor=Monitor("no driver")).unread["gpu"] == "no driver"


def test_a_reading_without_a_tick_in_between_says_so() -> None:
    class Standing(Machine):
        def cpu_mark(self) -> CpuMark:
            return CpuMark(1, 2)

    first = read_host(machine=Standing())
    second = read_host(first, machine=Standing(), now=lambda: first.at + timedelta(seconds=1))
    assert second.cpu_utilization is None
    assert "no tick" in second.unread["cpu_utilization"]


def test_a_watch_tells_readings_until_it_is_stopped(tmp_path: Path) -> None:
    """Its container uses a quarter, then the whole of its half core in each interval."""
    now = [0.0]
    used = {"cpu.max": "50000 100000\n", "cpu.stat": "usage_usec 0\n"}
    machine = Machine(groups(tmp_path, "/", used), clock=lambda: now[0])
    usage = iter([1_250_000, 6_250_000])
    told: list[HostReading] = []

    class Stop:
        def wait(self, timeout: float) -> bool:
            now[0] += timeout
            microseconds = next(usage, None)
            if microseconds is not None:
                groups(tmp_path, "/", {"cpu.stat": f"usage_usec {microseconds}\n"})
            return microseconds is None

    watch(told.append, Stop(), monitor=Monitor(), interval_s=10.0, machine=machine)
    assert [reading.cpu_utilization for reading in told] == [None, 25, 100]
    assert all(reading.gpus for reading in told)
