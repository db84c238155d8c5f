"""The day's upkeep: what is late comes in before what is old goes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from animatize_assets.performance.daily_trends import TrendStore
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets.performance.spool import Spool
from animatize_assets.performance.upkeep import Upkeep, keep_in_order
from animatize_assets_tests.performance.jobs import MONDAY, job

NOW = MONDAY + timedelta(days=100)
NOTHING = Upkeep(
    imported=0, outage=None, deleted_jobs=0, kept_days=(), forgotten_imports=0, removed_models=0
)


@pytest.fixture
def room(tmp_path: Path, database_url: str) -> PerformanceRoom:
    return PerformanceRoom(
        database_url=database_url,
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        folder=tmp_path / "performance",
    )


def test_an_old_record_that_comes_late_is_still_in_its_day(room: PerformanceRoom) -> None:
    room.store.record(job(1), job(2, finished_at=NOW))
    spool = Spool(room.folder / "spool")
    spool.put(spool.new_id(), job(3))
    done = keep_in_order(room, now=NOW)
    assert (done.imported, done.deleted_jobs, done.kept_days) == (1, 2, ())
    assert room.store.count() == 1
    (day,) = TrendStore(room.engine).read()
    assert (day.date, day.total_jobs) == (MONDAY.date(), 2)


def test_where_nothing_is_old_nothing_goes(room: PerformanceRoom) -> None:
    room.store.record(job(1))
    assert keep_in_order(room, now=MONDAY + timedelta(days=90)) == NOTHING
    assert room.store.count() == 1
    with pytest.raises(ValueError, match="at least 1 day"):
        keep_in_order(room, now=NOW, keep_days=0)
    assert room.store.count() == 1
