"""The day's upkeep: what is late comes in before what is old goes."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from animatize_assets.performance.alert_models import AlertDraft, Judgement
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.daily_trends import TrendStore
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets.performance.spool import Spool
from animatize_assets.performance.upkeep import Upkeep, keep_in_order
from animatize_assets_tests.performance.jobs import MONDAY, job

NOW = MONDAY + timedelta(days=100)
NOTHING = Upkeep(
    imported=0,
    outage=None,
    deleted_jobs=0,
    kept_days=(),
    forgotten_imports=0,
    removed_models=0,
    deleted_alerts=0,
    removed_set_aside=0,
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


def test_what_was_set_aside_and_resolved_alerts_go_when_they_are_old(room: PerformanceRoom) -> None:
    room.spool.put_aside("old", job(1), "no database takes it")
    room.spool.put_aside("young", job(2), "no database takes it")
    os.utime(room.spool.folder / "set_aside" / "old.json", (0, MONDAY.timestamp()))
    alerts = AlertStore(room.engine, clock=lambda: MONDAY)
    drafts = [
        AlertDraft(
            alert_type="slow_generation",
            severity="low",
            message=name,
            subject=name,
            threshold_value=None,
            actual_value=None,
        )
        for name in ("resolved", "open")
    ]
    resolved, _ = alerts.raise_(Judgement(drafts=tuple(drafts))).new
    alerts.resolve(resolved.id, "a person")
    done = keep_in_order(room, now=NOW)
    assert (done.deleted_alerts, done.removed_set_aside) == (1, 1)
    assert [alert.message for alert in alerts.alerts(is_resolved=None)] == ["open"]
    assert [file.name for file in (room.spool.folder / "set_aside").iterdir()] == ["young.json"]


def test_where_nothing_is_old_nothing_goes(room: PerformanceRoom) -> None:
    room.store.record(job(1))
    assert keep_in_order(room, now=MONDAY + timedelta(days=90)) == NOTHING
    assert room.store.count() == 1
    with pytest.raises(ValueError, match="at least 1 day"):
        keep_in_order(room, now=NOW, keep_days=0)
    assert room.store.count() == 1
