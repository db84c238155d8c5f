"""What this process and its children use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from animatize_assets.performance.pid_namespace import INITIAL_NAMESPACE, foreign_namespace
from animatize_assets.performance.process_tree import SEARCH_SHARE, ProcessTree

HOLD = "import sys; held = bytearray({bytes}); print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A child that holds 100 MB until its input ends."""
    holding = subprocess.Popen(
        [sys.executable, "-S", "-c", HOLD.format(bytes=100_000_000)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"ready\n"
        yield holding


def always_searching() -> ProcessTree:
    return ProcessTree(cpu_clock=lambda: 0.0)


def test_a_childs_memory_counts(child: subprocess.Popen[bytes]) -> None:
    tree = always_searching()
    alone = tree.memory_mb().value
    tree.search()
    together = tree.memory_mb().value
    assert alone is not None
    assert together is not None
    assert together - alone > 100
    assert child.pid in tree.pids()


def test_the_cpu_of_this_process_and_of_children_that_ended_counts() -> None:
    tree = always_searching()
    before = tree.cpu_s().value
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-S", "-c", burn], check=True)
    after = tree.cpu_s().value
    assert before is not None
    assert after is not None
    assert after - before >= 0.18  # a tick of the clock less


def test_a_child_that_is_gone_counts_no_longer(child: subprocess.Popen[bytes]) -> None:
    tree = always_searching()
    tree.search()
    together = tree.memory_mb().value
    assert child.stdin is not None
    child.stdin.close()
    child.wait()
    alone = tree.memory_mb().value
    assert alone is not None
    assert together is not None
    assert together - alone > 100


def test_a_child_that_may_not_be_read_makes_the_sum_unknown() -> None:
    class Closed(psutil.Process):
        def memory_info(self) -> Any:
            raise psutil.AccessDenied

    class Parent(psutil.Process):
        def children(self, recursive: bool = False) -> list[psutil.Process]:  # noqa: ARG002
            return [Closed()]

    tree = ProcessTree(Parent())
    assert tree.memory_mb().value is not None
    tree.search()
    assert tree.memory_mb().value is None
    assert f"child {os.getpid()}" in (tree.memory_mb().reason or "")


def test_a_system_that_tells_no_disk_bytes_of_a_process() -> None:
    class Plain:
        pid = os.getpid()

    tree = ProcessTree(Plain())  # type: ignore[arg-type]
    assert tree.read_mb().value is None
    assert "operating system" in (tree.read_mb().reason or "")


def test_children_are_looked_for_as_seldom_as_it_costs() -> None:
    now, cpu, searches = [0.0], [0.0], 0

    class Crowded(psutil.Process):
        def children(self, recursive: bool = False) -> list[psutil.Process]:  # noqa: ARG002
            nonlocal searches
            searches += 1
            cpu[0] += 0.02
            return []

    tree = ProcessTree(Crowded(), clock=lambda: now[0], cpu_clock=lambda: cpu[0])
    for second in range(1000):
        now[0] = float(second)
        tree.search()
    assert searches >= 100
    assert cpu[0] / 1000 <= SEARCH_SHARE * 1.01


def test_a_process_that_opened_cudas_device_file_uses_cuda(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    device_file = tmp_path / "nvidia-uvm"
    device_file.touch()
    tree = ProcessTree(cuda_device_file=device_file)
    assert tree.uses_cuda() is False
    with device_file.open("rb"):
        assert tree.uses_cuda() is True
    assert tree.uses_cuda() is False


def test_the_peak_of_another_process_is_not_told(child: subprocess.Popen[bytes]) -> None:
    assert ProcessTree(psutil.Process(child.pid)).own_peak_mb().value is None
    assert (ProcessTree().own_peak_mb().value or 0) > 10


def test_process_ids_are_the_drivers_only_in_the_first_namespace(tmp_path: Path) -> None:
    link = tmp_path / "pid"
    assert "cannot be read" in (foreign_namespace(link) or "")
    link.touch()
    assert link.stat().st_ino != INITIAL_NAMESPACE
    assert "container" in (foreign_namespace(link) or "")


def test_in_the_first_namespace_process_ids_are_ours() -> None:
    class First:
        def stat(self) -> os.stat_result:
            return os.stat_result((0, INITIAL_NAMESPACE, *[0] * 8))

    assert foreign_namespace(First()) is None  # type: ignore[arg-type]
