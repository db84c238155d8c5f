"""Questions and orders for a server that runs in another process.

Belongs here: the routes of its control port. Does not belong here: anything a provider has.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from aiohttp import web

from animatize_assets_tests.loopback.faults import Fault, Rates

if TYPE_CHECKING:
    from animatize_assets_tests.loopback.server import LoopbackServer


def mount(app: web.Application, server: LoopbackServer) -> None:
    """Add the routes."""

    async def state(request: web.Request) -> web.Response:
        limit = int(request.query.get("limit", "24"))
        traffic = server.world.traffic
        with traffic.lock:
            counts = Counter(one.route for one in traffic.received)
            faults = Counter(one.fault for one in traffic.received if one.fault)
            names = list(traffic.spans)
        return web.json_response(
            {
                "calls": counts,
                "faults": faults,
                "leaks": server.leaks,
                "busy": {name: traffic.busy_share(name, limit) for name in names},
                "work_s": {name: traffic.worked_s(name) for name in names},
            }
        )

    async def bill(request: web.Request) -> web.Response:
        return web.json_response([asdict(line) for line in server.bill])

    async def rates(request: web.Request) -> web.Response:
        server.set_rates(Rates(**await request.json()))
        return web.Response()

    async def script(request: web.Request) -> web.Response:
        body = await request.json()
        server.script(body["route"], *(Fault(**fault) for fault in body["faults"]))
        return web.Response()

    app.router.add_get("/state", state)
    app.router.add_get("/bill", bill)
    app.router.add_post("/rates", rates)
    app.router.add_post("/script", script)
