"""A real Dagster daemon over the cheap code location, in a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TypeVar

CODE_LOCATION = "animatize_assets_tests.defs.cheap_location"
PATIENCE_S = 550
"""Far longer than anything here takes, so that a busy machine fails nothing; less than a test may
take, so that what the daemon said is shown."""

T = TypeVar("T")


def environment() -> dict[str, str]:
    """For other processes: this one's, with this project importable."""
    return dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))


@contextmanager
def running_daemon(data_dir: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``dagster-daemon`` while the block runs; its words go to ``daemon.log``.

    ``arguments``: where it finds the code; by default it starts a code server of its own.
    """
    log = data_dir / "daemon.log"
    with log.open("ab") as words:
        where = arguments or ("-m", CODE_LOCATION)
        daemon = subprocess.Popen(
            [Path(sys.executable).with_name("dagster-daemon"), "run", *where],
            env=environment(),
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield daemon
        finally:
            if daemon.poll() is None:
                os.killpg(daemon.pid, signal.SIGINT)
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()


def wait_for(what: Callable[[], T], log: Path | None = None) -> T:
    """Ask again until ``what()`` is true; fails with the daemon's last words when it never is."""
    patience = Event()  # never set: its timeout is the pause between two questions
    deadline = monotonic() + PATIENCE_S
    while not (answer := what()):
        if monotonic() > deadline:
            said = log.read_text(errors="replace")[-3_000:] if log and log.exists() else ""
            raise AssertionError(f"It did not happen within {PATIENCE_S} s.\n{said}")
        patience.wait(0.5)
    return answer
