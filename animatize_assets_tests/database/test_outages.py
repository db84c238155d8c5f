"""A database that is away is told from one in which something is wrong."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from animatize_assets.database.outages import is_outage
from animatize_assets.errors import StorageFailed


class _FromServer(Exception):
    def __init__(self, pgcode: str | None) -> None:
        super().__init__(pgcode)
        self.pgcode = pgcode


@pytest.mark.parametrize(
    ("code", "away"),
    [(None, True), ("57P01", True), ("57P03", True), ("08006", True), ("53100", False)],
)
def test_a_server_says_it_by_its_code(code: str | None, away: bool) -> None:
    assert is_outage(OperationalError("select 1", {}, _FromServer(code))) is away


def test_a_locked_file_is_away_and_a_missing_table_is_not() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(OperationalError) as missing:
        connection.exec_driver_sql("SELECT * FROM nothing")
    assert not is_outage(missing.value)
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    assert is_outage(OperationalError("select 1", {}, busy))


def test_the_cause_counts_and_other_errors_do_not() -> None:
    lost = DBAPIError("select 1", {}, Exception("gone"), connection_invalidated=True)
    failed = StorageFailed("The ledger cannot be written.")
    failed.__cause__ = lost
    assert is_outage(failed)
    assert not is_outage(IntegrityError("insert", {}, Exception("twice")))
    assert not is_outage(StorageFailed("The disk is full."))


def test_a_server_that_is_not_there_is_away() -> None:
    engine = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    with pytest.raises(OperationalError) as refused:
        engine.connect()
    assert is_outage(refused.value)
