"""Statistics come from a process of their own, which ends with the service and is made anew."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import psutil
import pytest

from animatize_assets.errors import NotEnoughJobs
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets.web.analysis import AnalysisProcess
from animatize_assets.web.problems import Refused
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.performance.jobs import job

FOR_EVER_S = 1e12


def where(room: PerformanceRoom) -> tuple[int, int]:
    """Return the process that computes this, and the jobs that it sees."""
    return os.getpid(), room.store.count()


def refuse(_room: PerformanceRoom, message: str) -> None:
    raise NotEnoughJobs(message)


def take_for_ever(_room: PerformanceRoom) -> str:
    """Move the clock of the process in which this is computed."""
    time.perf_counter = lambda: FOR_EVER_S
    return "done"


def die(_room: PerformanceRoom) -> None:
    os._exit(9)


@pytest.fixture
def analysis() -> Iterator[AnalysisProcess]:
    opened = AnalysisProcess(open_workplace().performance)
    yield opened
    opened.close()


def test_it_is_another_process_that_sees_what_is_recorded(analysis: AnalysisProcess) -> None:
    process, count = analysis.run(where)
    assert process != os.getpid()
    assert count == 0
    open_workplace().performance.store.record(job(1))
    assert analysis.run(where) == (process, 1)
    with pytest.raises(NotEnoughJobs, match="too few"):
        analysis.run(refuse, "too few")
    analysis.close()
    assert not psutil.pid_exists(process)


def test_one_that_died_is_told_and_made_anew(analysis: AnalysisProcess) -> None:
    with pytest.raises(Refused) as refused:
        analysis.run(die)
    assert refused.value.status == 503
    assert analysis.run(where)[1] == 0


def test_what_is_timed_is_the_computing_in_that_process(analysis: AnalysisProcess) -> None:
    timed = analysis.timed(take_for_ever)
    assert timed.answer == "done"
    assert timed.took_s > FOR_EVER_S / 2
