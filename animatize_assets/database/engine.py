"""Connections to the project's own database (Dagster keeps its own).

Belongs here: what every connection needs so that many processes can share one file. Does not
belong here: tables and queries.
"""

from __future__ import annotations

import math
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url

BUSY_TIMEOUT_S = 30
"""How long a writer waits for another before it gives up, unless told otherwise."""

LEAST_CONNECT_TIMEOUT_S = 2
"""libpq's documentation advises against less."""


def open_engine(url: str, *, wait_s: float | None = None, is_durable: bool = True) -> Engine:
    """Open an engine for ``url``. Nothing is connected yet; a SQLite file's folder is made.

    SQLite is set to write-ahead logging (readers never wait for a writer), to wait for another
    writer, to check foreign keys, and to put every commit on the disk before it counts.

    Args:
        url: of SQLAlchemy, with its driver.
        wait_s: how long a statement may wait for another writer, and on PostgreSQL for the server,
            before it fails; None: :data:`BUSY_TIMEOUT_S` on SQLite, no limit on PostgreSQL.
        is_durable: False lets SQLite answer a commit before it is on the disk. A crash of the
            process loses nothing; a power cut may lose the last commits, and never damages the
            file (https://www.sqlite.org/pragma.html#pragma_synchronous, NORMAL with WAL).

    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _open_server(parsed, wait_s)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    timeout_s = BUSY_TIMEOUT_S if wait_s is None else wait_s
    engine = create_engine(parsed, connect_args={"timeout": timeout_s})
    event.listen(engine, "connect", partial(_prepare_sqlite, timeout_s, is_durable))
    return engine


def _open_server(url: URL, wait_s: float | None) -> Engine:
    if wait_s is None:
        return create_engine(url, pool_pre_ping=True)
    milliseconds = max(1, round(wait_s * 1000))
    # Of libpq: a server that does not answer, and one that goes silent in mid-statement.
    limits = {
        "connect_timeout": max(LEAST_CONNECT_TIMEOUT_S, math.ceil(wait_s)),
        "tcp_user_timeout": milliseconds,
    }
    engine = create_engine(url, pool_pre_ping=True, pool_timeout=wait_s, connect_args=limits)

    def limit_statements(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {milliseconds}")
        cursor.execute(f"SET statement_timeout = {milliseconds}")
        cursor.close()
        connection.commit()  # a rollback would take them back

    event.listen(engine, "connect", limit_statements)
    return engine


def _prepare_sqlite(
    timeout_s: float, is_durable: bool, connection: sqlite3.Connection, _record: Any
) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {round(timeout_s * 1000)}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # The change needs the file to itself and does not wait for it. The mode stays with the
        # file, so the process that holds it, or the next connection, makes the change.
        if "locked" not in str(error):
            raise
    cursor.close()
