"""Copies of databases that are in use, as they were at one moment.

SQLite files are held for the milliseconds in which a reading transaction is begun in each; from
then on writers go on, and each is copied as it was by SQLite's own backup
(https://www.sqlite.org/backup.html; with write-ahead logging a reader sees the moment at which its
transaction began, https://www.sqlite.org/isolation.html). A server's tables are read in one
transaction of the isolation REPEATABLE READ, and kept as a SQLite file.

Belongs here: databases of anybody. Does not belong here: which there are
(``workplace.backing_up``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    inspect,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from animatize_assets.database.transfer import copy_tables, tables_of
from animatize_assets.errors import StorageFailed

WAIT_S = 30.0
"""For another writer of the same file. None of ours writes for longer than a moment."""

HEADER = b"SQLite format 3\x00"
"""Of every SQLite file (https://www.sqlite.org/fileformat.html, 1.3)."""


def is_database(file: Path) -> bool:
    """Whether a file is a SQLite database."""
    with file.open("rb") as opened:
        return opened.read(len(HEADER)) == HEADER


@contextmanager
def one_moment(
    files: Sequence[Path], *, meanwhile: Callable[[], None]
) -> Iterator[Mapping[Path, sqlite3.Connection]]:
    """Give a connection to each file, all of which see the same moment until the context ends.

    ``meanwhile`` is called while nobody can write to any of them: it must take milliseconds.

    Raises:
        StorageFailed: another process writes to one of them for longer than :data:`WAIT_S`.
    """
    with ExitStack() as opened:
        readers = {file: opened.enter_context(closing(_connected(file))) for file in files}
        with ExitStack() as held:
            for file in files:
                writer = held.enter_context(closing(_connected(file)))
                _begin(writer, "IMMEDIATE", file)
            for file, reader in readers.items():
                _begin(reader, "DEFERRED", file)
                # The transaction begins with the first row that is read.
                reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
            meanwhile()
        yield readers


def copy_file(source: Path, target: Path) -> None:
    """Copy a SQLite file that may be in use to the new file ``target``.

    Raises:
        StorageFailed: it is no usable database.
        FileNotFoundError: there is none any more.
    """
    if not source.is_file():
        raise FileNotFoundError(source)
    with closing(_connected(source)) as opened:
        copy_as_seen(opened, target)


def copy_as_seen(source: sqlite3.Connection, target: Path) -> None:
    """Copy the database as ``source`` sees it to the new file ``target``.

    Raises:
        StorageFailed: it is no usable database, or the disk refused.
    """
    try:
        with closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # it is read once, and then removed
            source.backup(copy)
    except sqlite3.Error as error:
        raise StorageFailed(f"A database could not be copied: {error}.") from error


def copy_server(url: str, target: Path) -> int:
    """Keep every table of a server's database as it is now in a new SQLite file; the rows.

    Raises:
        StorageFailed: the server does not answer, or a table was not the same afterwards.
    """
    source = create_engine(make_url(url), poolclass=NullPool, isolation_level="REPEATABLE READ")
    kept = create_engine(f"sqlite:///{target}", poolclass=NullPool)
    try:
        with source.connect() as reading, kept.connect() as writing:
            _make_shapes(reading, writing)
            copied = copy_tables(tables_of(reading), writing)
            _keep_numbering(reading, writing)
            writing.commit()
    except SQLAlchemyError as error:
        first = str(error).strip().splitlines()[0]
        raise StorageFailed(f"A database on a server could not be copied: {first}") from error
    finally:
        source.dispose()
        kept.dispose()
    return sum(table.rows for table in copied)


def revision_in(file: Path) -> str | None:
    """Return the revision of Alembic that a SQLite file notes; None when it notes none.

    Raises:
        StorageFailed: it is no usable database.
    """
    try:
        with closing(_connected(file)) as opened:
            has_table = opened.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            ).fetchone()
            row = (
                opened.execute("SELECT version_num FROM alembic_version").fetchone()
                if has_table
                else None
            )
    except sqlite3.Error as error:
        raise StorageFailed(f"'{file.name}' is no usable database: {error}.") from error
    return None if row is None else str(row[0])


def _connected(file: Path) -> sqlite3.Connection:
    """Open a file that is there, without transactions of Python's own making."""
    address = f"file:{quote(str(file))}?mode=rw"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=WAIT_S)


def _begin(connection: sqlite3.Connection, how: str, file: Path) -> None:
    try:
        connection.execute(f"BEGIN {how}")
    except sqlite3.Error as error:
        raise StorageFailed(
            f"{file} is in use by something that writes for long ({error}). Try again later."
        ) from error


def _make_shapes(source: Connection, target: Connection) -> None:
    """Make tables that can hold the rows of every table of ``source``, without its rules."""
    found = MetaData()
    found.reflect(source)
    shapes = MetaData()
    for table in found.sorted_tables:
        Table(
            table.name,
            shapes,
            *(
                Column(column.name, _held_as(column.type), primary_key=column.primary_key)
                for column in table.columns
            ),
            sqlite_autoincrement=_is_numbered(table),
        )
    shapes.create_all(target)


def _held_as(kind: Any) -> Any:
    if isinstance(kind, Integer):
        return Integer()  # of 64 bits; of no other name does SQLite keep the numbering
    try:
        return kind.as_generic()
    except NotImplementedError:  # a type that only this server has
        return Text()


def _is_numbered(table: Table) -> bool:
    key = list(table.primary_key.columns)
    return len(key) == 1 and isinstance(key[0].type, Integer)


def _keep_numbering(source: Connection, target: Connection) -> None:
    """Note the largest number that each table ever gave where SQLite keeps its own."""
    if source.dialect.name != "postgresql":
        return
    for name in inspect(source).get_table_names():
        for column in inspect(source).get_pk_constraint(name)["constrained_columns"]:
            sequence = source.scalar(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": f'"{name}"', "column": column},
            )
            if sequence is None:
                continue
            last = source.scalar(
                text("SELECT pg_sequence_last_value(CAST(:sequence AS regclass))"),
                {"sequence": sequence},
            )
            target.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
            target.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"),
                {"name": name, "last": int(last or 0)},
            )
