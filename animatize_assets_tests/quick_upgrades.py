"""New databases of tests get their tables by the statements that Alembic made once in this process.

Alembic takes some 60 ms of CPU for every new database of ours and a second for one of MLflow, and
the tests make a thousand of them. The first of each kind is upgraded by Alembic; the other empty
ones by what it then told the database. What tests the history itself, in ``database``, goes without
this.

Belongs here: that short cut. Does not belong here: the history (``animatize_assets.database``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from animatize_assets.database import migration

HISTORY = Path(__file__).parent / "database"

Statements = list[tuple[str, Any]]
"""What was sent to a database, with the parameters."""

_MLFLOW = "mlflow.store.db.utils"
"""Its module is asked for only when a test has imported it: that takes seconds."""

_by_alembic = migration._run_alembic
_known: dict[str, Statements] = {}
"""Kind of database -> what makes an empty one up to date."""
_of_mlflow: dict[str, Statements] = {}


@pytest.fixture(autouse=True)
def _quick_upgrades(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if HISTORY not in request.node.path.parents:
        monkeypatch.setattr(migration, "_run_alembic", run_history)
        if (mlflow := sys.modules.get(_MLFLOW)) is not None:
            makes_tables = partial(make_mlflow_tables, mlflow._initialize_tables)
            monkeypatch.setattr(mlflow, "_initialize_tables", makes_tables)


def run_history(connection: Connection) -> None:
    """Bring a database to the newest revision, as ``migration`` does."""
    kind = connection.dialect.name
    if migration._current_revision(connection) is not None:
        _by_alembic(connection)
    elif kind in _known:
        _say_again(connection, _known[kind])
    else:
        with _overheard(connection) as statements:
            _by_alembic(connection)
        _known[kind] = statements


def make_mlflow_tables(by_mlflow: Callable[[Engine], None], engine: Engine) -> None:
    """Make the tables of MLflow in a database that has none, as it does."""
    kind = engine.dialect.name
    if kind in _of_mlflow:
        with engine.begin() as connection:
            _say_again(connection, _of_mlflow[kind])
    else:
        with _overheard(engine) as statements:
            by_mlflow(engine)
        _of_mlflow[kind] = statements


def _say_again(connection: Connection, statements: Statements) -> None:
    for statement, parameters in statements:
        connection.exec_driver_sql(statement, parameters)


@contextmanager
def _overheard(told: Connection | Engine) -> Iterator[Statements]:
    heard: Statements = []

    def hear(_1: Any, _2: Any, statement: str, parameters: Any, _3: Any, _many: bool) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            heard.append((statement, parameters))

    event.listen(told, "before_cursor_execute", hear)
    yield heard
    event.remove(told, "before_cursor_execute", hear)
