"""Copy whole tables from one kind of database to another, and prove that nothing differs.

A copy is one transaction of the target, which the caller commits. Source and target are compared
by the number of rows and by the sum of the hashes of their rows, so that neither the order of rows
nor how a database writes a value matters; the target is read back for it.

Belongs here: tables and rows, of anybody. Does not belong here: which tables there are and what
they mean (``orchestration.storage_move`` for Dagster's, ``cli.migrate`` for the rest).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    DateTime,
    Float,
    Integer,
    MetaData,
    Table,
    create_engine,
    func,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from animatize_assets.errors import StorageFailed

ROWS_AT_ONCE = 500
"""Rows in one statement, and in memory at a time: events of Dagster have up to 75 KB each."""

_HASH_BITS = 256

Row = Mapping[Any, Any]
"""By the columns' names; SQLAlchemy's takes columns for keys, too."""
Values = tuple[Any, ...]


@dataclass(frozen=True)
class SourceTable:
    """A table to be copied. ``rows`` gives them anew, and the same, whenever it is called.

    ``last_id``: the largest number that its key column ever had, where that is known to be more
    than the largest that it has now.
    """

    name: str
    columns: frozenset[str]
    rows: Callable[[], Iterable[Row]]
    last_id: int = 0


@dataclass(frozen=True)
class TableContent:
    """What a table holds, told so that it can be compared."""

    name: str
    rows: int
    digest: str


@contextmanager
def reading_sqlite(path: Path) -> Iterator[Connection]:
    """Open a SQLite file for reading while nobody else can write to it.

    Raises:
        StorageFailed: another process writes to it, or it is no database.
    """
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except DBAPIError as error:
                raise StorageFailed(
                    f"{path} is in use ({error.orig}). Stop what works with it, and try again."
                ) from error
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


def tables_of(connection: Connection, left_out: Collection[str] = ()) -> dict[str, SourceTable]:
    """Return every table of a database by its name, except those ``left_out``."""
    found = _reflected(connection)
    last_ids = _last_ids(connection)
    return {
        name: SourceTable(
            name,
            frozenset(table.columns.keys()),
            lambda table=table: _rows_of(connection, table),  # type: ignore[misc]
            last_ids.get(name, 0),
        )
        for name, table in found.items()
        if name not in left_out
    }


def copy_tables(
    sources: Mapping[str, SourceTable], target: Connection, *, left_out: Collection[str] = ()
) -> list[TableContent]:
    """Fill the tables of ``target`` with the rows of ``sources``, read them back and compare.

    What the tables held before is removed. ``left_out``: tables that the target keeps as they are.

    Raises:
        StorageFailed: the two have other tables or columns, the target refused a row, or holds
            afterwards anything else than the source. The caller must roll back.
    """
    tables = [table for table in _sorted(target) if table.name not in left_out]
    _check_shapes(sources, tables)
    for table in reversed(tables):
        target.execute(table.delete())
    copied = []
    for table in tables:
        source = sources[table.name]
        try:
            told = _copy(source, table, target)
        except DBAPIError as error:
            raise StorageFailed(
                f"The table {table.name} could not be copied: {_first_line(error.orig)}."
            ) from error
        found = content_of(table, _rows_of(target, table))
        if found != told:
            raise StorageFailed(
                f"The table {table.name} holds {found.rows} rows after the copy, not the "
                f"{told.rows} of its source, or others. Nothing was kept."
            )
        _continue_numbering(source, table, target)
        copied.append(found)
    return copied


def is_same(
    sources: Mapping[str, SourceTable], target: Connection, *, left_out: Collection[str] = ()
) -> list[TableContent] | None:
    """Return what ``target`` holds if it is exactly what ``sources`` hold, else None."""
    tables = [table for table in _sorted(target) if table.name not in left_out]
    if {table.name for table in tables} != set(sources):
        return None
    same = []
    for table in tables:
        found = content_of(table, _rows_of(target, table))
        if found != content_of(table, sources[table.name].rows()):
            return None
        same.append(found)
    return same


def filled_tables(target: Connection, *, left_out: Collection[str] = ()) -> dict[str, int]:
    """Return how many rows each table has that has any."""
    counts = {
        table.name: target.scalar(select(func.count()).select_from(table)) or 0
        for table in _sorted(target)
        if table.name not in left_out
    }
    return {name: rows for name, rows in counts.items() if rows}


def content_of(table: Table, rows: Iterable[Row]) -> TableContent:
    """Tell what ``rows`` are, as ``table`` holds them."""
    adapt = _adapters(table)
    count, total = 0, 0
    for row in rows:
        count += 1
        total += _hash(tuple(as_held(row[name]) for name, as_held in adapt.items()))
    return TableContent(table.name, count, f"{total % 2**_HASH_BITS:064x}")


def _copy(source: SourceTable, table: Table, target: Connection) -> TableContent:
    adapt = _adapters(table)
    count, total = 0, 0
    for rows in _batches(source.rows()):
        values = [{name: as_held(row[name]) for name, as_held in adapt.items()} for row in rows]
        target.execute(table.insert(), values)
        count += len(values)
        total += sum(_hash(tuple(each.values())) for each in values)
    return TableContent(table.name, count, f"{total % 2**_HASH_BITS:064x}")


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_AT_ONCE)):
        yield batch


def _reflected(connection: Connection) -> dict[str, Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return dict(metadata.tables)


def _sorted(connection: Connection) -> list[Table]:
    """Return every table after those that it refers to."""
    metadata = MetaData()
    metadata.reflect(connection)
    return list(metadata.sorted_tables)


def _rows_of(connection: Connection, table: Table) -> Iterator[Row]:
    key = list(table.primary_key.columns)
    result = connection.execute(
        select(table).order_by(*key), execution_options={"yield_per": ROWS_AT_ONCE}
    )
    yield from result.mappings()


def _check_shapes(sources: Mapping[str, SourceTable], tables: Sequence[Table]) -> None:
    names = {table.name for table in tables}
    if names != set(sources):
        odd = ", ".join(sorted(names ^ set(sources)))
        raise StorageFailed(
            f"Source and target do not have the same tables ({odd}): one is of another version. "
            "Open both with this version once, then try again."
        )
    for table in tables:
        if odd_columns := sources[table.name].columns ^ set(table.columns.keys()):
            raise StorageFailed(
                f"The table {table.name} has other columns in source and target "
                f"({', '.join(sorted(odd_columns))}): one is of another version. "
                "Open both with this version once, then try again."
            )


def _adapters(table: Table) -> dict[str, Callable[[Any], Any]]:
    """Return for each column how a value of any database is held in this table."""
    return {name: _adapter(column.type) for name, column in sorted(table.columns.items())}


def _adapter(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, Boolean):
        return lambda value: None if value is None else bool(value)
    if isinstance(kind, DateTime):
        return _in_utc if kind.timezone else _without_zone
    if isinstance(kind, Float):
        return partial(_number, float)
    if isinstance(kind, Integer):
        return partial(_number, int)
    return _plain


def _number(python: type[int] | type[float], value: Any) -> Any:
    return None if value is None else python(value)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _in_utc(value: datetime | None) -> datetime | None:
    """SQLite keeps no time zones; everything in this project's databases is in UTC."""
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _without_zone(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is None:
        return value
    return value.astimezone(UTC).replace(tzinfo=None)


def _hash(values: Values) -> int:
    told = json.dumps([_told(value) for value in values], sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest())


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        return ["time", value.isoformat()]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if value is None or isinstance(value, str | bool | int | float | list | dict):
        return value
    return [type(value).__name__, str(value)]


def _last_ids(connection: Connection) -> dict[str, int]:
    """Return the largest number that SQLite ever gave in each table that never gives one again."""
    if connection.dialect.name != "sqlite":
        return {}
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars()
    if "sqlite_sequence" not in set(names):
        return {}
    return {
        str(name): int(last)
        for name, last in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
    }


def _continue_numbering(source: SourceTable, table: Table, target: Connection) -> None:
    """Let the target's next rows get numbers that no row ever had."""
    if target.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        sequence = target.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": f'"{table.name}"', "column": column.name},
        )
        if sequence is None:
            continue
        largest = target.scalar(select(func.max(column))) or 0
        last = max(int(largest), source.last_id)
        if last:
            target.execute(
                text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last}
            )


def joined(
    one: Mapping[str, SourceTable], other: Mapping[str, SourceTable]
) -> dict[str, SourceTable]:
    """Return the tables of two databases as those of one.

    Of a table that both have the rows must be in one of them only.

    Raises:
        StorageFailed: both have rows in the same table.
    """
    tables = {**one, **other}
    for name in one.keys() & other.keys():
        first, second = (any(True for _ in each[name].rows()) for each in (one, other))
        if first and second:
            raise StorageFailed(f"Two of the databases have rows in their table {name}.")
        tables[name] = other[name] if second else one[name]
    return tables


def _first_line(error: object) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
