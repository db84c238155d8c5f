"""What the tests of the web room share: the service on a free port of loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest

from animatize_assets.web.analysis import AnalysisProcess
from animatize_assets.web.remembered import Timed
from animatize_assets.web.server import Server
from animatize_assets.web.service import Service
from animatize_assets.workplace.opening import open_workplace


@contextmanager
def served(service: Service) -> Iterator[str]:
    """Serve ``service`` over real HTTP; gives the address."""
    ports: Queue[int] = Queue()
    server = Server(service, host="127.0.0.1", port=0, on_ready=ports.put)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{ports.get(timeout=60)}"
    finally:
        server.should_exit = True
        thread.join(60)


class AnalysisHere(AnalysisProcess):
    """Computes in this process: another one takes seconds to start."""

    def timed(self, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Timed[Any]:
        began = time.perf_counter()
        answer = view(self._room, *args, **kwargs)
        return Timed(answer, time.perf_counter() - began)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service of this test's data folder, not served yet."""
    monkeypatch.setattr(Service, "warm_up", lambda _self: None)  # seconds of imports per test
    opened = Service.of(open_workplace())
    opened.analysis = AnalysisHere(opened.performance)
    return opened


@pytest.fixture
def address(service: Service) -> Iterator[str]:
    """Where the service is served."""
    with served(service) as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """A client of the served service."""
    with httpx.Client(base_url=address, timeout=60) as opened:
        yield opened


@pytest.fixture
def data_dir(service: Service) -> Path:
    """The data folder of the service."""
    return service.data_dir
