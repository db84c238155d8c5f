"""Folders that take the place of others, at one moment, and what is left of it after a kill.

Two renames leave a moment at which there is no folder at all: a process that is killed then has
taken away what was there. Linux exchanges two names in one step (renameat2 with RENAME_EXCHANGE,
https://man7.org/linux/man-pages/man2/rename.2.html), for which Python has no function.

Belongs here: one exchange, several with the way back, leftovers. Does not belong here: what the
folders hold (``restoring``).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from animatize_assets.errors import StorageFailed
from animatize_assets.images.durable import (
    LEFTOVER_SUFFIX,
    name_when_whole,
    sync_folder,
    temporary_name,
)

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""From linux/fcntl.h and linux/fs.h."""

CANNOT_EXCHANGE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
"""What a file system, or a system, says that has no such step."""


def put_in_place(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Give each second path what is at the first; what was there is at the first afterwards.

    Raises:
        OSError: one of them could not be exchanged; all are where they were.
    """
    done: list[tuple[Path, Path, bool]] = []
    try:
        for new, target in pairs:
            was_there = target.exists()
            if was_there:
                exchange(new, target)
            else:
                new.rename(target)
            done.append((new, target, was_there))
            sync_folder(target.parent)
    except OSError:
        for new, target, was_there in reversed(done):
            if was_there:
                exchange(new, target)
            else:
                target.rename(new)
        raise


def exchange(one: Path, other: Path) -> None:
    """Exchange two folders of one file system: at no moment is one of the names without a folder.

    Where the file system cannot do that it is done by three renames, and a kill between them leaves
    the one that was taken away beside, under a name that ends in ``.part``.

    Raises:
        OSError: neither is possible; both are where they were.
    """
    try:
        _exchange_at_once(one, other)
    except OSError as error:
        if error.errno not in CANNOT_EXCHANGE:
            raise
        _exchange_by_renaming(one, other)


def _exchange_at_once(one: Path, other: Path) -> None:
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError as error:  # no Linux, or a C library older than 2018
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    first, second = os.fsencode(one), os.fsencode(other)
    if renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(other))


def _exchange_by_renaming(one: Path, other: Path) -> None:
    aside = other.with_name(temporary_name(other.name))
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)


@contextmanager
def alone_beside(folder: Path) -> Iterator[bool]:
    """Be the only one who exchanges folders in ``folder``; gives whether that is sure.

    It is not on a file system that locks no folders, such as NFS.

    Raises:
        StorageFailed: another process does at this moment.
        OSError: the folder is not there.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _is_locked(descriptor, folder)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StorageFailed(f"Another restore goes on in {folder}. Let it end.") from error
    except OSError:
        return False
    return True


def remove_leftovers(folder: Path, names: Sequence[str]) -> None:
    """Remove from ``folder`` what processes that were killed left of these names.

    The caller is :func:`alone_beside` it.
    """
    left_of = {name[:64] for name in names}
    for left in folder.glob(f".*{LEFTOVER_SUFFIX}"):
        if name_when_whole(left.name) in left_of:
            shutil.rmtree(left, ignore_errors=True)
