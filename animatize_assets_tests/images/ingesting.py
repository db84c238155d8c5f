"""A process that ingests, for the tests that start several or kill one.

Run as a script: ``ingesting.py DATA_DIR CALLS UPLOAD...``. It says ``ready``, waits for a line on
its input, ingests, and prints the outcomes as JSON. With CALLS not negative it is killed at that
call (counted from 0) of those that change something on the disk.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.store import ImageStore


def open_store(data_dir: Path) -> ImageStore:
    engine = open_engine(f"sqlite:///{data_dir}/animatize.db")
    upgrade(engine)
    return ImageStore(UPath(data_dir), engine, ImageLimits())


def start(data_dir: Path, uploads: list[Path], *, killed_at: int = -1) -> subprocess.Popen[str]:
    """Start the process, up to its ``ready``."""
    command = [sys.executable, __file__, str(data_dir), str(killed_at), *map(str, uploads)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _die_at(calls: int) -> None:
    made = 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal made
            if made == calls:
                os.kill(os.getpid(), signal.SIGKILL)
            made += 1
            return original(*arguments, **options)

        return call

    for name in ("fsync", "replace", "rename", "link"):
        setattr(os, name, counted(getattr(os, name)))


def _main(data_dir: str, calls: str, *uploads: str) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    store = open_store(Path(data_dir))  # only now, so that migrations meet as well
    if int(calls) >= 0:
        _die_at(int(calls))
    outcomes = [store.ingest(Path(upload)).model_dump() for upload in uploads]
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    _main(*sys.argv[1:])
