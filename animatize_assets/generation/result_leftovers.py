"""What crashes and damage leave in the result store's folder.

Belongs here: files that no row names, and damaged ones that were set aside. Does not belong here:
results (``result_store``).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from upath import UPath

from animatize_assets.images.durable import LEFTOVER_SUFFIX, write_whole

MOST_DAMAGED = 20
"""How many damaged files are kept to be looked at; the oldest go first."""

_DAMAGED = "damaged"
_PREFIX_LENGTH = 2  # of the folders that contents lie in; others hold locks and damaged files
_ORPHAN_AFTER_S = 3600.0


def set_aside(root: UPath, path: UPath, content: bytes) -> None:
    """Move a damaged file out of the way; at most :data:`MOST_DAMAGED` such files are kept.

    Raises:
        StorageFailed: the folder cannot be written.
    """
    write_whole(root / _DAMAGED / f"{path.name}-{time.time_ns()}", content)
    path.unlink(missing_ok=True)
    remove_damaged(root, keep=MOST_DAMAGED)


def damaged_files(root: UPath) -> list[UPath]:
    """Return what was set aside, the oldest first."""
    folder = root / _DAMAGED
    if not folder.exists():
        return []
    files = [each for each in folder.iterdir() if not each.name.endswith(LEFTOVER_SUFFIX)]
    return sorted(files, key=lambda each: each.name.rpartition("-")[2])


def remove_damaged(root: UPath, *, keep: int) -> int:
    """Remove what was set aside but for the newest ``keep``; the number of files."""
    files = damaged_files(root)
    gone = files[: max(0, len(files) - keep)]
    for each in gone:
        each.unlink(missing_ok=True)
    return len(gone)


def remove_orphans(root: UPath, named: Collection[str]) -> int:
    """Remove files whose names are not ``named``; the number of them.

    A file younger than an hour stays: it may be getting its row at this moment.
    """
    long_ago = time.time() - _ORPHAN_AFTER_S
    removed = 0
    for path in _files(root):
        if path.name in named:
            continue
        try:
            if path.stat().st_mtime <= long_ago:
                path.unlink()
                removed += 1
        except FileNotFoundError:  # another process was faster
            continue
    return removed


def _files(root: UPath) -> Iterator[UPath]:
    if not root.exists():
        return
    for folder in root.iterdir():
        if len(folder.name) == _PREFIX_LENGTH and folder.is_dir():
            yield from folder.iterdir()
