"""A process that is killed at any line of recording leaves each record there once and in order.

A child process records under a tracer that kills it (SIGKILL) when the n-th line of the spool, the
import, the store or the recorder is reached, for every n until it comes to its end.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import select

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.database.performance_tables import (
    generation_performance,
    performance_spool_imports,
)
from animatize_assets.performance import recording, spool, spool_import, store
from animatize_assets.performance.recording import JobRecorder, open_recorder
from animatize_assets.performance.spool import Spool
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.broken_databases import down
from animatize_assets_tests.performance.jobs import job

TRACED = {module.__file__ for module in (recording, spool, spool_import, store)}
SPOOLED, AT_ONCE = 3, 2


def record_some(url: str, spool_dir: Path, told: int) -> None:
    """Record while the database is down and after; tell each record that is safe."""
    engine = open_engine(url, wait_s=1, is_durable=False)
    recorder = JobRecorder(PerformanceStore(engine), spool_dir)
    with down(engine):
        for number in range(SPOOLED):
            recorder.record(job(number))
            os.write(told, bytes([number]))
    recorder = JobRecorder(PerformanceStore(engine), spool_dir)
    for number in range(SPOOLED, SPOOLED + AT_ONCE):
        recorder.record(job(number))
        os.write(told, bytes([number]))
    engine.dispose()


def die_at(line: int) -> Any:
    """Make a tracer that kills the process when it comes to that many lines."""
    left = [line]

    def trace(frame: FrameType, happening: str, _: Any) -> Any:
        if frame.f_code.co_filename not in TRACED:
            return None
        if happening == "line":
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
        return trace

    return trace


@dataclass(frozen=True)
class Left:
    """What a killed process left."""

    was_killed: bool
    told: list[int]
    """Numbers of the jobs whose record was safe, as the process knew."""


def killed_at(line: int, url: str, spool_dir: Path) -> Left:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(die_at(line))
            record_some(url, spool_dir, writer)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = list(pipe.read())
    status = os.waitpid(child, 0)[1]
    return Left(os.WIFSIGNALED(status), told)


def stored(url: str) -> tuple[list[str], int]:
    """Job ids in the order in which they were written, and how many spooled ones were imported."""
    engine = open_engine(url)
    with engine.connect() as connection:
        ids = select(generation_performance.c.job_id).order_by(generation_performance.c.id)
        imports = connection.execute(select(performance_spool_imports)).all()
        found = list(connection.scalars(ids)), len(imports)
    engine.dispose()
    return found


def emptied(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(generation_performance.delete())
        connection.execute(performance_spool_imports.delete())
    engine.dispose()


def test_killed_at_any_line(database_url: str, tmp_path: Path, sizes: dict[str, Any]) -> None:
    engine = open_engine(database_url)
    upgrade(engine)
    engine.dispose()  # a connection must not be shared with a child
    line, kills = 0, 0
    while True:
        spool_dir = tmp_path / f"spool-{line}"
        left = killed_at(line, database_url, spool_dir)
        recorder = open_recorder(database_url, spool_dir)
        recorder.drain()
        recorder.close()
        ids, imported = stored(database_url)
        numbers = [int(each.removeprefix("job-")) for each in ids]
        # each that was safe, at most the one in work besides, each once and in order
        assert numbers in (left.told, [*left.told, len(left.told)]), f"killed at line {line}"
        assert imported == min(len(numbers), SPOOLED)
        assert Spool(spool_dir).ids() == []
        assert not (spool_dir / spool.SET_ASIDE).exists()
        emptied(database_url)
        if not left.was_killed:
            break
        kills += 1
        line += sizes["recording_killed"]["every"]
    assert left.told == list(range(SPOOLED + AT_ONCE))
    assert kills * sizes["recording_killed"]["every"] > 100  # the tracer did see the lines


@pytest.mark.parametrize("line", [0, 50])
def test_the_tracer_kills(line: int, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/performance.db"
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()
    assert killed_at(line, url, tmp_path / "spool").was_killed
    assert not killed_at(10**9, url, tmp_path / "spool").was_killed
