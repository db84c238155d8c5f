"""Whole tables come from SQLite to PostgreSQL as they were, or not at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    insert,
    select,
)

from animatize_assets.database import transfer
from animatize_assets.database.transfer import (
    SourceTable,
    copy_tables,
    filled_tables,
    is_same,
    joined,
    reading_sqlite,
    tables_of,
)
from animatize_assets.errors import StorageFailed

metadata = MetaData()
moments = Table(
    "moments",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("said", String),
    Column("measured", Float),
    Column("is_good", Boolean),
    Column("bytes", LargeBinary),
    Column("day", Date),
    Column("at", DateTime(timezone=True)),
    Column("at_nowhere", DateTime),
    sqlite_autoincrement=True,
)
parts = Table(  # its name comes first, what it refers to must be copied first
    "details",
    metadata,
    Column("moment", ForeignKey("moments.id"), primary_key=True, autoincrement=False),
    Column("name", String(8), primary_key=True),
)

INSTANTS = st.datetimes()
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "said": st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8")),
            "measured": st.none() | st.floats(allow_nan=False),
            "is_good": st.none() | st.booleans(),
            "bytes": st.none() | st.binary(max_size=40),
            "day": st.none() | st.dates(),
            "at": st.none() | INSTANTS.map(lambda at: at.replace(tzinfo=UTC)),
            "at_nowhere": st.none() | INSTANTS,
        }
    ),
    max_size=6,
)


@pytest.fixture
def target(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def sqlite_file(path: Path, rows: list[dict[str, Any]], names: tuple[str, ...] = ()) -> Path:
    path.unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    with engine.begin() as connection:
        for row in rows:
            connection.execute(insert(moments).values(row))
        for name in names:
            connection.execute(insert(parts).values(moment=1, name=name))
    engine.dispose()
    return path


def said(number: int) -> dict[str, Any]:
    return {"said": f"moment {number}"}


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
def test_whatever_a_row_holds_arrives(
    rows: list[dict[str, Any]], tmp_path: Path, target: Engine
) -> None:
    file = sqlite_file(tmp_path / "source.db", rows)
    with reading_sqlite(file) as source, target.begin() as connection:
        tables = tables_of(source)
        copied = {table.name: table.rows for table in copy_tables(tables, connection)}
        assert copied == {"moments": len(rows), "details": 0}
        assert is_same(tables, connection) is not None
    with target.connect() as connection:
        found = connection.execute(select(moments).order_by(moments.c.id)).mappings().all()
    kept = [column.name for column in moments.columns if column.name != "id"]
    assert [{name: row[name] for name in kept} for row in found] == rows


def test_what_refers_to_another_row_comes_after_it_and_numbers_go_on(
    tmp_path: Path, target: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "ROWS_AT_ONCE", 3)
    file = sqlite_file(tmp_path / "source.db", [said(n) for n in range(8)], ("a", "b"))
    gone = create_engine(f"sqlite:///{file}")
    with gone.begin() as connection:
        connection.execute(moments.delete().where(moments.c.id > 5))
    gone.dispose()
    with reading_sqlite(file) as source, target.begin() as connection:
        copy_tables(tables_of(source), connection)
    with target.begin() as connection:
        assert filled_tables(connection) == {"moments": 5, "details": 2}
        made = connection.execute(insert(moments).values(said(8))).inserted_primary_key
        assert made is not None
        assert made[0] == 9  # not a number that a row had which is gone


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE moments SET measured = measured + 1e-9 WHERE id = 2",
        "UPDATE moments SET said = NULL WHERE id = 1",
        "DELETE FROM moments WHERE id = 3",
        "INSERT INTO moments (id) VALUES (4)",
        "UPDATE moments SET at = at + interval '1 microsecond' WHERE id = 1",
    ],
)
def test_the_least_difference_is_seen(change: str, tmp_path: Path, target: Engine) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [{"said": str(n), "measured": math.pi, "at": at} for n in range(3)]
    with reading_sqlite(sqlite_file(tmp_path / "source.db", rows)) as source:
        with target.begin() as connection:
            copy_tables(tables_of(source), connection)
        with target.begin() as connection:
            connection.exec_driver_sql(change)
            assert is_same(tables_of(source), connection) is None


def test_a_row_that_the_target_refuses_is_told_with_its_table(
    tmp_path: Path, target: Engine
) -> None:
    file = sqlite_file(tmp_path / "source.db", [said(0)], ("longer than eight",))
    with (
        reading_sqlite(file) as source,
        target.connect() as connection,
        pytest.raises(StorageFailed, match="table details could not be copied"),
    ):
        copy_tables(tables_of(source), connection)
    with target.connect() as connection:
        assert filled_tables(connection) == {}


def test_another_schema_is_refused(tmp_path: Path, target: Engine) -> None:
    with reading_sqlite(sqlite_file(tmp_path / "source.db", [])) as source:
        tables = tables_of(source)
        with target.connect() as connection:
            fewer = {"moments": tables["moments"]}
            with pytest.raises(StorageFailed, match=r"same tables \(details\)"):
                copy_tables(fewer, connection)
            older = SourceTable("moments", tables["moments"].columns - {"said"}, list)
            with pytest.raises(StorageFailed, match=r"columns in source and target \(said\)"):
                copy_tables({**tables, "moments": older}, connection)


def test_nobody_writes_while_a_file_is_read(tmp_path: Path) -> None:
    file = sqlite_file(tmp_path / "source.db", [said(0)])
    with reading_sqlite(file):
        writer = create_engine(f"sqlite:///{file}", connect_args={"timeout": 0})
        with pytest.raises(Exception, match="database is locked"), writer.begin() as connection:
            connection.execute(insert(moments).values(said(1)))
        writer.dispose()


def test_a_file_that_is_written_to_is_not_read(tmp_path: Path) -> None:
    file = sqlite_file(tmp_path / "source.db", [said(0)])
    writer = create_engine(f"sqlite:///{file}")
    with writer.begin() as connection:
        connection.execute(insert(moments).values(said(1)))
        locked = pytest.raises(StorageFailed, match=r"in use \(database is locked\)")
        with locked, reading_sqlite(file):
            raise AssertionError("it was opened")
    writer.dispose()


def test_two_databases_become_one_unless_both_have_rows(tmp_path: Path) -> None:
    full = sqlite_file(tmp_path / "full.db", [said(0)])
    empty = sqlite_file(tmp_path / "empty.db", [])
    with reading_sqlite(full) as one, reading_sqlite(empty) as other:
        for pair in ((one, other), (other, one)):
            tables = joined(*(tables_of(each) for each in pair))
            assert [row["said"] for row in tables["moments"].rows()] == ["moment 0"]
        with pytest.raises(StorageFailed, match="rows in their table moments"):
            joined(tables_of(one), tables_of(one))
