"""A record reaches the database now or later, in order and once, and never breaks a job."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from animatize_assets.database.migration import upgrade
from animatize_assets.database.performance_tables import (
    generation_performance,
    performance_spool_imports,
)
from animatize_assets.performance import recording
from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.recording import RETRY_S, JobRecorder, open_recorder
from animatize_assets.performance.spool import SET_ASIDE, Spool
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.broken_databases import down, full, hurried, locked
from animatize_assets_tests.performance.jobs import job


class Timer:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A recorder with a clock of the test's, on a database of the test's."""

    def __init__(self, url: str, engine: Engine, spool_dir: Path) -> None:
        self.url, self.engine, self.spool_dir = url, engine, spool_dir
        self.timer = Timer()
        self.recorder = self.another()

    def another(self) -> JobRecorder:
        """A recorder as another process would have it."""
        return JobRecorder(PerformanceStore(self.engine), self.spool_dir, timer=self.timer)

    def failing(self, how: str) -> AbstractContextManager[None]:
        if how == "locked":
            return locked(self.url)
        if how == "full" and self.engine.dialect.name != "sqlite":
            pytest.skip("a PostgreSQL that is full needs a disk of its own")
        return {"full": full, "down": down}[how](self.engine)

    def stored(self) -> list[str]:
        """Job ids in the order in which they were written."""
        with self.engine.connect() as connection:
            query = select(generation_performance.c.job_id).order_by(generation_performance.c.id)
            return list(connection.scalars(query))

    def files(self) -> int:
        return len(Spool(self.spool_dir).ids())


@pytest.fixture
def bench(database_url: str, engine: Engine, tmp_path: Path) -> Iterator[Bench]:
    with hurried(database_url) as opened:
        yield Bench(database_url, opened, tmp_path / "spool")


def names(*numbers: int) -> list[str]:
    return [f"job-{number}" for number in numbers]


def test_a_record_is_written_at_once_and_stays_as_it_is(bench: Bench) -> None:
    bench.recorder.record(job(1))
    bench.recorder.record(job(1, seconds=99))
    assert bench.stored() == names(1)
    assert PerformanceStore(bench.engine).job("job-1") == job(1)
    assert not bench.spool_dir.exists()
    assert bench.recorder.state.recorded == 2


@pytest.mark.parametrize("how", ["locked", "full", "down"])
def test_an_outage_is_told_once_and_made_good_in_order(
    how: str, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.recorder.record(job(0))
    with bench.failing(how):
        for number in range(1, 5):
            bench.recorder.record(job(number, error_details="x" * 20_000))  # more than a page
            bench.timer.now += RETRY_S
        assert bench.files() == 4
        state = bench.recorder.state
        assert (state.recorded, state.spooled, state.lost) == (1, 4, 0)
        assert state.outage
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "takes no records" in caplog.text
    bench.recorder.record(job(5))
    assert bench.stored() == names(0, 1, 2, 3, 4, 5)
    assert bench.files() == 0
    assert bench.recorder.state.outage is None
    assert len(caplog.records) == 2
    assert "takes records again" in caplog.text


def test_a_database_that_failed_is_left_alone_for_a_while(bench: Bench) -> None:
    with locked(bench.url):
        bench.recorder.record(job(1))
    bench.recorder.record(job(2))
    assert bench.stored() == []
    bench.timer.now += RETRY_S
    bench.recorder.record(job(3))
    assert bench.stored() == names(1, 2, 3)


def test_a_database_without_tables_gets_its_records_when_it_has_them(
    tmp_path: Path, postgres_url: str
) -> None:
    for url in (f"sqlite:///{tmp_path}/new.db", postgres_url):
        spool_dir = tmp_path / url.partition(":")[0]
        recorder = open_recorder(url, spool_dir)
        recorder.record(job(1))
        assert len(Spool(spool_dir).ids()) == 1
        with hurried(url) as engine:
            upgrade(engine)
        assert recorder.drain() == 1
        recorder.close()


def test_another_process_writes_what_this_one_spooled(bench: Bench) -> None:
    with locked(bench.url):
        bench.recorder.record(job(1))
    bench.another().record(job(2))
    assert bench.stored() == names(1, 2)
    assert bench.recorder.drain() == 0
    assert bench.stored() == names(1, 2)


def test_a_file_that_outlived_its_import_is_not_written_again(bench: Bench) -> None:
    with locked(bench.url):
        bench.recorder.record(job(1))
    (file,) = bench.spool_dir.iterdir()
    content = file.read_bytes()
    assert bench.recorder.drain() == 1
    with bench.engine.begin() as connection:
        connection.execute(generation_performance.delete())
    file.write_bytes(content)  # as if the process had been killed before it removed the file
    assert bench.recorder.drain() == 0
    assert bench.stored() == []
    assert bench.files() == 0


def test_a_job_that_was_recorded_and_spooled_is_there_once(bench: Bench) -> None:
    bench.recorder.record(job(1))
    with locked(bench.url):
        bench.recorder.record(job(1, seconds=99))
    assert bench.recorder.drain() == 0
    stored = PerformanceStore(bench.engine).job("job-1")
    assert stored is not None
    assert stored.total_time_seconds == 10


def test_a_long_spool_keeps_no_job_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "BATCH", 3)
    with locked(bench.url):
        for number in range(8):
            bench.recorder.record(job(number))
    bench.timer.now += RETRY_S
    bench.recorder.record(job(8))
    assert (len(bench.stored()), bench.files()) == (3, 6)
    bench.recorder.record(job(9))
    bench.recorder.record(job(10))
    bench.recorder.record(job(11))
    assert bench.stored() == names(*range(12))


def test_a_damaged_file_holds_up_nobody(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with locked(bench.url):
        for number in range(3):
            bench.recorder.record(job(number))
    second = sorted(bench.spool_dir.iterdir())[1]
    second.write_bytes(b"rubbish")
    assert bench.recorder.drain() == 2
    assert bench.stored() == names(0, 2)
    assert (bench.spool_dir / SET_ASIDE / second.name).read_bytes() == b"rubbish"
    assert "set aside" in caplog.text


IMPOSSIBLE = {"parameters": {"seed": 2**70}}
"""No database takes a number of 71 bits."""


def test_a_record_that_no_database_takes_is_kept_aside(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.recorder.record(job(1, **IMPOSSIBLE))
    with locked(bench.url):
        for number in (2, 3, 4):
            bench.recorder.record(job(number, **(IMPOSSIBLE if number == 3 else {})))
    assert bench.recorder.drain() == 2
    assert bench.stored() == names(2, 4)
    assert len(list((bench.spool_dir / SET_ASIDE).iterdir())) == 2
    assert bench.recorder.state.outage is None
    assert "job-1" in caplog.text


@pytest.fixture
def no_space(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("animatize_assets.performance.spool.os.fsync", refuse)
    return monkeypatch


def test_what_fits_nowhere_is_told_whole_and_tried_again(
    bench: Bench, no_space: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with locked(bench.url):
        bench.recorder.record(job(1))
        bench.recorder.record(job(2))
    told = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert len(told) == 2
    assert job(1).model_dump_json() in told[0].getMessage()
    assert bench.recorder.state.held == 2
    assert bench.recorder.drain() == 2
    assert bench.stored() == names(1, 2)
    assert bench.recorder.state.held == 0


def test_what_fitted_nowhere_is_spooled_when_it_fits(
    bench: Bench, no_space: pytest.MonkeyPatch
) -> None:
    with locked(bench.url):
        bench.recorder.record(job(1))
        bench.recorder.record(job(2))
        no_space.undo()
        bench.recorder.record(job(3))
        assert bench.files() == 3
        assert bench.recorder.state.held == 0
    assert bench.another().drain() == 3
    assert bench.stored() == names(1, 2, 3)


def test_memory_is_bounded_and_what_leaves_it_is_counted(
    bench: Bench, no_space: pytest.MonkeyPatch
) -> None:
    no_space.setattr(recording, "MOST_HELD", 2)
    with locked(bench.url):
        for number in range(5):
            bench.recorder.record(job(number))
    state = bench.recorder.state
    assert (state.held, state.lost) == (2, 3)
    bench.recorder.drain()
    assert bench.stored() == names(3, 4)


def test_what_cannot_even_be_written_as_json_is_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with locked(bench.url):
        bench.recorder.record(job(1, error_details="a name \udcff of no text"))
    assert bench.recorder.state.lost == 1
    assert "job-1" in caplog.text


def test_ctrl_c_waits_until_the_record_is_safe(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(PerformanceStore, "record", interrupt)
        with pytest.raises(KeyboardInterrupt):
            bench.recorder.record(job(1))
    bench.recorder.record(job(2))
    assert bench.stored() == names(1, 2)


def drain_with(url: str, spool_dir: Path, ready: Any, go: Any, found: Any) -> None:
    recorder = open_recorder(url, spool_dir)
    ready.release()
    go.wait()
    found.put(recorder.drain())
    found.put(recorder.state.outage)


def test_processes_that_drain_at_once_write_each_once(bench: Bench) -> None:
    with locked(bench.url):
        for number in range(60):
            bench.recorder.record(job(number))
    start = multiprocessing.get_context("spawn")
    ready, go, found = start.Semaphore(0), start.Event(), start.Queue()
    arguments = (bench.url, bench.spool_dir, ready, go, found)
    processes = [start.Process(target=drain_with, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    go.set()
    told = [found.get() for _ in range(4)]
    for process in processes:
        process.join()
    assert sum(each for each in told if isinstance(each, int)) == 60
    assert told.count(None) == 2
    assert bench.stored() == names(*range(60))
    with bench.engine.connect() as connection:
        count = select(func.count()).select_from(performance_spool_imports)
        assert connection.scalar(count) == 60


MOVES = ["record", "record", "lock", "unlock", "wait", "drain", "other process"]


@settings(max_examples=25, deadline=None)
@given(moves=st.lists(st.sampled_from(MOVES), max_size=25))
def test_whatever_fails_each_is_there_once_and_in_order(
    moves: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("history")
    url = f"sqlite:///{folder}/performance.db"
    recorded: list[JobRecord] = []
    with hurried(url) as engine, ExitStack() as lock:
        upgrade(engine)
        bench = Bench(url, engine, folder / "spool")
        is_locked = False
        for move in moves:
            if move == "record":
                recorded.append(job(len(recorded)))
                bench.recorder.record(recorded[-1])
            elif move == "lock" and not is_locked:
                lock.enter_context(locked(url))
                is_locked = True
            elif move == "unlock":
                lock.close()
                is_locked = False
            elif move == "wait":
                bench.timer.now += RETRY_S
            elif move == "drain":
                bench.recorder.drain()
            elif move == "other process":
                bench.recorder = bench.another()
        lock.close()
        bench.recorder.drain()
        assert bench.stored() == [each.job_id for each in recorded]
        assert bench.files() == 0
