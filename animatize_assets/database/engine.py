"""Connections to the project's own database (Dagster keeps its own).

Belongs here: what every connection needs so that many processes can share one file. Does not
belong here: tables and queries.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url

BUSY_TIMEOUT_S = 30
"""How long a writer waits for another before it gives up."""


def open_engine(url: str) -> Engine:
    """Open an engine for ``url``. Nothing is connected yet; a SQLite file's folder is made.

    SQLite is set to write-ahead logging (readers never wait for a writer), to wait up to
    :data:`BUSY_TIMEOUT_S` for another writer, to check foreign keys, and to put every commit on
    the disk before it counts.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # The change needs the file to itself and does not wait for it. The mode stays with the
        # file, so the process that holds it, or the next connection, makes the change.
        if "locked" not in str(error):
            raise
    cursor.close()
