"""A process that runs the command line in children of its own, each of which may be killed.

It has imported everything, so that a killed command costs no start of Python. Belongs here: running
a command, and killing it at a file operation of a given number. Does not belong here: which moments
are tried, and what must be true afterwards.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from animatize_assets_tests.integration.daemons import environment

FILE_OPERATIONS = ("open", "os.", "shutil.", "sqlite3.", "ctypes.")
"""Beginnings of the names of audit events (https://docs.python.org/3/library/audit_events.html)."""

OWN = ("ANIMATIZE_", "DAGSTER_")


class Commands:
    """Runs commands one after the other, with the variables of this process at that moment."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._operations = folder / "operations"

    def run(
        self,
        *arguments: str | Path,
        kill_after_s: float | None = None,
        kill_at: int | None = None,
    ) -> int:
        """Run one, and kill it after a while or before its file operation ``kill_at``.

        Returns its exit code; that of one that was killed is ``-SIGKILL``.
        """
        told = {
            "arguments": [str(argument) for argument in arguments],
            "environment": {n: v for n, v in os.environ.items() if n.startswith(OWN)},
            "kill_at": kill_at,
            "operations": str(self._operations),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        if kill_after_s is not None:
            Event().wait(kill_after_s)
            with suppress(ProcessLookupError):  # it may have come to its end
                os.kill(child, signal.SIGKILL)
        return int(self._process.stdout.readline())

    def operations(self) -> list[str]:
        """Return the file operations of the last command that was not killed, in order."""
        return self._operations.read_text().splitlines()


@contextmanager
def running_commands(folder: Path) -> Iterator[Commands]:
    """Run the process while the block runs; what commands say goes to ``commands.log``."""
    with (
        (folder / "commands.log").open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "animatize_assets_tests.cli.forked_commands"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        yield Commands(process, folder)
        assert process.stdin is not None
        process.stdin.close()


def _child(told: Mapping[str, object]) -> int:
    from animatize_assets.cli.entry import execute  # noqa: PLC0415  # imported before the fork

    os.dup2(2, 1)
    for name in [name for name in os.environ if name.startswith(OWN)]:
        del os.environ[name]
    os.environ.update(told["environment"])  # type: ignore[arg-type]  # it comes from above
    seen: list[str] = []

    def note(name: str, arguments: tuple[object, ...]) -> None:
        if name.startswith(FILE_OPERATIONS):
            if len(seen) == told["kill_at"]:
                signal.raise_signal(signal.SIGKILL)  # which is no event itself
            seen.append(f"{name} {arguments[:2]}".replace("\n", " "))

    sys.addaudithook(note)
    code = execute(list(told["arguments"]))  # type: ignore[call-overload]  # the same
    Path(str(told["operations"])).write_text("\n".join(list(seen)))
    return int(code)


def _serve() -> None:
    # Everything that the commands import when they run.
    import animatize_assets.cli.entry  # noqa: PLC0415
    import animatize_assets.orchestration.storage_move  # noqa: PLC0415
    import animatize_assets.performance.registry  # noqa: PLC0415
    import animatize_assets.workplace.restoring  # noqa: F401, PLC0415

    for line in sys.stdin:
        if child := os.fork():
            print(child, flush=True)  # noqa: T201  # the answer
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
            continue
        code = 1
        try:
            code = _child(json.loads(line))
        finally:
            sys.stderr.flush()
            os._exit(code)


if __name__ == "__main__":
    _serve()
