"""A server in a process of its own: its work is not measured, and killed clients do not end it.

Belongs here: starting one and asking it. Does not belong here: what it does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from animatize_assets_tests.loopback.billing import Charge
from animatize_assets_tests.loopback.faults import Rates
from animatize_assets_tests.loopback.world import KEYS, Delay

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class RemoteServer:
    """Where the server of another process is."""

    urls: Mapping[str, str]
    keys: Mapping[str, str]

    @property
    def openai_url(self) -> str:
        """The SDK's ``base_url``."""
        return f"{self.urls['openai']}/v1"

    @property
    def flux_url(self) -> str:
        """Stands for https://api.bfl.ai."""
        return self.urls["flux"]

    @property
    def gemini_url(self) -> str:
        """Stands for https://generativelanguage.googleapis.com."""
        return self.urls["gemini"]

    @property
    def comfyui_url(self) -> str:
        """Stands for http://127.0.0.1:8188."""
        return self.urls["comfyui"]

    def state(self, limit: int = 24) -> dict[str, Any]:
        """Return counts of calls and faults, leaks, and how busy ``limit`` places were."""
        return cast("dict[str, Any]", self._get(f"state?limit={limit}"))

    def bill(self) -> list[Charge]:
        """Return every billed call so far."""
        return [Charge(**line) for line in cast("list[dict[str, Any]]", self._get("bill"))]

    def set_rates(self, rates: Rates) -> None:
        """Let faults happen at these rates from now on."""
        self._post("rates", asdict(rates))

    def script(self, route: str, *kinds: str) -> None:
        """Give the next calls of ``route`` these faults."""
        self._post("script", {"route": route, "faults": [{"kind": kind} for kind in kinds]})

    def _get(self, path: str) -> object:
        with urllib.request.urlopen(f"{self.urls['control']}/{path}", timeout=30) as answer:
            return json.load(answer)

    def _post(self, path: str, body: object) -> None:
        request = urllib.request.Request(
            f"{self.urls['control']}/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()


@contextmanager
def loopback_process(
    *,
    faults: Rates | None = None,
    delays: Mapping[str, Delay] | None = None,
    state_file: Path | None = None,
    **options: float,
) -> Iterator[RemoteServer]:
    """Run a server in another process for the length of a ``with``.

    ``options``: ``seed``, ``time_scale``, ``hang_s``, ``retry_after_s`` of ``loopback_server``.
    """
    told = {
        "faults": asdict(faults or Rates()),
        "delays": {name: asdict(delay) for name, delay in (delays or {}).items()},
        **options,
    }
    command = [sys.executable, "-m", "animatize_assets_tests.loopback", "--options"]
    command += [json.dumps(told), *(["--state", str(state_file)] if state_file else [])]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield RemoteServer(urls=json.loads(process.stdout.readline()), keys=dict(KEYS))
        finally:
            # It ends with its standard input, and so also when this process is killed.
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=20)
