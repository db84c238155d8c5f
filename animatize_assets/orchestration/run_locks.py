"""Whether the process that makes a run's images still lives.

It holds a lock on a file that is named by the run for as long as it works, however it ends; whoever
gets the lock knows that the process is gone. Unlike a process id, a lock is never another's, and
all containers of a machine that share the folder see it.

Belongs here: holding the lock and asking for it. Does not belong here: what becomes of a run whose
process is gone (``defs.run_launcher``), processes that run several (``process_marks``).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from animatize_assets.orchestration.process_marks import FOLDER, is_alive

Worker = Literal["alive", "gone", "unknown"]


@contextmanager
def held_run(home: Path, run_id: str) -> Iterator[None]:
    """Hold the lock of ``run_id`` below ``home`` while the block runs."""
    path = _path(home, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Locked before it has its name: nobody ever sees it free.
    part = path.with_name(f".{run_id}.{os.getpid()}")
    with part.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        part.replace(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def worker_of(home: Path, run_id: str) -> Worker:
    """Return how the process of ``run_id`` is doing; unknown: it holds no lock (yet, or any more).

    Of a process that is gone the lock's file is removed, so ``gone`` is told once.
    """
    if not _path(home, run_id).exists():
        return "unknown"
    return "alive" if is_alive(home, run_id) else "gone"


def _path(home: Path, run_id: str) -> Path:
    return home / FOLDER / f"{run_id}.lock"
