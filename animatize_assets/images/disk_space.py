"""Whether the disk has room for new work.

A disk that fills up in the middle of a paid call costs the picture. So work is not begun while
there is less room than is to be kept free, and begins again by itself when there is more: nothing
is remembered, each look reads the file system anew.

Belongs here: looking, the limit, the sentence; telling the error of a full disk from others. Does
not belong here: making room (``generation.result_store``, docs/retention.md), what is refused
meanwhile (whoever begins work).
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from animatize_assets.database.outages import causes
from animatize_assets.errors import DiskNearlyFull

GIGA = 1_000_000_000

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_SERVER_HAS_NO_ROOM = "53100"
"""SQLSTATE disk_full of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""


class Usage(Protocol):
    """What :func:`shutil.disk_usage` tells, bytes."""

    @property
    def total(self) -> int:
        """Size of the file system."""

    @property
    def free(self) -> int:
        """What this user may still write."""


@dataclass(frozen=True)
class Room:
    """One file system at one moment, bytes."""

    folder: Path
    total: int
    free: int
    kept_free: int

    @property
    def is_enough(self) -> bool:
        """Whether new work may begin."""
        return self.free >= self.kept_free

    @property
    def sentence(self) -> str:
        """What a person is told when it is not enough."""
        return (
            f"The disk of {self.folder} has {self.free / GIGA:,.2f} GB left of "
            f"{self.total / GIGA:,.2f} GB, and {self.kept_free / GIGA:,.2f} GB are kept free "
            "(ANIMATIZE_DISK_FREE_GB, ANIMATIZE_DISK_FREE_PERCENT): no new work begins. Free some "
            "room, `animatize sizes` tells what takes it; it goes on by itself."
        )


@dataclass(frozen=True)
class DiskSpace:
    """The local file systems that work writes to. Safe to use from several threads.

    ``least_free_bytes`` and ``least_free_share`` (0..1 of the file system): the larger is kept
    free. ``usage`` reads a file system, as :func:`shutil.disk_usage` does.
    """

    folders: Sequence[Path]
    least_free_bytes: int
    least_free_share: float
    usage: Callable[[Path], Usage] = field(default=shutil.disk_usage)

    def check(self) -> None:
        """Return when new work may begin.

        Raises:
            DiskNearlyFull: there is too little room; the sentence says where, and what to do.
            OSError: a file system cannot be read.

        """
        for folder in self.folders:
            room = self.room(folder)
            if not room.is_enough:
                raise DiskNearlyFull(room.sentence)

    def room(self, folder: Path) -> Room:
        """Return how much room there is where ``folder`` is, or will be once it is made.

        Raises:
            OSError: the file system cannot be read.

        """
        there = next(each for each in (folder, *folder.parents) if each.exists())
        read = self.usage(there)
        kept_free = max(self.least_free_bytes, round(self.least_free_share * read.total))
        return Room(folder, read.total, read.free, kept_free)


UNLIMITED = DiskSpace((), 0, 0.0)
"""Work begins whatever room there is."""


def is_full(error: BaseException) -> bool:
    """Whether ``error``, or one that it comes from, says that something did not fit on its disk."""
    return any(_says_full(each) for each in causes(error))


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return code is not None and code & 0xFF == sqlite3.SQLITE_FULL
    return getattr(error, "pgcode", None) == _SERVER_HAS_NO_ROOM
