"""Starts the server: one thread, one event loop, one port for each host of each protocol.

Belongs here: the server's life and what a test may ask and tell it. Does not belong here: any
protocol.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from animatize_assets_tests.loopback import control
from animatize_assets_tests.loopback.billing import Charge
from animatize_assets_tests.loopback.comfyui_routes import MAX_UPLOAD_BYTES, ComfyUI
from animatize_assets_tests.loopback.faults import Fault, Rates
from animatize_assets_tests.loopback.flux_routes import Flux
from animatize_assets_tests.loopback.gemini_routes import Gemini
from animatize_assets_tests.loopback.openai_batches import Batches, BatchPlan
from animatize_assets_tests.loopback.openai_routes import OpenAI
from animatize_assets_tests.loopback.traffic import Received
from animatize_assets_tests.loopback.world import KEYS, Delay, World

T = TypeVar("T")
HOSTS = ("openai", "flux", "flux_poll", "flux_delivery", "gemini", "comfyui", "control")
MAX_BODY_BYTES = 200 * 1024**2
START_S = 20.0


class LoopbackServer:
    """All protocols. Use it as a context manager."""

    def __init__(self, world: World, *, first_port: int = 0) -> None:
        self.world = world
        self.openai = OpenAI(world)
        self.batches = Batches(world, self.openai)
        self.flux = Flux(world)
        self.gemini = Gemini(world)
        self.comfyui = ComfyUI(world)
        self.ports: dict[str, int] = {
            name: first_port + number if first_port else 0 for number, name in enumerate(HOSTS)
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runners: dict[str, web.AppRunner] = {}
        self._sites: dict[str, web.TCPSite] = {}
        self._worker: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Where OpenAI's host is, without a version."""
        return self.world.urls["openai"]

    @property
    def openai_url(self) -> str:
        """The SDK's ``base_url``: the version is part of it."""
        return f"{self.world.urls['openai']}/v1"

    @property
    def flux_url(self) -> str:
        """Stands for https://api.bfl.ai."""
        return self.world.urls["flux"]

    @property
    def gemini_url(self) -> str:
        """Stands for https://generativelanguage.googleapis.com."""
        return self.world.urls["gemini"]

    @property
    def comfyui_url(self) -> str:
        """Stands for http://127.0.0.1:8188."""
        return self.world.urls["comfyui"]

    @property
    def keys(self) -> Mapping[str, str]:
        """The keys it accepts, by ``openai``, ``flux``, ``gemini``."""
        return self.world.keys

    @property
    def bill(self) -> list[Charge]:
        """Every billed call so far."""
        return self.world.bill.charges()

    @property
    def leaks(self) -> list[str]:
        """Keys that were sent where they do not belong."""
        return list(self.world.traffic.leaks)

    def calls(self, route: str | None = None) -> list[Received]:
        """Return what arrived at a route (``openai.images``, ``flux.submit``), or everything."""
        return self.world.traffic.calls(route)

    def script(self, route: str, *faults: Fault | str | None) -> None:
        """Give the next calls of ``route`` these faults, in order; None lets one go well."""
        whole = (Fault(fault) if isinstance(fault, str) else fault for fault in faults)
        self.world.faults.script(route, *whole)

    def set_rates(self, rates: Rates | Mapping[str, Rates]) -> None:
        """Let faults happen at these rates from now on."""
        self.world.faults.set_rates(rates)

    def plan_batch(self, *plans: BatchPlan) -> None:
        """Say how the next batches go."""
        self.batches.plans.extend(plans)

    def down(self, provider: str, how: str = "unavailable") -> None:
        """Let a provider fail altogether: ``unavailable`` (503), ``dropped`` or ``refused``.

        ``provider`` is a name in :data:`HOSTS`. ``refused`` closes its port.
        """
        if how == "refused":
            self._wait(self._close(provider))
        else:
            self.world.set_down(provider, how)

    def up(self, provider: str) -> None:
        """Let a provider work again."""
        self.world.set_down(provider, None)
        if provider not in self._sites:
            self._wait(self._listen(provider))

    def restart(self, provider: str = "comfyui") -> None:
        """Restart a provider: connections break, ComfyUI forgets its queue and history."""
        self._wait(self._restart(provider))

    def expire(self) -> None:
        """Let every address of a finished flux picture end now."""
        self.flux.expire()

    def busy_share(self, provider: str, limit: int) -> float:
        """Return how busy a provider's ``limit`` places were, first call to last answer."""
        return self.world.traffic.busy_share(provider, limit)

    async def _start(self) -> None:
        limits = {"comfyui": MAX_UPLOAD_BYTES}
        apps = {
            name: web.Application(client_max_size=limits.get(name, MAX_BODY_BYTES))
            for name in HOSTS
        }
        self.openai.mount(apps["openai"])
        self.batches.mount(apps["openai"])
        self.flux.mount(apps["flux"], apps["flux_poll"], apps["flux_delivery"])
        self.gemini.mount(apps["gemini"])
        self.comfyui.mount(apps["comfyui"])
        control.mount(apps["control"], self)
        for name, app in apps.items():
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
            await runner.setup()
            self._runners[name] = runner
            await self._listen(name)
        self._worker = asyncio.ensure_future(self.comfyui.queue.work())

    async def _listen(self, name: str) -> None:
        site = web.TCPSite(self._runners[name], "127.0.0.1", self.ports[name], reuse_address=True)
        await site.start()
        self._sites[name] = site
        self.ports[name] = self._runners[name].addresses[0][1]
        self.world.urls[name] = f"http://127.0.0.1:{self.ports[name]}"

    async def _close(self, name: str) -> None:
        site = self._sites.pop(name, None)
        if site is not None:
            await site.stop()
        self._break_connections(name)

    async def _restart(self, name: str) -> None:
        if name == "comfyui":
            await self.comfyui.restart()
        self._break_connections(name)

    def _break_connections(self, name: str) -> None:
        server = self._runners[name].server
        for connection in list(server.connections) if server else []:
            connection.force_close()

    async def _stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        await self.comfyui.restart()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners.values()))
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_S)


@contextmanager
def loopback_server(
    *,
    faults: Rates | Mapping[str, Rates] | None = None,
    seed: int = 0,
    delays: Mapping[str, Delay] | None = None,
    time_scale: float = 1.0,
    hang_s: float = 60.0,
    retry_after_s: float = 0.02,
    state_file: Path | None = None,
    keep_bodies: bool = True,
) -> Iterator[LoopbackServer]:
    """Run a server for the length of a ``with``.

    ``faults`` holds for the billable routes of all providers, or by ``openai``, ``flux``,
    ``gemini``, ``comfyui``. ``delays`` go by those names, or finer: ``openai.chat``,
    ``openai.images``, ``flux_submit``; they are virtual seconds, of which one takes ``time_scale``
    real ones, as does ``hang_s``.
    """
    world = World(
        rates=faults or Rates(),
        delays=delays or {},
        seed=seed,
        time_scale=time_scale,
        hang_s=hang_s,
        retry_after_s=retry_after_s,
        state_file=state_file,
        keep_bodies=keep_bodies,
        keys=dict(KEYS),
    )
    with LoopbackServer(world) as server:
        yield server
