"""A backup of everything that is generated, while work goes on.

What is saved is as a power cut at one moment would have left it, and everything here starts again
from that. Rows are always written after the files that they name, so the databases are fixed first
and files are read afterwards; only what is taken *out* of folders once it is in a database (job
records that wait, uploads) is read before.

Belongs here: what is saved, in which order. Does not belong here: the form of the file
(``backup_file``), how a database is copied (``database.snapshot``).
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO

from animatize_assets import __version__
from animatize_assets.database.migration import NEWEST_REVISION
from animatize_assets.database.snapshot import (
    copy_as_seen,
    copy_file,
    copy_server,
    is_database,
    one_moment,
)
from animatize_assets.errors import StorageFailed
from animatize_assets.images.durable import remove_abandoned, sync_folder, temporary_name
from animatize_assets.settings import PREFIX, SECRETS
from animatize_assets.workplace.backup_file import BackupWriter, Manifest, SavedDatabase

DATA, DAGSTER = "data", "dagster"
"""Beginnings of the members' names."""

EMPTIED = ("uploads", "performance/spool")
"""Folders of the data folder from which files go once a database has what they tell."""

POINTER = "current"
"""File that names an artefact; read before artefacts, so that it names one that is read."""

PROCESSES = "processes"
"""Folder of Dagster's home: locks of processes that live now."""

UNFINISHED = (".part",)
BESIDES_DATABASE = ("-wal", "-shm", "-journal")
HIDDEN_DRAFTS = (".sheet-", ".dagster-")

RUN_FILES = Path("history") / "runs"
INDEX = "index.db"


@dataclass(frozen=True)
class Places:
    """The folders of one instance, absolute; Dagster's home may lie inside the data folder."""

    data_dir: Path
    home: Path

    def name_of(self, file: Path) -> str:
        """Return the member's name of a file in one of them."""
        if file.is_relative_to(self.home):
            return f"{DAGSTER}/{file.relative_to(self.home)}"
        return f"{DATA}/{file.relative_to(self.data_dir)}"

    def place_of(self, name: str) -> Path | None:
        """Return where the member ``name`` belongs; None for what is no file of the two."""
        beginning, _, rest = name.partition("/")
        folder = {DATA: self.data_dir, DAGSTER: self.home}.get(beginning)
        return None if folder is None else folder / rest


@dataclass
class _Work:
    places: Places
    writer: BackupWriter
    folder: Path
    left_out: frozenset[Path]
    saved: set[Path] = field(default_factory=set)
    databases: list[SavedDatabase] = field(default_factory=list)


def back_up(places: Places, servers: Mapping[str, str], target: Path, *, now: datetime) -> Manifest:
    """Save everything to the new file ``target``; it is there whole, or not at all.

    ``servers``: name -> URL of each database that is on a server.

    Raises:
        StorageFailed: ``target`` is there already, a database could not be copied, or the disk
            refused.
    """
    if target.exists():
        raise StorageFailed(f"'{target}' is there already. Name another file.")
    part = target.with_name(temporary_name(target.name))
    copies = target.with_name(temporary_name("copies"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(target.parent)
        copies.mkdir(mode=0o700)
        with part.open("xb") as stream:
            part.chmod(0o600)  # access tokens' hashes, and every picture
            with BackupWriter(stream) as writer:
                work = _Work(places, writer, copies, frozenset({part, copies}))
                _save(work, servers)
                manifest = writer.finish(lambda sums: _manifest(work, sums, now))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(part, target)  # fails when somebody was faster
        part.unlink()
        sync_folder(target.parent)
    except OSError as error:
        raise StorageFailed(f"The backup could not be written: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(copies, ignore_errors=True)
    return manifest


def _save(work: _Work, servers: Mapping[str, str]) -> None:
    _add_all(work, _emptied(work))
    main, of_runs = _databases(work)
    _save_databases(work, main, servers)
    for file in of_runs:
        _add_copy(work, file, partial(copy_file, file))
    artifacts = _files(work.places.data_dir / "artifacts", work)
    _add_all(work, (file for file in artifacts if file.name == POINTER))
    _add_all(work, _all_files(work))


def _save_databases(work: _Work, files: Sequence[Path], servers: Mapping[str, str]) -> None:
    late: list[tuple[Path, IO[bytes]]] = []

    def open_late_ones() -> None:
        """Hold what came since; while nobody can write to a database, none of it goes."""
        late.extend((file, file.open("rb")) for file in _emptied(work) if file not in work.saved)

    with one_moment(files, meanwhile=open_late_ones) as seen:
        for file, handle in late:
            with handle:
                _add_open(work, file, handle)
        for name, url in servers.items():
            _add_server(work, name, url)
        for file, connection in seen.items():
            _add_copy(work, file, partial(copy_as_seen, connection))


def _emptied(work: _Work) -> Iterator[Path]:
    for name in EMPTIED:
        yield from _files(work.places.data_dir / name, work)


def _add_all(work: _Work, files: Iterable[Path]) -> None:
    for file in files:
        if file not in work.saved:
            _add(work, file)


def _databases(work: _Work) -> tuple[list[Path], list[Path]]:
    """Return the SQLite files that must be of one moment, and those of single runs."""
    found = [file for file in _all_files(work, databases=True) if file.suffix == ".db"]
    of_runs = [
        file for file in found if file.parent == work.places.home / RUN_FILES and file.name != INDEX
    ]
    return [file for file in found if file not in set(of_runs)], of_runs


def _all_files(work: _Work, *, databases: bool = False) -> Iterator[Path]:
    """Give every file of the instance; or only its SQLite databases, which are none of those."""
    yield from _files(work.places.data_dir, work, databases=databases)
    if not work.places.home.is_relative_to(work.places.data_dir):
        yield from _files(work.places.home, work, databases=databases)


def _files(folder: Path, work: _Work, *, databases: bool = False) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        here = Path(where)
        folders[:] = sorted(
            name
            for name in folders
            if not name.endswith(UNFINISHED)
            and here / name not in work.left_out
            and here / name != work.places.home / PROCESSES
        )
        for name in sorted(names):
            file = here / name
            if (
                name.endswith((*UNFINISHED, *BESIDES_DATABASE))
                or name.startswith(HIDDEN_DRAFTS)
                or file in work.left_out
                or file.is_symlink()
                or not file.is_file()
            ):
                continue
            if _is_database(file) == databases:
                yield file


def _is_database(file: Path) -> bool:
    """Whether it is one of SQLite's; one that vanished meanwhile is not, nor one without a byte."""
    try:
        return file.suffix == ".db" and is_database(file)
    except FileNotFoundError:
        return False


def _add(work: _Work, file: Path) -> None:
    try:
        handle = file.open("rb")
    except FileNotFoundError:
        return  # a run that is going on has just replaced it
    with handle:
        _add_open(work, file, handle)


def _add_open(work: _Work, file: Path, handle: IO[bytes]) -> None:
    work.writer.add(work.places.name_of(file), handle)
    work.saved.add(file)


def _add_copy(work: _Work, file: Path, copy: Callable[[Path], None]) -> None:
    copied = work.folder / "copy.db"
    try:
        copy(copied)
    except FileNotFoundError:
        return  # its run was deleted meanwhile
    name = work.places.name_of(file)
    with copied.open("rb") as handle:
        work.writer.add(name, handle)
    copied.unlink()
    if file.parent != work.places.home / RUN_FILES or file.name == INDEX:
        work.databases.append(SavedDatabase(name=file.stem, kind="sqlite", member=name))


def _add_server(work: _Work, name: str, url: str) -> None:
    copied = work.folder / "server.db"
    copy_server(url, copied)
    member = f"databases/{name}.db"
    with copied.open("rb") as handle:
        work.writer.add(member, handle)
    copied.unlink()
    work.databases.append(SavedDatabase(name=name, kind="postgresql", member=member))


def _manifest(work: _Work, sums_sha256: str, now: datetime) -> Manifest:
    return Manifest(
        made_at=now,
        data_dir=str(work.places.data_dir),
        versions={
            "animatize_assets": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("dagster", "mlflow", "sqlalchemy")},
        },
        schema_revision=NEWEST_REVISION,
        settings=shown_settings(os.environ),
        databases=tuple(work.databases),
        files=work.writer.files,
        bytes=work.writer.bytes,
        sums_sha256=sums_sha256,
    )


SECRET_ENDINGS: Sequence[str] = (*SECRETS, "_TOKEN", "_PASSWORD", "_URI", "_URL")
"""Of variables whose values are not kept: an address may have a password in it."""


def shown_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return which of this project's variables are set; of a secret only that it is."""
    return {
        name: "(set; not kept)" if name.endswith(tuple(SECRET_ENDINGS)) else value
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX) and value
    }
