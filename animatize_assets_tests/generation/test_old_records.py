"""Old requests and closed calls go; what is open or unfinished stays whatever its age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select

from animatize_assets.database.tables import (
    expansion_batches,
    expansion_lines,
    generation_calls,
    generation_requests,
    pregenerated_pictures,
)
from animatize_assets.errors import DiskNearlyFull
from animatize_assets.generation import old_records
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.old_records import DeletedRecords, delete_old_records
from animatize_assets.generation.request_log import LoggedRequest, RequestLog
from animatize_assets.images.disk_space import DiskSpace
from animatize_assets_tests.generation.ledgers import Clock, planned
from animatize_assets_tests.images.test_disk_space import Disk

OLD, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
LIMIT = NOW - timedelta(days=30)


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def test_what_is_closed_and_old_goes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_records, "AT_ONCE", 2)
    clock = Clock(OLD)
    ledger, log = SqlLedger(engine, Budget(), clock), RequestLog(engine, clock)
    request = LoggedRequest("k", "generic", "noir", "flux", "m", 64, 48, "pan", "made")
    still_open = ledger.open_call(planned())
    for _ in range(5):
        ledger.settle(ledger.open_call(planned()), cost_usd=0.04, usage=None)
        log.write(request)
    reconciled_late = ledger.open_call(planned())
    clock.now = NOW
    ledger.settle(reconciled_late, cost_usd=0.04, usage=None)
    log.write(request)
    done = delete_old_records(engine, before=LIMIT)
    assert done == DeletedRecords(requests=5, calls=5, expansions=0, pregenerated=0)
    assert [row.call_id for row in ledger.open_rows()] == [still_open]
    assert (count(engine, generation_calls), count(engine, generation_requests)) == (2, 1)
    assert delete_old_records(engine, before=LIMIT) == DeletedRecords(0, 0, 0, 0)


def test_a_question_that_is_not_answered_stays_with_its_batch(engine: Engine) -> None:
    batch = {"model": "m", "state": "finished", "created_at": OLD, "finished_at": OLD}
    line = {
        "image_key": "k",
        "fingerprint": "f",
        "model": "m",
        "body": "{}",
        "submissions": 1,
        "created_at": OLD,
    }
    with engine.begin() as connection:
        for batch_id in (1, 2):
            connection.execute(
                insert(expansion_batches).values(id=batch_id, batch_key=f"b{batch_id}", **batch)
            )
        for number, (batch_id, state, ended) in enumerate(
            [(1, "done", OLD), (1, "done", NOW), (2, "done", OLD), (None, "waiting", None)]
        ):
            connection.execute(
                insert(expansion_lines).values(
                    custom_id=f"l{number}",
                    batch_id=batch_id,
                    state=state,
                    finished_at=ended,
                    **line,
                )
            )
    assert delete_old_records(engine, before=LIMIT).expansions == 2
    with engine.connect() as connection:
        left = connection.execute(
            select(expansion_lines.c.custom_id).order_by(expansion_lines.c.id)
        )
        assert left.scalars().all() == ["l1", "l3"]
        batches = connection.execute(select(expansion_batches.c.batch_key))
        assert batches.scalars().all() == ["b1"]


def test_pictures_made_beforehand_go_when_they_are_settled_and_old(engine: Engine) -> None:
    row = {
        "image_key": "k",
        "target": "generic",
        "style": "noir",
        "provider": "openai",
        "model": "m",
        "movement": "pan",
        "probability": 0.5,
        "way": "batch",
    }
    with engine.begin() as connection:
        for fingerprint, state, planned_at in (
            ("a", "ready", OLD),
            ("b", "submitted", OLD),
            ("c", "ready", NOW),
        ):
            connection.execute(
                insert(pregenerated_pictures).values(
                    fingerprint=fingerprint, state=state, planned_at=planned_at, **row
                )
            )
    assert delete_old_records(engine, before=LIMIT).pregenerated == 1
    assert count(engine, pregenerated_pictures) == 2


def test_no_paid_call_is_begun_on_a_disk_that_is_nearly_full(engine: Engine, tmp_path: Any) -> None:
    disk = Disk(free=0)
    space = DiskSpace((tmp_path,), 1, 0.0, usage=disk)
    ledger = SqlLedger(engine, Budget(), Clock(NOW), disk=space)
    with pytest.raises(DiskNearlyFull):
        ledger.open_call(planned())
    assert count(engine, generation_calls) == 0
    disk.free = 1
    ledger.settle(ledger.open_call(planned()), cost_usd=0.04, usage=None)
    assert count(engine, generation_calls) == 1
