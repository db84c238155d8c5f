"""Where a refused file goes that came through the watched folder: aside, never away.

Belongs here: moving it and saying why. Does not belong here: deciding that it is refused, or that
it came through the watched folder.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.images.durable import local_path, make_folder, sync_folder, write_whole
from animatize_assets.images.models import IngestOutcome
from animatize_assets.images.naming import displayable

FOLDER = "quarantine"
_REASON_SUFFIX = ".json"
_LONGEST_NAME_BYTES = 255
_NO_SECOND_NAME = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})
_PathT = TypeVar("_PathT", Path, UPath)
_LONGEST_SUFFIX = 16  # characters; what is longer after a dot is no file type


def quarantine(path: Path, data_dir: UPath, outcome: IngestOutcome) -> UPath:
    """Move the refused file at ``path`` to ``<data_dir>/quarantine`` beside a JSON saying why.

    Its name is kept (``-2``, ``-3`` ... is added when taken, the end of a very long one is cut
    off); the JSON is called like it with ``.json`` behind. An interrupted move is finished by
    calling again.

    Returns:
        Where the file is now.

    Raises:
        StorageFailed: the file is gone, or the storage refused; the file is not lost.

    """
    folder = UPath(data_dir) / FOLDER
    reason = json.dumps(
        {**outcome.model_dump(), "quarantined_at": datetime.now(UTC).isoformat()},
        ensure_ascii=False,
        indent=2,
    ).encode()
    try:
        local = local_path(folder)
        if local is None:
            return _upload(path, folder, reason)
        make_folder(local)
        target = _take_name(path, local)
        write_whole(UPath(_reason_of(target)), reason)
        if os.path.lexists(path):  # a folder was moved whole already
            path.unlink()
        sync_folder(path.parent)
        return UPath(target)
    except OSError as error:
        raise StorageFailed(
            f"'{displayable(path.name)}' could not be moved to {FOLDER}/: "
            f"{error.strerror or error}."
        ) from error


def _take_name(path: Path, folder: Path) -> Path:
    """Give ``path`` a second name in ``folder`` (the first is removed when all is done)."""
    own = path.lstat()
    for attempt in count(1):
        target = folder / _name(path, attempt)
        if os.path.lexists(target):
            if os.path.samestat(own, target.lstat()):
                return target  # an earlier call was interrupted after this step
            continue
        if os.path.lexists(_reason_of(target)):  # the name of another file's reason, or a file
            continue
        try:
            _place(path, target, own)
        except FileExistsError:  # another process took the name just now
            continue
        return target
    raise AssertionError  # pragma: no cover - count() does not end


def _place(path: Path, target: Path, own: os.stat_result) -> None:
    if stat.S_ISDIR(own.st_mode):
        path.rename(target)
        return
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError as error:
        # Another file system, or one without second names: a whole copy takes the place.
        if error.errno not in _NO_SECOND_NAME or not path.is_file():
            raise
        write_whole(UPath(target), path.read_bytes())
        shutil.copystat(path, target)


def _upload(path: Path, folder: UPath, reason: bytes) -> UPath:
    content = path.read_bytes()
    for attempt in count(1):
        target = folder / _name(path, attempt)
        if target.exists():
            if target.read_bytes() == content:
                break
        elif not _reason_of(target).exists():
            break
    write_whole(target, content)
    write_whole(_reason_of(target), reason)
    path.unlink()
    return target


def _reason_of(target: _PathT) -> _PathT:
    return target.with_name(target.name + _REASON_SUFFIX)


def _name(path: Path, attempt: int) -> str:
    """Take ``path``'s name, numbered from the second attempt on, short enough to end in .json."""
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    ending = (f"-{attempt}" if attempt > 1 else "") + suffix
    room = _LONGEST_NAME_BYTES - len(_REASON_SUFFIX) - len(os.fsencode(ending))
    stem = os.fsencode(path.name.removesuffix(suffix))
    if len(stem) > room:  # cut between characters
        return stem[:room].decode("utf-8", "ignore") + ending
    return os.fsdecode(stem) + ending
