"""The service is killed under load and started again: nothing that it acknowledged is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import performance_room
from animatize_assets_tests.production import ON_EITHER_DATABASE

pytestmark = ON_EITHER_DATABASE

RECORD = "/api/anime/performance/record-metrics"
CLIENTS = 4


@dataclass(frozen=True)
class Served:
    """A running ``animatize serve``."""

    process: subprocess.Popen[str]
    url: str

    def kill(self) -> list[psutil.Process]:
        """Kill it without a word; returns what it had started."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        return children


@contextmanager
def animatize_serve() -> Iterator[Served]:
    command = [sys.executable, "-m", "animatize_assets.cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = "".join(iter(process.stdout.readline, "}\n")) + "}"
            yield Served(process, json.loads(told)["url"])
        finally:
            process.kill()


class Clients:
    """Send records, each again until it is acknowledged, as a client does."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self._lock = threading.Lock()
        self._next = 0
        self._unsure: list[str] = []

    def send(self, url: str, enough: threading.Event, wanted: int) -> None:
        """Send until the service is gone; sets ``enough`` when ``wanted`` are acknowledged."""
        with httpx.Client(base_url=url, timeout=30) as client:
            while True:
                job_id = self._take()
                try:
                    answer = client.post(RECORD, json=report(job_id))
                except httpx.TransportError:
                    with self._lock:
                        self._unsure.append(job_id)
                    return
                assert answer.status_code in {200, 202}, answer.text
                with self._lock:
                    self.acknowledged.add(job_id)
                    if len(self.acknowledged) >= wanted:
                        enough.set()

    def _take(self) -> str:
        with self._lock:
            if self._unsure:
                return self._unsure.pop()
            self._next += 1
            return f"job-{self._next}"


def report(job_id: str) -> dict[str, Any]:
    seconds = float(job_id.removeprefix("job-"))
    return {
        "job_id": job_id,
        "pipeline_type": "video",
        "total_time_seconds": seconds,
        "success": True,
    }


@pytest.fixture(autouse=True)
def _database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATIZE_PERFORMANCE_DATABASE_URL", database_url)


def test_nothing_acknowledged_is_lost(sizes: dict[str, Any]) -> None:
    clients = Clients()
    left: list[psutil.Process] = []
    for _ in range(sizes["service_killed"]["kills"]):
        enough = threading.Event()
        wanted = len(clients.acknowledged) + sizes["service_killed"]["records"]
        with animatize_serve() as served, ThreadPoolExecutor(CLIENTS) as pool:
            sending = [
                pool.submit(clients.send, served.url, enough, wanted) for _ in range(CLIENTS)
            ]
            assert enough.wait(120)
            left += served.kill()
            for each in sending:
                each.result(60)
    kept = performance_room(Settings.read()).store.jobs()
    seconds = {job.job_id: job.total_time_seconds for job in kept}
    assert len(seconds) == len(kept)
    assert clients.acknowledged <= set(seconds)
    assert all(f"job-{took:g}" == job_id for job_id, took in seconds.items())
    gone, alive = psutil.wait_procs(left, timeout=60)
    assert not alive, gone
