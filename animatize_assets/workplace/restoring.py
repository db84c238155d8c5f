"""A backup brought back: checked to its end before anything that is there is touched.

The files are written beside their folders and checked, rows go to the servers in transactions that
are still open, and only then do the folders take their places, each at one moment, and the
transactions end. Whatever fails or is killed before leaves everything as it was. Where more than
one thing takes its place, the data folder is marked until all have (``images.half_restored``).

Belongs here: the order of it. Does not belong here: the form of the file (``backup_file``), how a
folder takes its place (``folder_exchange``), which tables a server has (``cli.restore``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, MetaData, String, func, inspect, update
from sqlalchemy.exc import SQLAlchemyError

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import NEWEST_REVISION
from animatize_assets.database.snapshot import revision_in
from animatize_assets.database.transfer import copy_tables, filled_tables, reading_sqlite, tables_of
from animatize_assets.errors import NotConfigured, StorageFailed
from animatize_assets.images.durable import make_folder, sync_folder, temporary_name
from animatize_assets.images.half_restored import MARK
from animatize_assets.workplace.backing_up import Places
from animatize_assets.workplace.backup_file import Manifest, read_backup
from animatize_assets.workplace.folder_exchange import (
    alone_beside,
    put_in_place,
    remove_leftovers,
)

MLFLOW = "mlflow"
"""Name of MLflow's database, on a server or as a file."""

OWN_HISTORY = ("project", "performance")
"""Names of the databases whose revisions are this project's."""

PLACEHOLDER = ".gitkeep"
"""A folder that has nothing else counts as empty."""

DATABASES = "databases"
"""Beginning of the names of members that are a server's, and name of the folder they wait in."""

PLACES_OF_FILES = ("artifact_location", "artifact_uri", "source", "storage_location")
"""Columns of MLflow's tables in which it notes where its files are, absolute."""


@dataclass(frozen=True)
class Server:
    """A database on a server that is to be filled.

    ``prepare``: makes empty tables. ``left_out``: tables that it keeps as they are.
    ``by_itself``: rows that a new database has anyhow, which are replaced.
    """

    variable: str
    url: str
    prepare: Callable[[str], None]
    left_out: tuple[str, ...]
    by_itself: Mapping[str, int]


def restore_backup(
    file: Path, places: Places, servers: Mapping[str, Server], *, replace: bool
) -> Manifest:
    """Bring back what ``file`` holds; what is there is kept, or with ``replace`` lost, as a whole.

    Raises:
        StorageFailed: something is there and ``replace`` is False, the file is no whole backup or
            of a later version, a folder cannot be exchanged, the disk refused, or another restore
            goes on; nothing changed. Or a server did not take what it had been given, which the
            sentence says: the data folder stays marked.
        NotConfigured: the backup has a database on a server, or none, and the settings say else.
    """
    if not replace:
        _check_empty(places)
    beside = places.data_dir.parent
    with _staging(places) as (staged, is_alone):
        databases = beside / temporary_name(DATABASES)
        try:
            manifest = _extracted(file, staged, databases)
            _check_usable(manifest, staged, databases, servers)
            with ExitStack() as opened:
                targets = [
                    _filled(opened, databases, saved.member, servers[saved.name], replace=replace)
                    for saved in manifest.databases
                    if saved.kind == "postgresql"
                ]
                _name_files_anew(manifest, staged, places, targets)
                _take_place(file, staged, places, targets)
        finally:
            shutil.rmtree(databases, ignore_errors=True)
        if is_alone:
            remove_leftovers(beside, (places.data_dir.name, DATABASES))
            remove_leftovers(places.home.parent, (places.home.name,))
    return manifest


def _check_empty(places: Places) -> None:
    for folder in (places.data_dir, places.home):
        for where, _, names in os.walk(folder):
            if odd := [name for name in names if name != PLACEHOLDER]:
                raise StorageFailed(
                    f"{folder} is not empty: it has '{Path(where, min(odd))}'. Name another folder "
                    "by ANIMATIZE_DATA_DIR, or give --replace, which removes what is there."
                )


@contextmanager
def _staging(places: Places) -> Iterator[tuple[Places, bool]]:
    """Give folders beside the ones that are meant, which only have to be exchanged for them.

    Gives also whether nobody else restores here, for sure. What is in the folders is removed after.
    """
    data_dir = places.data_dir.with_name(temporary_name(places.data_dir.name))
    is_inside = places.home.is_relative_to(places.data_dir)
    home = (
        data_dir / places.home.relative_to(places.data_dir)
        if is_inside
        else places.home.with_name(temporary_name(places.home.name))
    )
    try:
        make_folder(data_dir.parent)
        with alone_beside(data_dir.parent) as is_alone:
            data_dir.mkdir()
            home.mkdir(parents=True, exist_ok=True)
            yield Places(data_dir, home), is_alone
    except OSError as error:
        raise StorageFailed(f"The backup could not be brought back: {error}.") from error
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def _extracted(file: Path, staged: Places, databases: Path) -> Manifest:
    def place_of(name: str) -> Path | None:
        beginning, _, rest = name.partition("/")
        return databases / rest if beginning == DATABASES else staged.place_of(name)

    return read_backup(file, place_of)


def _check_usable(
    manifest: Manifest, staged: Places, databases: Path, servers: Mapping[str, Server]
) -> None:
    made_by = manifest.versions.get("animatize_assets", "another version")
    if manifest.schema_revision > NEWEST_REVISION:
        raise StorageFailed(
            f"The backup was made by {made_by}, whose databases are at revision "
            f"{manifest.schema_revision}; this version knows {NEWEST_REVISION}. Install that "
            "version, or a later one."
        )
    saved = {each.name for each in manifest.databases if each.kind == "postgresql"}
    for name in sorted(saved - set(servers)):
        raise NotConfigured(
            f"The backup has the database '{name}' of a PostgreSQL server, and no variable names "
            "where it shall go: set ANIMATIZE_DATABASE_URL, ANIMATIZE_DAGSTER_DATABASE_URL and "
            "ANIMATIZE_MLFLOW_TRACKING_URI. See docs/deployment.md."
        )
    for name in sorted(set(servers) - saved):
        raise NotConfigured(
            f"{servers[name].variable} is set, but the backup has no such database on a server. "
            "Unset it, restore, and move everything with: animatize migrate."
        )
    for name in sorted(saved & set(OWN_HISTORY)):
        revision = revision_in(databases / f"{name}.db")
        if revision != NEWEST_REVISION:
            raise StorageFailed(
                f"The backup's database '{name}' is at revision {revision}; rows go only into "
                f"tables of the same, and this version has {NEWEST_REVISION}. Restore with "
                f"{made_by}, then upgrade (docs/upgrading.md)."
            )
    for each in manifest.databases:
        place = staged.place_of(each.member)
        if place is not None:
            revision_in(place)  # it can be opened


def _filled(
    opened: ExitStack, databases: Path, member: str, server: Server, *, replace: bool
) -> tuple[str, Connection]:
    """Fill a server's database, in a transaction that the caller ends."""
    server.prepare(server.url)
    engine = open_engine(server.url)
    opened.callback(engine.dispose)
    target = opened.enter_context(engine.connect())
    if not replace:
        filled = filled_tables(target, left_out=server.left_out)
        odd = {name: rows for name, rows in filled.items() if rows > server.by_itself.get(name, 0)}
        if odd:
            raise StorageFailed(
                f"The database of {server.variable} is not empty: its table {min(odd)} has "
                f"{odd[min(odd)]} rows. Name a new one, or give --replace, which removes them."
            )
    source = databases / Path(member).name
    with reading_sqlite(source) as reading:
        copy_tables(tables_of(reading, server.left_out), target, left_out=server.left_out)
    return Path(member).stem, target


def _name_files_anew(
    manifest: Manifest, staged: Places, places: Places, targets: list[tuple[str, Connection]]
) -> None:
    """Let MLflow find its files, whose absolute places it notes, in the new data folder."""
    before, now = Path(manifest.data_dir).as_uri(), places.data_dir.as_uri()
    if before == now:
        return
    for name, connection in targets:
        if name == MLFLOW:
            _rename_places(connection, before, now)
    own = staged.data_dir / f"{MLFLOW}.db"
    if own.is_file():
        engine = open_engine(f"sqlite:///{own}")
        with engine.begin() as connection:
            _rename_places(connection, before, now)
        engine.dispose()


def _rename_places(connection: Connection, before: str, now: str) -> None:
    metadata = MetaData()
    metadata.reflect(connection, only=inspect(connection).get_table_names())
    for table in metadata.tables.values():
        for column in table.columns:
            if column.name in PLACES_OF_FILES and isinstance(column.type, String):
                length = len(before)
                connection.execute(
                    update(table)
                    .where(func.substr(column, 1, length + 1) == f"{before}/")
                    .values({column: now + func.substr(column, length + 1)})
                )


def _take_place(
    file: Path, staged: Places, places: Places, targets: list[tuple[str, Connection]]
) -> None:
    pairs = [(staged.data_dir, places.data_dir)]
    if not places.home.is_relative_to(places.data_dir):
        pairs.append((staged.home, places.home))
    is_more_than_one = len(pairs) + len(targets) > 1
    if is_more_than_one:
        (staged.data_dir / MARK).write_text(f"{file}\n")
    os.sync()
    _exchange(pairs, places.data_dir)
    _end_transactions(targets)
    if is_more_than_one:
        (places.data_dir / MARK).unlink()
        sync_folder(places.data_dir)


def _exchange(pairs: list[tuple[Path, Path]], data_dir: Path) -> None:
    """Put the staged folders where they belong, all of them, the marked one first."""
    try:
        put_in_place(pairs)
    except OSError as error:
        raise StorageFailed(
            f"The folder {data_dir} cannot be exchanged for the restored one: "
            f"{error.strerror}. A folder that is mounted must be restored beside its mount, and "
            "mounted then. Nothing was changed."
        ) from error


def _end_transactions(targets: list[tuple[str, Connection]]) -> None:
    for name, connection in targets:
        try:
            connection.commit()
        except SQLAlchemyError as error:
            raise StorageFailed(
                f"The files are restored, but the server's database '{name}' could not be. Repeat "
                "the restore with --replace before anything else."
            ) from error
