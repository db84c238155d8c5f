"""Job records on the disk that wait for a database.

One file per record: it is there whole or not at all, and several processes share the folder
without a lock. Names sort by the time of spooling, so the order of a folder is the order of time.

Belongs here: the files. Does not belong here: when a record is spooled and when it is written to
the database (``recording``).
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from animatize_assets.errors import StorageFailed
from animatize_assets.performance.models import JobRecord

_log = logging.getLogger(__name__)

SUFFIX = ".json"
UNFINISHED_SUFFIX = ".part"
SET_ASIDE = "set_aside"
"""Folder, inside the spool's, of records that cannot be used; a person looks at them."""

_ABANDONED_AFTER_S = 3600.0


class Spool:
    """The spooled records of one folder. Safe to use from several threads and processes at once.

    A file's first line is the SHA-256 of its second, which is the record as JSON. ``clock`` tells
    the time, with its time zone.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._last_us = 0
        self._stuck: set[str] = set()
        self._is_unreadable = False

    def new_id(self) -> str:
        """Return an id unlike any other, that sorts after those of this process before it."""
        with self._lock:
            now_us = round(self._clock().timestamp() * 1e6)
            self._last_us = max(self._last_us + 1, now_us)  # a clock may be set back
            return f"{self._last_us:020d}-{secrets.token_hex(8)}"

    def put(self, spool_id: str, job: JobRecord) -> None:
        """Put a record on the disk; it is durable when this returns.

        Raises:
            StorageFailed: the disk is full or refuses; nothing is left of the record.

        """
        try:
            _write_whole(self._file(spool_id), _content_of(job))
        except OSError as error:
            raise StorageFailed(f"A job record could not be spooled: {error}.") from error

    def ids(self) -> list[str]:
        """Return what waits, oldest first, without what this process tried to move in vain.

        A folder that may not be read is reported once, and holds nothing for this process.
        """
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry in entries]
        except FileNotFoundError:  # nothing was ever spooled
            return []
        except OSError as error:
            if not self._is_unreadable:
                self._is_unreadable = True
                _log.error("Spooled job records in '%s' cannot be read: %s.", self.folder, error)
            return []
        found = {
            name.removesuffix(SUFFIX)
            for name in names
            if name.endswith(SUFFIX) and not name.startswith(".")
        }
        return sorted(found - self._stuck)

    def read(self, spool_id: str) -> JobRecord | None:
        """Return a record; None when it is gone (another process wrote it) or cannot be used.

        A damaged one is set aside.
        """
        file = self._file(spool_id)
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._leave(spool_id, "read", error)
            return None
        digest, _, body = content.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            self.set_aside(spool_id, "its content is not what was written")
            return None
        try:
            return JobRecord.model_validate_json(body)
        except ValidationError as error:
            self.set_aside(spool_id, f"this version cannot read it ({error.error_count()} fields)")
            return None

    def remove(self, spool_ids: Iterable[str]) -> None:
        """Remove records that are in the database now."""
        for spool_id in spool_ids:
            try:
                self._file(spool_id).unlink(missing_ok=True)
            except OSError as error:
                self._leave(spool_id, "removed", error)

    def set_aside(self, spool_id: str, reason: str) -> None:
        """Move a record out of the way of the others, and report it."""
        aside = self.folder / SET_ASIDE
        try:
            aside.mkdir(exist_ok=True)
            self._file(spool_id).replace(aside / f"{spool_id}{SUFFIX}")
        except FileNotFoundError:  # another process was faster
            return
        except OSError as error:
            self._leave(spool_id, "set aside", error)
            return
        _log.error("Spooled job record %s is set aside in '%s': %s.", spool_id, aside, reason)

    def put_aside(self, spool_id: str, job: JobRecord, reason: str) -> None:
        """Keep a record that the database refuses, where a person can look at it.

        Raises:
            StorageFailed: the disk is full or refuses; nothing is left of the record.

        """
        aside = self.folder / SET_ASIDE
        try:
            _write_whole(aside / f"{spool_id}{SUFFIX}", _content_of(job))
        except OSError as error:
            raise StorageFailed(f"A job record could not be set aside: {error}.") from error
        _log.error("The record of job %s is set aside in '%s': %s.", job.job_id, aside, reason)

    def remove_old_set_aside(self, before: datetime) -> int:
        """Remove records that were set aside before ``before``; returns how many.

        They are as old as the records that are deleted from the database.
        """
        limit = before.timestamp()
        removed = 0
        for file in (self.folder / SET_ASIDE).glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError):  # another process was faster
                if file.stat().st_mtime < limit:
                    file.unlink()
                    removed += 1
        return removed

    def remove_abandoned(self) -> None:
        """Remove what killed processes left unfinished more than an hour ago."""
        long_ago = time.time() - _ABANDONED_AFTER_S
        for part in self.folder.glob(f".*{UNFINISHED_SUFFIX}"):
            with suppress(FileNotFoundError):  # another process was faster
                if part.stat().st_mtime < long_ago:
                    part.unlink()

    def _file(self, spool_id: str) -> Path:
        return self.folder / f"{spool_id}{SUFFIX}"

    def _leave(self, spool_id: str, what: str, error: OSError) -> None:
        """Report a file once, and never try it again in this process."""
        self._stuck.add(spool_id)
        _log.error("Spooled job record %s could not be %s: %s.", spool_id, what, error)


def _content_of(job: JobRecord) -> bytes:
    body = job.model_dump_json().encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _write_whole(file: Path, content: bytes) -> None:
    _make_folder(file.parent)
    part = file.with_name(f".{file.stem}.{os.getpid()}{UNFINISHED_SUFFIX}")
    try:
        with part.open("xb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        part.rename(file)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            part.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each recorded on the disk in its own parent."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
