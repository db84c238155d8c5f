"""What this process itself does: requests by how they ended, CPU, memory, open files.

Belongs here: measuring each request, and the registry of these metrics. Does not belong here: what
the databases say (``metrics_page``).
"""

from __future__ import annotations

import time
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

BOUNDS: Final = (0.01, 0.03, 0.1, 1.0, 10.0)
"""Seconds; 0.1 is the promise for an estimate."""


class OwnProcess:
    """The metrics of one application; ``registry`` is read by ``/metrics``."""

    def __init__(self) -> None:
        # each would be a series more, of no use to whoever reads rates
        disable_created_metrics()  # type: ignore[no-untyped-call]  # their own function
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._seconds = Histogram(
            "animatize_http_request_duration_seconds",
            "Requests by the class of their status, until the answer begins.",
            ["status"],
            registry=self.registry,
            buckets=BOUNDS,
        )

    def note(self, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._seconds.labels(f"{status // 100}xx").observe(seconds)


class MeasuredRequests:
    """ASGI: measures each request until its answer begins."""

    def __init__(self, app: ASGIApp, own: OwnProcess) -> None:
        self._app = app
        self._own = own

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._own.note(int(message["status"]), time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, told)
