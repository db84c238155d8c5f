"""The processes of an instance, each alone, as the containers of the compose file are.

Belongs here: starting the code server, the daemon and the service, and killing them with everything
that they started. Does not belong here: what must be true afterwards.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster._grpc.client import DagsterGrpcClient

from animatize_assets_tests.integration.daemons import CODE_LOCATION, environment, wait_for

LOCATION = "animatize_assets"
CODE, DAEMON, SERVICE = "code", "daemon", "service"
EVERYTHING = (CODE, DAEMON, SERVICE)


class Plant:
    """The running processes, by name."""

    def __init__(self, data_dir: Path, code: str = CODE_LOCATION) -> None:
        self.log = data_dir / "plant.log"
        self._code = code
        self._port = _free_port()
        self.workspace = data_dir / "workspace.yaml"
        self.workspace.write_text(
            "load_from:\n  - grpc_server:\n      host: 127.0.0.1\n"
            f"      port: {self._port}\n      location_name: {LOCATION}\n"
        )
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        """Start them; returns when the code server answers."""
        for name in names:
            with self.log.open("ab") as words:
                self._running[name] = subprocess.Popen(
                    self._command(name),
                    env=environment(),
                    stdout=words,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            if name == CODE:
                wait_for(self._answers, self.log)

    def kill(self, *names: str) -> None:
        """Kill them and all that they started, at once and without a word."""
        for name in names:
            os.killpg(self._running[name].pid, signal.SIGKILL)
        for name in names:
            self._running.pop(name).wait()

    def stop(self) -> None:
        """Kill what still runs."""
        self.kill(*self._running)

    def _answers(self) -> bool:
        return (
            DagsterGrpcClient(port=self._port, host="127.0.0.1").health_check_query() == "SERVING"
        )

    def _command(self, name: str) -> list[str | Path]:
        programs = Path(sys.executable)
        if name == CODE:
            command = [programs.with_name("dagster"), "code-server", "start"]
            where = ["--host", "127.0.0.1", "--port", str(self._port)]
            return [*command, *where, "--module-name", self._code, "--location-name", LOCATION]
        if name == DAEMON:
            return [programs.with_name("dagster-daemon"), "run", "--workspace", self.workspace]
        return [programs, "-m", "animatize_assets.cli", "serve", "--port", "0", "--json"]


@contextmanager
def running_plant(data_dir: Path, *names: str, code: str = CODE_LOCATION) -> Iterator[Plant]:
    """Run these processes while the block runs; what they say goes to ``plant.log``.

    ``code``: the module with the code location.
    """
    plant = Plant(data_dir, code)
    try:
        plant.start(*names)
        yield plant
    finally:
        plant.stop()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
