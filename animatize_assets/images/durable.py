"""Writing so that a crash at any moment leaves the old state or the new one, nothing between.

Locally: a temporary file beside the target, its bytes forced to the disk, a rename, and the
folder forced to the disk. On an object store one upload is already all or nothing.

Belongs here: single files and folders on a ``UPath``. Does not belong here: what they mean
(``store``, ``artifacts``, ``quarantine``).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

from animatize_assets.errors import StorageFailed

LEFTOVER_SUFFIX = ".part"
"""Ends the name of everything unfinished. A crash may leave such a file; none is ever read."""

_TEMPORARY = re.compile(rf"\.(?P<name>.+)\.\d+-[0-9a-f]+{re.escape(LEFTOVER_SUFFIX)}")
_ABANDONED_AFTER_S = 3600.0
_LOCAL_PROTOCOLS = frozenset({"", "file", "local"})


def local_path(location: UPath) -> Path | None:
    """Return ``location`` as a plain path when it is on a local file system, else None."""
    return Path(location.path) if location.protocol in _LOCAL_PROTOCOLS else None


def temporary_name(name: str) -> str:
    """Make a name, unlike any other, for something that will be called ``name`` when whole."""
    return f".{name[:64]}.{os.getpid()}-{secrets.token_hex(6)}{LEFTOVER_SUFFIX}"


def name_when_whole(name: str) -> str | None:
    """Return what :func:`temporary_name` made ``name`` of; None when it did not make it."""
    found = _TEMPORARY.fullmatch(name)
    return found["name"] if found else None


def write_whole(target: UPath, content: bytes) -> None:
    """Put ``content`` at ``target``, replacing what was there, all or nothing.

    Raises:
        StorageFailed: the storage refused; what was there before is still there.

    """
    try:
        local = local_path(target)
        if local is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        else:
            _write_local(local, content)
    except OSError as error:
        raise StorageFailed(f"'{target.name}' could not be stored: {error}.") from error


def _write_local(target: Path, content: bytes) -> None:
    make_folder(target.parent)
    remove_abandoned(target.parent)
    part = target.with_name(temporary_name(target.name))
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents, each recorded on the disk in its own parent."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Force the names in ``folder`` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(file: Path) -> None:
    """Force the bytes of ``file`` to the disk."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_abandoned(folder: Path) -> None:
    """Remove what a killed process left unfinished in ``folder`` more than an hour ago.

    Nothing that others call ``.part``: the folder may be one of a person's.
    """
    long_ago = time.time() - _ABANDONED_AFTER_S
    for part in folder.glob(f".*{LEFTOVER_SUFFIX}"):
        if name_when_whole(part.name) is None:
            continue
        try:
            if part.stat().st_mtime > long_ago:
                continue
        except FileNotFoundError:  # another process was faster
            continue
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


@contextmanager
def as_local_file(location: UPath) -> Iterator[Path]:
    """Give a stored file as a local path: itself, or a temporary copy of a remote one.

    Raises:
        StorageFailed: there is no such file, or it cannot be read.

    """
    local = local_path(location)
    if local is not None:
        if not local.is_file():
            raise StorageFailed(f"'{location.name}' is not in the data folder any more; run again.")
        yield local
        return
    try:
        content = location.read_bytes()
    except OSError as error:
        raise StorageFailed(f"'{location.name}' could not be read back: {error}.") from error
    with tempfile.TemporaryDirectory(prefix="animatize-") as folder:
        copy = Path(folder) / location.name
        copy.write_bytes(content)
        yield copy
