"""New databases of tests get their tables by the statements that Alembic made once in this process.

Alembic takes some 60 ms of CPU for every new database, and the tests make a thousand of them. The
first of each kind is upgraded by Alembic; the other empty ones by what it then told the database.
What tests the history itself, in ``database``, goes without this.

Belongs here: that short cut. Does not belong here: the history (``animatize_assets.database``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from animatize_assets.database import migration

HISTORY = Path(__file__).parent / "database"

Statements = list[tuple[str, Any]]
"""What was sent to a database, with the parameters."""

_by_alembic = migration._run_alembic
_known: dict[str, Statements] = {}
"""Kind of database -> what makes an empty one up to date."""


@pytest.fixture(autouse=True)
def _quick_upgrades(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if HISTORY not in request.node.path.parents:
        monkeypatch.setattr(migration, "_run_alembic", run_history)


def run_history(connection: Connection) -> None:
    """Bring a database to the newest revision, as ``migration`` does."""
    kind = connection.dialect.name
    if migration._current_revision(connection) is not None:
        _by_alembic(connection)
    elif kind in _known:
        for statement, parameters in _known[kind]:
            connection.exec_driver_sql(statement, parameters)
    else:
        with _overheard(connection) as statements:
            _by_alembic(connection)
        _known[kind] = statements


@contextmanager
def _overheard(connection: Connection) -> Iterator[Statements]:
    heard: Statements = []

    def hear(_1: Any, _2: Any, statement: str, parameters: Any, _3: Any, _many: bool) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            heard.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", hear)
    yield heard
    event.remove(connection, "before_cursor_execute", hear)
