"""Sums over jobs only grow: by each record once, over restarts, when old records are deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, delete

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.web.job_sums import FILE, SETTLE_S, JobSums
from animatize_assets_tests.performance.jobs import job


class Timer:
    """Goes on by itself, far enough for a look to be about records that have settled."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += SETTLE_S
        return self.now


def jobs_in(sums: JobSums) -> int:
    """How many jobs there are once everything has settled."""
    sums.read()
    return sum(line.count for line in sums.read() if line.kind == "jobs")


def record(engine: Engine, *numbers: int) -> None:
    PerformanceStore(engine).record(*(job(number) for number in numbers))


def test_a_restart_goes_on_where_it_was_though_records_are_gone(
    engine: Engine, tmp_path: Path
) -> None:
    record(engine, *range(5))
    assert jobs_in(JobSums(engine, tmp_path, timer=Timer())) == 5
    with engine.begin() as connection:
        connection.execute(
            delete(generation_performance).where(generation_performance.c.job_id != "job-4")
        )
    record(engine, 5, 6)
    restarted = JobSums(engine, tmp_path, timer=Timer())
    assert jobs_in(restarted) == 7
    record(engine, 7)
    assert jobs_in(restarted) == 8


def test_another_database_begins_anew(engine: Engine, tmp_path: Path) -> None:
    record(engine, 0, 1)
    assert jobs_in(JobSums(engine, tmp_path, timer=Timer())) == 2
    with engine.begin() as connection:
        connection.execute(delete(generation_performance))
    assert jobs_in(JobSums(engine, tmp_path, timer=Timer())) == 0


def test_a_file_that_cannot_be_read_is_told_and_begun_anew(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text("{")
    record(engine, 0)
    assert jobs_in(JobSums(engine, tmp_path, timer=Timer())) == 1
    assert "begin anew" in caplog.text


def test_on_a_server_records_wait_until_none_can_come_before_them(
    postgres_url: str, tmp_path: Path
) -> None:
    engine = open_engine(postgres_url)
    upgrade(engine)
    now = 0.0
    sums = JobSums(engine, tmp_path, timer=lambda: now)
    record(engine, 0)
    assert sums.read() == ()
    now = SETTLE_S - 0.1
    assert sums.read() == ()
    record(engine, 1)
    now = SETTLE_S
    assert sum(line.count for line in sums.read() if line.kind == "jobs") == 1
    engine.dispose()
