"""Runs in a process of their own, for a caller that does not wait: of a job, or over images.

The process is independent of the one that started it and goes on when that one ends. No daemon is
needed.

Belongs here: starting such a process and hearing how it ended. Does not belong here: what it does
(``detached_process``), runs over images inside the caller's process (``runs``).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from uuid import uuid4

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.orchestration.home import prepare_home

_log = logging.getLogger(__name__)

COMMAND_LINE = "animatize_assets.cli"
"""Named by a string, as the code location is: this package does not depend on what it starts."""

BATCH = "batch"
"""Stands for the partition of runs over images: the command chooses the ranges."""

TOLD_BYTES = 4_000
"""Of the end of what a process said that failed: its traceback."""


class DetachedRuns:
    """Runs of one job, one after the other, in a process that was started for them."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], runs: Mapping[str, str]):
        self.run_ids = dict(runs)
        """Partition -> id of its run. The run is in Dagster a few seconds after the start."""
        self._process = process
        self._said = said
        self._watch = threading.Thread(target=self._wait, name="detached-runs", daemon=True)
        self._watch.start()

    @property
    def is_going_on(self) -> bool:
        """Whether the process still works."""
        return self._process.poll() is None

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait until the process ended; returns its exit code, None when it still works."""
        self._watch.join(timeout_s)
        return self._process.poll()

    def _wait(self) -> None:
        code = self._process.wait()
        with self._said as said:
            if code:
                said.seek(max(0, said.seek(0, os.SEEK_END) - TOLD_BYTES))
                told = said.read().decode(errors="replace").strip()
                _log.error("The process of runs %s ended with %d: %s", self.run_ids, code, told)


def start_detached(data_dir: Path, job: str, partitions: tuple[str, ...]) -> DetachedRuns:
    """Start runs of ``job``, one for each partition, and return at once.

    Raises:
        OrchestrationFailed: the process could not be started.

    """
    runs = {partition: str(uuid4()) for partition in partitions}
    pairs = chain.from_iterable((run_id, partition) for partition, run_id in runs.items())
    module = "animatize_assets.orchestration.detached_process"
    return _start(data_dir, [sys.executable, "-m", module, job, *pairs], runs)


def start_batch(data_dir: Path, batch_id: str, options: Sequence[str]) -> DetachedRuns:
    """Start ``animatize run`` over images, and return at once; its runs are tagged ``batch_id``.

    ``options``: what the command is given, image keys included.

    Raises:
        OrchestrationFailed: the process could not be started.

    """
    command = [sys.executable, "-m", COMMAND_LINE, "run", "--json", "--batch", batch_id]
    return _start(data_dir, [*command, *options], {BATCH: batch_id})


def _start(data_dir: Path, command: Sequence[str], runs: Mapping[str, str]) -> DetachedRuns:
    prepare_home(data_dir)  # the new process reads what this exports
    said = TemporaryFile()  # noqa: SIM115  # closed by who waits for the process
    try:
        process = subprocess.Popen(  # noqa: S603  # this program itself, names of our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # Ctrl-C ends the service, not what it started
        )
    except OSError as error:
        said.close()
        raise OrchestrationFailed(f"No process could be started for runs: {error}.") from error
    return DetachedRuns(process, said, runs)
