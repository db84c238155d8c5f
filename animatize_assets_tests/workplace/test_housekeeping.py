"""Weeks of a small studio on a set clock: what is bounded stops growing, what is needed stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select
from upath import UPath

from animatize_assets.database.tables import (
    generation_calls,
    generation_requests,
    image_states,
    images,
)
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.request_log import LoggedRequest, RequestLog
from animatize_assets.images.archive import ImageArchive
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.store import ImageStore
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets.performance.upkeep import keep_in_order
from animatize_assets.settings import Settings
from animatize_assets.workplace.housekeeping import KeepFor, tidy_stores
from animatize_assets_tests.generation.ledgers import planned
from animatize_assets_tests.images.test_states import key
from animatize_assets_tests.performance.jobs import job

KEEP_FOR = KeepFor(
    archive_after=timedelta(days=9),
    superseded=timedelta(days=9),
    runs=timedelta(days=3),
    trainings=timedelta(days=9),
    ledger=timedelta(days=12),
)
KEEP_JOBS_DAYS = 9
DAYS, A_DAY = 20, 2
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rows(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def upload(engine: Engine, number: int, now: datetime) -> str:
    image = {
        "id": number,
        "sha256": f"{number:064x}",
        "image_key": key(number),
        "original_name": "photo.jpg",
        "format": "jpeg",
        "byte_count": 1000,
        "width": 640,
        "height": 480,
        "source_mode": "RGB",
        "exif_orientation": 1,
        "has_icc_profile": False,
        "flattened_alpha": False,
        "frame_count": 1,
        "original_path": "o",
        "normalized_path": "o",
        "registered_at": now,
    }
    with engine.begin() as connection:
        connection.execute(insert(images).values(image))
        state = {"image_id": number, "state": "complete", "updated_at": now}
        connection.execute(insert(image_states).values(state))
    return key(number)


def test_what_is_bounded_stops_growing(engine: Engine, tmp_path: Path) -> None:
    now = FIRST
    store = ImageStore(UPath(tmp_path), engine, ImageLimits())
    archive = ImageArchive(engine, clock=lambda: now)
    ledger = SqlLedger(engine, Budget(), lambda: now)
    log = RequestLog(engine, lambda: now)
    room = PerformanceRoom(
        database_url=str(engine.url.render_as_string(hide_password=False)),
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        folder=tmp_path / "performance",
    )
    never_answered = ledger.open_call(planned())
    seen = []
    for day in range(DAYS):
        now = FIRST + timedelta(days=day)
        for number in range(day * A_DAY + 1, (day + 1) * A_DAY + 1):
            image_key = upload(engine, number, now)
            ledger.settle(ledger.open_call(planned(image_key=image_key)), cost_usd=0.1, usage=None)
            request = LoggedRequest(
                image_key, "generic", "noir", "flux", "m", 64, 48, "pan", "made"
            )
            log.write(request)
            room.store.record(job(number, finished_at=now))
        since = now - KEEP_FOR.archive_after
        untouched = archive.untouched(since, limit=100)
        archive.add({image: {} for image in untouched}, untouched_since=since)
        keep_in_order(room, now=now, keep_days=KEEP_JOBS_DAYS)
        tidy_stores(store, ArtifactStore(UPath(tmp_path)), room, KEEP_FOR, now=now)
        seen.append(
            (
                len(store.keys()),
                rows(engine, generation_requests),
                rows(engine, generation_calls),
                room.store.count(),
            )
        )
    assert len(set(seen[15:])) == 1  # nothing grows any more
    live, requests, calls, jobs = seen[-1]
    assert live == A_DAY * 10  # of the day itself and the nine before
    assert requests == A_DAY * 13
    assert calls == A_DAY * 13 + 1
    assert jobs == A_DAY * 10
    assert archive.count() == A_DAY * DAYS - live
    assert [row.call_id for row in ledger.open_rows()] == [never_answered]
    room.close()


def test_what_is_set_is_kept_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KeepFor.of(Settings.read()) == KeepFor(
        archive_after=timedelta(days=90),
        superseded=timedelta(days=90),
        runs=timedelta(days=30),
        trainings=timedelta(days=90),
        ledger=timedelta(days=400),
    )
    monkeypatch.setenv("ANIMATIZE_ARCHIVE_AFTER_DAYS", "7")
    assert KeepFor.of(Settings.read()).archive_after == timedelta(days=7)
