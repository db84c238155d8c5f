"""Serving the application until it is told to end.

Belongs here: uvicorn's settings. Does not belong here: the application (``app``).
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

import uvicorn

from animatize_assets.web.app import create_app
from animatize_assets.web.service import Service

GOODBYE_S = 10
"""Requests that are under way when the service is told to end have this long."""

BACKLOG = 512
"""Connections that may wait to be accepted."""

SWITCH_INTERVAL_S = 0.0005
"""How long a thread that computes keeps the others from going on. Python's default is ten times as
long; a request that asks the database ten times would then wait ten times for a report."""


class Server(uvicorn.Server):
    """The service in this process. ``on_ready`` is given the port when it listens."""

    def __init__(
        self, service: Service, *, host: str, port: int, on_ready: Callable[[int], None]
    ) -> None:
        app = create_app(service)
        app.state.is_ending = lambda: self.should_exit  # a stream of events ends with the service
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            access_log=False,  # addresses and keys of images are nobody's business
            log_config=None,
            server_header=False,
            proxy_headers=False,  # anybody can write those headers
            backlog=BACKLOG,
            timeout_graceful_shutdown=GOODBYE_S,
        )
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._on_ready(self.servers[0].sockets[0].getsockname()[1])


def serve(service: Service, *, host: str, port: int, on_ready: Callable[[int], None]) -> None:
    """Serve until interrupted or terminated; with port 0 on any that is free.

    Raises:
        NotConfigured: others could reach it and there is no access token.

    """
    service.access.check_start()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    Server(service, host=host, port=port, on_ready=on_ready).run()
