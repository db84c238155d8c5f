"""Identical requests make one call, in one process and in ten."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from animatize_assets.errors import StorageFailed
from animatize_assets.generation.single_flight import SingleFlight


def _ask(folder: Path) -> None:
    """What each caller does: wait for the lock, look, and call only when nothing is there."""
    with SingleFlight(folder / "locks").hold("the same request", 60):
        result = folder / "result"
        if not result.exists():
            with (folder / "calls").open("a") as calls:
                calls.write(f"{os.getpid()}\n")
            time.sleep(0.05)  # a call takes a while, so that the others do meet it
            result.write_text("picture")


def test_ten_processes_make_one_call(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    callers = [context.Process(target=_ask, args=(tmp_path,)) for _ in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert [caller.exitcode for caller in callers] == [0] * 10
    assert len((tmp_path / "calls").read_text().splitlines()) == 1
    assert not list((tmp_path / "locks").iterdir())


def test_threads_of_one_process_make_one_call(tmp_path: Path) -> None:
    callers = [threading.Thread(target=_ask, args=(tmp_path,)) for _ in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_no_two_hold_the_same_key_at_once(tmp_path: Path) -> None:
    flights = SingleFlight(tmp_path)
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(40):
            with flights.hold("key", 60):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] * 160


def test_other_requests_do_not_wait(tmp_path: Path) -> None:
    flights = SingleFlight(tmp_path)
    free: list[bool] = []

    def other() -> None:
        with flights.hold("b", 0) as was_free:
            free.append(was_free)

    with flights.hold("a", 0):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
    assert free == [True]


def test_whoever_waited_is_told_so(tmp_path: Path) -> None:
    holder = SingleFlight(tmp_path).hold("key", 0)
    assert holder.__enter__()

    def free_it(_seconds: float) -> None:
        holder.__exit__(None, None, None)

    with SingleFlight(tmp_path, sleep=free_it).hold("key", 10) as was_free:
        assert not was_free


def test_waiting_ends_at_the_time_limit(tmp_path: Path) -> None:
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    waiting = SingleFlight(tmp_path, clock=lambda: now[0], sleep=sleep)
    with (
        SingleFlight(tmp_path).hold("key", 0),
        pytest.raises(TimeoutError, match="more than 3 s"),
        waiting.hold("key", 3),
    ):
        pass
    assert sum(slept) == pytest.approx(3)
    assert max(slept) <= 0.25


_HOLD = """
import sys, time
from pathlib import Path
from animatize_assets.generation.single_flight import SingleFlight
with SingleFlight(Path(sys.argv[1])).hold("key", 0):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        flights = SingleFlight(tmp_path)
        with pytest.raises(TimeoutError), flights.hold("key", 0):
            pass
        assert flights.clean() == 0
        holder.send_signal(signal.SIGKILL)
        holder.wait(30)
    assert len(list(tmp_path.iterdir())) == 1
    with flights.hold("key", 5) as was_free:
        assert was_free
    assert not list(tmp_path.iterdir())


def test_what_killed_holders_left_is_cleaned(tmp_path: Path) -> None:
    (tmp_path / f"{'0' * 40}.lock").touch()
    with SingleFlight(tmp_path).hold("key", 0):
        assert SingleFlight(tmp_path).clean() == 1
        assert len(list(tmp_path.iterdir())) == 1
    assert SingleFlight(tmp_path / "not there").clean() == 0


def test_one_lock_at_a_time(tmp_path: Path) -> None:
    flights = SingleFlight(tmp_path)
    with (
        flights.hold("a", 0),
        pytest.raises(RuntimeError, match="one request's lock"),
        flights.hold("b", 0),
    ):
        pass
    with flights.hold("b", 0) as was_free:
        assert was_free


def test_an_unusable_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageFailed, match="is not usable"),
        SingleFlight(tmp_path / "file").hold("key", 0),
    ):
        pass
