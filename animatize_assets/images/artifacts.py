"""What was made from an image, each thing under the fingerprint of everything that determines it.

::

    <data_dir>/artifacts/<stage>/<image_key>/
        current                  the fingerprint that holds now, one line, replaced atomically
        <fingerprint>/
            record.json          says what it is; written last, so its presence means "whole"
            ...                  files that the record names, relative to the data folder

Belongs here: storing and finding. Does not belong here: what a fingerprint is made of
(``pipeline``).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import ValidationError
from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.images.durable import (
    as_local_file,
    local_path,
    make_folder,
    remove_abandoned,
    sync_file,
    sync_folder,
    temporary_name,
    write_whole,
)
from animatize_assets.records import Record

RecordT = TypeVar("RecordT", bound=Record)

_RECORD = "record.json"
_CURRENT = "current"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


class Draft:
    """An artefact in the making: files are written to a local folder, then all of it at once.

    Made by :meth:`ArtifactStore.draft`. Without :meth:`commit` nothing of it remains.
    """

    def __init__(self, store: ArtifactStore, stage: str, image_key: str, fingerprint: str) -> None:
        self._store = store
        self._stage = stage
        self._image_key = image_key
        self._fingerprint = fingerprint
        self._folder = store.make_draft_folder(stage, image_key)

    @property
    def fingerprint(self) -> str:
        """The hash of what determines the artefact."""
        return self._fingerprint

    def path(self, name: str) -> Path:
        """Where to write the file ``name`` now: a local path."""
        return self._folder / _checked(name)

    def relative(self, name: str) -> str:
        """Where the file ``name`` will be, relative to the data folder."""
        return _location(self._stage, self._image_key, self._fingerprint, _checked(name))

    def commit(self, record: RecordT, *, replaces: RecordT | None = None) -> RecordT:
        """Store the files and ``record``, all or nothing, and make this the current artefact.

        When the same artefact was stored meanwhile, that one stays and its record is returned;
        unless it is the one that ``replaces`` says, which gives way only now.

        Raises:
            StorageFailed: the storage refused; nothing of the draft is visible.

        """
        return self._store.store_draft(
            self._folder, record, (self._stage, self._image_key, self._fingerprint), replaces
        )

    def discard(self) -> None:
        """Remove what was written and not committed."""
        shutil.rmtree(self._folder, ignore_errors=True)


class ArtifactStore:
    """The artefacts of one data folder. Safe to use from several threads and processes at once."""

    def __init__(self, data_dir: UPath) -> None:
        self._data_dir = UPath(data_dir)

    @property
    def data_dir(self) -> UPath:
        """The data folder."""
        return self._data_dir

    def forget(self, stage: str, image_key: str, fingerprint: str) -> None:
        """Remove an artefact, so that the same work is done again.

        Raises:
            StorageFailed: the storage refused.
        """
        folder = self.upath(_location(stage, image_key, fingerprint))
        local = local_path(folder)
        try:
            if local is None:
                folder.rmdir(recursive=True)
                return
            useless = local.with_name(temporary_name(local.name))
            local.rename(useless)
            shutil.rmtree(useless, ignore_errors=True)
        except FileNotFoundError:  # another process was faster
            return
        except OSError as error:
            raise StorageFailed(f"The {stage} of '{image_key}' stays: {error}.") from error

    def find(
        self, stage: str, image_key: str, fingerprint: str, record_type: type[RecordT]
    ) -> RecordT | None:
        """Return the record stored under ``fingerprint``, or None when there is no usable one.

        Not usable is a record that other code wrote and that is no ``record_type`` any more, and
        one that names a file of its own folder which somebody has removed.
        """
        folder = _location(stage, image_key, fingerprint)
        text = _read(self.upath(f"{folder}/{_RECORD}"))
        if text is None:
            return None
        try:
            record = record_type.model_validate_json(text)
        except ValidationError:
            return None
        own_files = set(re.findall(re.escape(folder) + r"/[A-Za-z0-9._-]+", text.decode()))
        return record if all(self.upath(file).exists() for file in own_files) else None

    def current(self, stage: str, image_key: str, record_type: type[RecordT]) -> RecordT | None:
        """Return the record that holds now, or None when nothing usable was made yet."""
        fingerprint = self.current_fingerprint(stage, image_key)
        if fingerprint is None:
            return None
        return self.find(stage, image_key, fingerprint, record_type)

    def current_fingerprint(self, stage: str, image_key: str) -> str | None:
        """Return the fingerprint that holds now, or None."""
        text = _read(self.upath(_location(stage, image_key, _CURRENT)))
        return None if text is None else text.decode().strip() or None

    def make_current(self, stage: str, image_key: str, fingerprint: str) -> None:
        """Let an artefact that is stored already hold from now on.

        Raises:
            StorageFailed: no whole artefact is stored under ``fingerprint``.

        """
        if not self.upath(_location(stage, image_key, fingerprint, _RECORD)).exists():
            raise StorageFailed(f"No {stage} of '{image_key}' is stored as '{fingerprint}'.")
        if self.current_fingerprint(stage, image_key) != fingerprint:
            pointer = self.upath(_location(stage, image_key, _CURRENT))
            write_whole(pointer, f"{fingerprint}\n".encode())

    @contextmanager
    def draft(self, stage: str, image_key: str, fingerprint: str) -> Iterator[Draft]:
        """Start an artefact; what is not committed when the context ends is removed."""
        draft = Draft(self, stage, image_key, fingerprint)
        try:
            yield draft
        finally:
            draft.discard()

    @contextmanager
    def local(self, relative: str) -> Iterator[Path]:
        """Give the stored file ``relative`` (to the data folder) as a local path.

        Raises:
            StorageFailed: there is no such file.

        """
        with as_local_file(self.upath(relative)) as path:
            yield path

    def upath(self, relative: str) -> UPath:
        """Return where ``relative`` (to the data folder) is.

        Raises:
            StorageFailed: ``relative`` leads out of the data folder.

        """
        parts = PurePosixPath(relative)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts:
            raise StorageFailed(f"'{relative}' is not a path inside the data folder.")
        return self._data_dir / relative

    def make_draft_folder(self, stage: str, image_key: str) -> Path:
        """Make an empty local folder for a draft, on the target's file system when that is local.

        Raises:
            StorageFailed: the storage refused.

        """
        shelf = local_path(self.upath(_location(stage, image_key)))
        try:
            if shelf is None:
                return Path(tempfile.mkdtemp(prefix="animatize-"))
            make_folder(shelf)
            remove_abandoned(shelf)
            folder = shelf / temporary_name("draft")
            folder.mkdir()
        except OSError as error:
            raise StorageFailed(f"No draft of {stage} could be started: {error}.") from error
        return folder

    def store_draft(
        self,
        folder: Path,
        record: RecordT,
        place: tuple[str, str, str],
        replaces: RecordT | None = None,
    ) -> RecordT:
        """Move ``folder`` with ``record`` to its place: see :meth:`Draft.commit`."""
        stage, image_key, fingerprint = place
        stored = self.find(*place, type(record))
        if stored is None or stored == replaces:
            (folder / _RECORD).write_text(record.model_dump_json(indent=2))
            try:
                self._place(folder, record, place, replaces)
            except OSError as error:
                raise StorageFailed(
                    f"The {stage} of '{image_key}' could not be stored: {error}."
                ) from error
            stored = self.find(*place, type(record)) or record
        self.make_current(stage, image_key, fingerprint)
        return stored

    def _place(
        self,
        folder: Path,
        record: Record,
        place: tuple[str, str, str],
        replaces: Record | None,
    ) -> None:
        target = self.upath(_location(*place))
        local = local_path(target)
        if local is None:
            if replaces is not None:
                self.forget(*place)
            _upload(folder, target)
            return
        for file in folder.iterdir():
            sync_file(file)
        sync_folder(folder)
        try:
            folder.rename(local)
        except OSError:
            if not local.is_dir():
                raise
            found = self.find(*place, type(record))
            if found is not None and found != replaces:
                return  # another process stored the same artefact a moment ago; it stays
            # What lies there is of no use (see find), or is replaced: it makes room, and is then
            # removed.
            useless = local.with_name(temporary_name(local.name))
            local.rename(useless)
            folder.rename(local)
            shutil.rmtree(useless, ignore_errors=True)
        sync_folder(local.parent)


def _upload(folder: Path, target: UPath) -> None:
    target.mkdir(parents=True, exist_ok=True)
    files = sorted(folder.iterdir(), key=lambda file: file.name == _RECORD)  # the record last
    for file in files:
        write_whole(target / file.name, file.read_bytes())


def _read(location: UPath) -> bytes | None:
    try:
        return location.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise StorageFailed(f"'{location.name}' could not be read back: {error}.") from error


def _checked(name: str) -> str:
    if _NAME.match(name) is None or name == _RECORD:
        raise StorageFailed(f"'{name}' cannot name a file of an artefact.")
    return name


def _location(*parts: str) -> str:
    for part in parts:
        if _NAME.match(part) is None:
            raise StorageFailed(f"'{part}' cannot be part of an artefact's path.")
    return "/".join(("artifacts", *parts))
