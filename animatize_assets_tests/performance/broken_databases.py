"""Databases that take no records, for as long as a block lasts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, text

from animatize_assets.database.engine import open_engine

HURRIED_S = 0.1


@contextmanager
def hurried(url: str) -> Iterator[Engine]:
    """Give an engine that gives up soon, as the recorder's own does."""
    engine = open_engine(url, wait_s=HURRIED_S, is_durable=False)
    yield engine
    engine.dispose()


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold a lock that keeps every writer out."""
    engine = open_engine(url)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("LOCK TABLE generation_performance IN SHARE MODE"))
        yield
        connection.rollback()
    engine.dispose()


@contextmanager
def full(engine: Engine) -> Iterator[None]:
    """Let a SQLite file grow no further, as on a full disk."""

    def grow_no_more(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size for it

    engine.dispose()
    event.listen(engine, "connect", grow_no_more)
    yield
    event.remove(engine, "connect", grow_no_more)
    engine.dispose()


@contextmanager
def down(engine: Engine) -> Iterator[None]:
    """Let every new connection fail as with a server that is not there."""

    def refuse(*_: Any) -> None:
        raise ConnectionRefusedError("nobody listens")

    engine.dispose()
    event.listen(engine, "do_connect", refuse)
    yield
    event.remove(engine, "do_connect", refuse)
