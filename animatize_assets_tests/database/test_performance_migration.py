"""From any earlier revision the performance tables arrive, and what was there stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    func,
    inspect,
    select,
    text,
)

from animatize_assets.database import performance_tables
from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import MIGRATIONS_DIR, NEWEST_REVISION, upgrade
from animatize_assets.database.tables import metadata
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import job

ROWS = 3
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

PERFORMANCE_TABLES = {
    found.name for found in vars(performance_tables).values() if isinstance(found, Table)
}


def config(connection: Connection | None = None) -> Config:
    found = Config()
    found.set_main_option("script_location", str(MIGRATIONS_DIR))
    found.set_main_option("path_separator", "os")
    found.attributes["connection"] = connection
    return found


def revisions() -> list[str]:
    """Every revision before the newest, the oldest first."""
    history = ScriptDirectory.from_config(config()).walk_revisions()
    return [each.revision for each in history if each.revision != NEWEST_REVISION][::-1]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


def upgrade_to(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        command.upgrade(config(connection), revision)


def value(column: Column[Any], number: int) -> Any:
    """A value that its column takes, another one for another row."""
    if column.foreign_keys:
        return number
    kind = column.type.python_type
    if kind is str:
        return f"{column.name[:6]}-{number} ü"[: getattr(column.type, "length", None)]
    return {
        int: number,
        float: number + 0.1,
        bool: number % 2 == 0,
        bytes: bytes([number, 0, 255]),
        datetime: AT,
        date: AT.date(),
    }[kind]


Content = dict[str, list[dict[str, Any]]]
"""Table -> its rows, each a value per column."""


def fill(engine: Engine) -> Content:
    """Put rows into every table that there is; returns them."""
    there = MetaData()
    there.reflect(engine)
    with engine.begin() as connection:
        for table in there.sorted_tables:
            if table.name != "alembic_version":
                for number in range(1, ROWS + 1):
                    row = {column.name: value(column, number) for column in table.columns}
                    connection.execute(table.insert().values(row))
                if "id" in table.columns and engine.dialect.name == "postgresql":
                    # a number that is given with its row leaves the sequence where it was
                    counter = func.pg_get_serial_sequence(table.name, "id")
                    connection.execute(select(func.setval(counter, ROWS)))
    return content(engine, [each.name for each in there.sorted_tables])


def content(engine: Engine, names: list[str]) -> Content:
    there = MetaData()
    there.reflect(engine, only=names)
    found = {}
    with engine.connect() as connection:
        for name in names:
            if name != "alembic_version":
                table = there.tables[name]
                query = select(table).order_by(*table.primary_key.columns)
                found[name] = [dict(row) for row in connection.execute(query).mappings()]
    return found


@pytest.mark.parametrize("revision", revisions())
def test_from_any_revision_with_all_data(revision: str, engine: Engine) -> None:
    upgrade_to(engine, revision)
    before = fill(engine)
    assert before
    assert all(len(rows) == ROWS for rows in before.values())
    assert not PERFORMANCE_TABLES & before.keys() or revision >= "0003"
    upgrade(engine)
    after = content(engine, list(before))
    assert {
        name: [
            {column: row[column] for column in known}
            for row, known in zip(after[name], rows, strict=True)
        ]
        for name, rows in before.items()
    } == before
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == NEWEST_REVISION
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert PerformanceStore(engine).record(job(1)) == 1
    if engine.dialect.name == "postgresql":
        return
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_an_empty_database_gets_every_table(engine: Engine) -> None:
    upgrade(engine)
    assert set(inspect(engine).get_table_names()) >= PERFORMANCE_TABLES
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_there_are_earlier_revisions() -> None:
    assert revisions()[:2] == ["0001", "0002"]


def test_a_number_is_never_given_twice(engine: Engine) -> None:
    """Retention deletes rows by their number: one that comes later must have a higher one."""
    upgrade(engine)
    store = PerformanceStore(engine)
    store.record(job(1), job(2))
    with engine.begin() as connection:
        connection.execute(performance_tables.generation_performance.delete())
    store.record(job(3))
    with engine.connect() as connection:
        assert connection.scalar(select(performance_tables.generation_performance.c.id)) == 3
