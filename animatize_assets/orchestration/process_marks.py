"""Which process runs a Dagster run, and whether it still lives.

A run that is executed inside a process of ours carries the process's mark as a tag. The process
holds a lock on the mark's file for as long as it lives, however it ends; whoever gets the lock
knows that the process is gone. Unlike a process id, a lock is never reused and is seen by every
host that shares the folder.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

FOLDER = "processes"


@contextmanager
def marked_process(home: Path) -> Iterator[str]:
    """Hold a new mark below ``home`` while the block runs; yields the mark."""
    mark = uuid4().hex
    path = _path(home, mark)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield mark
        finally:
            path.unlink(missing_ok=True)


def is_alive(home: Path, mark: str) -> bool:
    """Whether the process of ``mark`` still holds its lock."""
    path = _path(home, mark)
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False  # it ended in good order
    except OSError:
        return True  # locked, or a file system that cannot tell: leave the run alone
    path.unlink(missing_ok=True)
    return False


def living(home: Path) -> list[str]:
    """Return the marks below ``home`` whose processes still live."""
    return [
        mark
        for mark in sorted(path.stem for path in (home / FOLDER).glob("*.lock"))
        if is_alive(home, mark)
    ]


def _path(home: Path, mark: str) -> Path:
    return home / FOLDER / f"{mark}.lock"
