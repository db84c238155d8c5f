"""The room put together: what was spooled while the database was down is there when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from animatize_assets.performance.opening import SPOOL, PerformanceRoom
from animatize_assets.performance.spool import Spool
from animatize_assets_tests.performance.jobs import job


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[PerformanceRoom]:
    opened = PerformanceRoom(
        database_url=database_url,
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        folder=tmp_path / "performance",
    )
    yield opened
    opened.close()


@pytest.fixture
def spool(room: PerformanceRoom) -> Spool:
    """Where another process left the records of an outage."""
    return Spool(room.folder / SPOOL)


def spooled(spool: Spool, *numbers: int) -> None:
    for number in numbers:
        spool.put(spool.new_id(), job(number))


def test_who_reads_the_records_reads_those_of_the_outage(
    room: PerformanceRoom, spool: Spool
) -> None:
    spooled(spool, 1, 2, 3)
    assert [each.job_id for each in room.store.jobs()] == ["job-1", "job-2", "job-3"]
    assert spool.ids() == []
    # A service keeps its room for long.
    spooled(spool, 4)
    assert room.store.count() == 4


@pytest.mark.parametrize("opening", ["tracking", "call_tracking"])
def test_a_step_that_begins_writes_them_first(
    room: PerformanceRoom, spool: Spool, opening: str
) -> None:
    spooled(spool, *range(250))  # more than one batch
    getattr(room, opening)()
    assert spool.ids() == []
    assert room.store.count() == 250


def test_without_an_outage_nothing_is_opened_to_look(room: PerformanceRoom) -> None:
    assert room.import_spooled() == 0
    assert "recorder" not in vars(room)
    assert not room.folder.exists()


def test_a_database_that_takes_nothing_is_tried_once_and_costs_no_reader_anything(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    room = PerformanceRoom(
        database_url=f"sqlite:///{tmp_path}",  # a folder
        tracking_uri="unused",
        folder=tmp_path / "performance",
    )
    waiting = Spool(room.folder / SPOOL)
    spooled(waiting, 1)
    assert room.import_spooled() == 0
    assert room.import_spooled() == 0
    assert caplog.text.count("takes no records") == 1
    assert len(waiting.ids()) == 1
    back = PerformanceRoom(database_url=database_url, tracking_uri="unused", folder=room.folder)
    assert back.import_spooled() == 1
    room.close()
    back.close()
