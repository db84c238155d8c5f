"""Bring a database to the newest schema, from any process, at any time.

Belongs here: running the Alembic history. Does not belong here: the history itself
(``migrations/versions``; one file per step, never edited after a release).
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

NEWEST_REVISION = "0009"
"""The last step of the history, named so that an up-to-date database needs no Alembic."""

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x616E696D  # "anim": an arbitrary number that only this project's upgrades take

_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps the upgrade it is about in its modules: two threads would mix up two databases."""


def upgrade(engine: Engine) -> None:
    """Apply every step of the history that the database lacks, all or nothing.

    Processes that call this at the same moment wait for the first of them; the others then find
    nothing to do.
    """
    with engine.connect() as connection:
        if _current_revision(connection) == NEWEST_REVISION:
            return
    with _ONE_AT_A_TIME, engine.connect() as connection:
        _take_lock(connection)
        if _current_revision(connection) != NEWEST_REVISION:
            _run_alembic(connection)
        connection.commit()


def revision_of(engine: Engine) -> str | None:
    """Return at which step of the history a database is; None before the first."""
    with engine.connect() as connection:
        return _current_revision(connection)


def _current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _take_lock(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # The whole upgrade is one write transaction; the second process waits to begin its own.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))


def _run_alembic(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - needed once in a database's life
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
