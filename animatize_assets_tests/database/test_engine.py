"""Connections that many processes can share one file with."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from animatize_assets.database.engine import BUSY_TIMEOUT_S, open_engine
from animatize_assets.database.migration import upgrade


def test_sqlite_is_set_up_for_sharing(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new folder/animatize.db")
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        }
    assert found == {
        "journal_mode": "wal", "busy_timeout": BUSY_TIMEOUT_S * 1000, "foreign_keys": 1,
        "synchronous": 2,
    }  # fmt: skip
    engine.dispose()


def test_a_connection_may_be_told_to_hurry(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/animatize.db", wait_s=0.25, is_durable=False)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 250
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    engine.dispose()


def test_a_server_may_be_told_to_hurry(postgres_url: str) -> None:
    engine = open_engine(postgres_url, wait_s=0.25)
    with engine.connect() as connection:
        connection.rollback()
        assert connection.scalar(text("SHOW lock_timeout")) == "250ms"
        assert connection.scalar(text("SHOW statement_timeout")) == "250ms"
        with pytest.raises(OperationalError, match="timeout"):
            connection.execute(text("SELECT pg_sleep(600)"))
    engine.dispose()


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/animatize.db")
    upgrade(engine)
    with engine.connect() as writer, engine.connect() as reader:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        assert reader.scalar(text("SELECT count(*) FROM images")) == 0
        writer.rollback()
    engine.dispose()


def test_an_alias_belongs_to_an_image(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/animatize.db")
    upgrade(engine)
    alias = (
        "INSERT INTO image_aliases (image_id, name, registered_at) VALUES (7, 'x', '2026-01-01')"
    )
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(alias))
    engine.dispose()


def test_opening_connects_to_nothing() -> None:
    engine = open_engine("sqlite://")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
