"""``animatize migrate``: an embedded instance moves to PostgreSQL, with nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.database.transfer import (
    SourceTable,
    TableContent,
    copy_tables,
    filled_tables,
    is_same,
    joined,
    reading_sqlite,
    tables_of,
)
from animatize_assets.errors import InvalidSetting, NotConfigured, StorageFailed
from animatize_assets.performance.opening import DATABASE as PERFORMANCE_DATABASE
from animatize_assets.performance.opening import MLFLOW_DATABASE
from animatize_assets.settings import Settings
from animatize_assets.workplace.opening import DATABASE, open_workplace

HISTORY = ("alembic_version",)
"""What each database knows of its own schema, and keeps."""

NEW_TRACKING = {"experiments": 1, "workspaces": 1}
"""Rows that MLflow writes into a new database by itself; they are replaced."""


@dataclass(frozen=True)
class Move:
    """One database to be moved. ``tables``: opens its files; ``prepare``: makes empty tables."""

    what: str
    variable: str
    target_url: str
    tables: Callable[[], AbstractContextManager[Mapping[str, SourceTable]]]
    prepare: Callable[[str], None]
    left_out: tuple[str, ...] = HISTORY
    written_by_itself: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Moved:
    """What became of one database."""

    what: str
    was_there: bool
    tables: list[TableContent]

    @property
    def rows(self) -> int:
        """Rows of all its tables."""
        return sum(table.rows for table in self.tables)


def migrate(terminal: Terminal) -> int:
    """Copy Dagster's, the project's and MLflow's databases to PostgreSQL, or nothing at all.

    The files stay as they are. What was copied before, and has not changed, is left alone.

    Raises:
        NotConfigured: nothing was ever stored here, or a variable names no PostgreSQL database.
        StorageFailed: a database is not empty, or a copy is not exactly its source.
        OrchestrationFailed: a run goes on.
    """
    moves = planned_moves(open_workplace().settings)
    moved = move_all(moves, note=terminal.note)
    terminal.document(
        {
            "moved": [
                {
                    "database": each.what,
                    "was_there": each.was_there,
                    "rows": each.rows,
                    "tables": {table.name: table.rows for table in each.tables},
                }
                for each in moved
            ]
        }
    )
    terminal.say(facts("moved to PostgreSQL, each table compared", [_fact(each) for each in moved]))
    return 0


def move_all(moves: list[Move], *, note: Callable[[str], None]) -> list[Moved]:
    """Make every move; all are kept at the end, or none.

    Raises:
        StorageFailed, OrchestrationFailed: as ``migrate``; every target is as it was, but may have
            empty tables.
    """
    for move in moves:
        move.prepare(move.target_url)
    with ExitStack() as opened:
        moved, targets = [], []
        for move in moves:
            note(f"Copying {move.what} ...")
            tables = opened.enter_context(move.tables())
            target = opened.enter_context(_writing(move.target_url))
            moved.append(_moved(move, tables, target))
            targets.append(target)
        for target in targets:
            target.commit()
    return moved


def planned_moves(settings: Settings) -> list[Move]:
    """Return what is to be moved where, as the settings name it.

    Raises:
        NotConfigured: nothing was ever stored here, or a variable names no PostgreSQL database.
        InvalidSetting: two of them name the same database.
    """
    # Dagster, which takes a second to import.
    from animatize_assets.orchestration.home import prepare_home  # noqa: PLC0415
    from animatize_assets.orchestration.storage_move import (  # noqa: PLC0415
        BOOKKEEPING,
        dagster_files,
        dagster_tables,
        make_dagster_tables,
    )

    folder = settings.data_dir
    if not (folder / DATABASE).is_file():
        raise NotConfigured(f"Nothing was ever stored in {folder}: there is nothing to move.")
    files = [folder / DATABASE]
    if settings.performance_database_url is None:  # else the job records are elsewhere already
        files.append(folder / PERFORMANCE_DATABASE)
    moves = [
        _move_of(
            "images, ledger, caches and job records",
            "ANIMATIZE_DATABASE_URL",
            _address(settings.database_url),
            lambda: _project_tables([file for file in files if file.is_file()]),
            make_project_tables,
        )
    ]
    home = prepare_home(folder)
    if all(file.is_file() for file in dagster_files(home)):
        moves.append(
            _move_of(
                "Dagster's runs, events and schedules",
                "ANIMATIZE_DAGSTER_DATABASE_URL",
                _address(settings.dagster_database_url),
                lambda: dagster_tables(home),
                make_dagster_tables,
                left_out=BOOKKEEPING,
            )
        )
    if (folder / MLFLOW_DATABASE).is_file():
        from animatize_assets.performance.registry import make_tracking_tables  # noqa: PLC0415

        moves.append(
            _move_of(
                "MLflow's trainings and estimators",
                "ANIMATIZE_MLFLOW_TRACKING_URI",
                settings.mlflow_tracking_uri,
                lambda: _tables_in(folder / MLFLOW_DATABASE),
                make_tracking_tables,
                written_by_itself=NEW_TRACKING,
            )
        )
    _check_apart(moves)
    return moves


def _move_of(what: str, variable: str, url: str | None, *how: Any, **more: Any) -> Move:
    try:
        is_postgres = url is not None and make_url(url).get_backend_name() == "postgresql"
    except ArgumentError:
        is_postgres = False
    if url is None or not is_postgres:
        raise NotConfigured(
            f"{variable} names no PostgreSQL database, where {what} would go: set it to "
            "postgresql+psycopg2://USER:PASSWORD@HOST/NAME. See docs/deployment.md."
        )
    return Move(what, variable, url, *how, **more)


def _address(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _check_apart(moves: list[Move]) -> None:
    """Each has a table alembic_version of its own meaning, so none can share a database."""
    seen: dict[tuple[str | None, int | None, str | None, str], str] = {}
    for move in moves:
        url = make_url(move.target_url)
        where = (url.host, url.port, url.database, str(sorted(url.query.items())))
        if where in seen:
            raise InvalidSetting(
                f"{seen[where]} and {move.variable} name the same database. Give each its own."
            )
        seen[where] = move.variable


def _moved(move: Move, tables: Mapping[str, SourceTable], target: Connection) -> Moved:
    there = is_same(tables, target, left_out=move.left_out)
    if there is not None:
        return Moved(move.what, was_there=True, tables=there)
    filled = filled_tables(target, left_out=move.left_out)
    odd = {
        name: rows for name, rows in filled.items() if rows > move.written_by_itself.get(name, 0)
    }
    if odd:
        name, rows = max(odd.items(), key=lambda each: each[1])
        raise StorageFailed(
            f"The database of {move.variable} is not empty: its table {name} has {rows} rows. "
            "Nothing was copied; name a new one."
        )
    return Moved(
        move.what, was_there=False, tables=copy_tables(tables, target, left_out=move.left_out)
    )


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _tables_in(file: Path) -> Iterator[Mapping[str, SourceTable]]:
    with reading_sqlite(file) as connection:
        yield tables_of(connection, HISTORY)


@contextmanager
def _project_tables(files: list[Path]) -> Iterator[Mapping[str, SourceTable]]:
    """Give the tables of the project's files as those of one database, at the newest revision."""
    for file in files:
        make_project_tables(f"sqlite:///{file}")
    with ExitStack() as opened:
        tables: Mapping[str, SourceTable] = {}
        for file in files:
            tables = joined(tables, opened.enter_context(_tables_in(file)))
        yield tables


def make_project_tables(url: str) -> None:
    """Bring the project's tables in a database to the newest revision."""
    engine = open_engine(url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _fact(each: Moved) -> tuple[str, str]:
    how = "there before, unchanged" if each.was_there else "copied"
    filled = [table for table in each.tables if table.rows]
    return each.what, f"{each.rows} rows in {len(filled)} tables, {how}"
