"""What all protocols of one server share: keys, faults, delays, traffic and the bill.

Belongs here: how a call passes from its arrival through its fault to its answer. Does not belong
here: the shape of any protocol's bodies.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from aiohttp import web

from animatize_assets_tests.loopback.billing import Bill
from animatize_assets_tests.loopback.faults import AFTER, BEFORE, Fault, FaultPlan, Rates
from animatize_assets_tests.loopback.traffic import KEPT_BODY_BYTES, Received, Traffic

KEYS: Mapping[str, str] = {
    "openai": "sk-loopback-5ecretOpenAI0000000001",
    "flux": "bfl-loopback-5ecretFlux0000000002",
    "gemini": "AIza-loopback-5ecretGemini00000003",
}
"""The keys that the server accepts; a test searches for them where they must not be."""

Work = Callable[[web.Request, "Turn"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Delay:
    """How long a piece of work takes, in virtual seconds: lognormal, or fixed with sigma 0."""

    median_s: float = 0.0
    sigma: float = 0.0
    at_most_s: float = 600.0

    def draw(self, dice: random.Random) -> float:
        """Throw once."""
        if self.median_s == 0:
            return 0.0
        drawn = self.median_s * math.exp(dice.gauss(0.0, self.sigma)) if self.sigma else None
        return min(self.median_s if drawn is None else drawn, self.at_most_s)


@dataclass
class Turn:
    """One call on its way: what arrived, and the fault that its answer must show."""

    received: Received
    fault: Fault | None

    def shows(self, kind: str) -> bool:
        """Whether the answer must show this fault."""
        return self.fault is not None and self.fault.kind == kind

    @property
    def code(self) -> str | None:
        """The fault's own code."""
        return self.fault.code if self.fault else None


@dataclass
class World:
    """The state of one server."""

    rates: Rates | Mapping[str, Rates] = field(default_factory=Rates)
    delays: Mapping[str, Delay] = field(default_factory=dict)
    seed: int = 0
    time_scale: float = 1.0
    """Real seconds per virtual second: 0.01 makes a picture of 15 s in 150 ms."""
    hang_s: float = 60.0
    retry_after_s: float = 0.02
    """Real seconds that random 429s ask for."""
    state_file: Path | None = None
    keep_bodies: bool = True
    keys: Mapping[str, str] = field(default_factory=lambda: dict(KEYS))

    def __post_init__(self) -> None:
        self.faults = FaultPlan(self.rates, self.seed)
        self.bill = Bill(self.state_file)
        self.traffic = Traffic()
        self.urls: dict[str, str] = {}
        self._down: dict[str, str] = {}
        self._dice = random.Random(f"delays-{self.seed}")
        self._numbers = iter(range(1, 1 << 60))
        self._lock = threading.Lock()

    def number(self) -> int:
        """Return the next of the numbers that ids are made of."""
        with self._lock:
            return next(self._numbers)

    def real(self, virtual_s: float) -> float:
        """Turn virtual into real seconds."""
        return virtual_s * self.time_scale

    def draw(self, name: str) -> float:
        """Return how long the next piece of work takes, in real seconds."""
        delay = self.delays.get(name) or self.delays.get(name.partition(".")[0])
        return self.real(delay.draw(self._dice)) if delay else 0.0

    async def work(self, provider: str, name: str) -> None:
        """Work for as long as it takes."""
        started = time.monotonic()
        await asyncio.sleep(self.draw(name))
        self.traffic.worked(provider, started)

    def set_down(self, provider: str, how: str | None) -> None:
        """Let a provider fail altogether: ``unavailable`` (503) or ``dropped``; None: up."""
        if how is None:
            self._down.pop(provider, None)
        else:
            self._down[provider] = how

    def how_down(self, provider: str) -> str | None:
        """Return how a provider is down."""
        return self._down.get(provider)


@dataclass(frozen=True)
class Protocol:
    """What one protocol says in situations that all have."""

    provider: str
    error: Callable[[World, Fault], web.Response]
    """Its answer to a fault of ``BEFORE`` that has a body of its own."""
    unauthorised: Callable[[web.Request, World], web.Response | None]
    """Its answer to a missing or wrong key; None when the key is right."""


def route(
    world: World, protocol: Protocol, name: str, work: Work, *, billable: bool = False
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Wrap ``work`` so that its calls are recorded, checked for the key and may fail."""

    async def answer(request: web.Request) -> web.StreamResponse:
        received = await _received(world, protocol, name, request)
        response = await _answer(request, received)
        received.status = response.status if response.prepared is not None else None
        return response

    async def _answer(request: web.Request, received: Received) -> web.StreamResponse:
        how = world.how_down(protocol.provider)
        if how == "dropped":
            return await lost(request)
        if how is not None:
            return protocol.error(world, Fault("server_error", status=503))
        if (refusal := protocol.unauthorised(request, world)) is not None:
            return refusal
        fault = world.faults.next(protocol.provider, name, billable=billable)
        received.fault = fault.kind if fault else None
        if fault is not None and fault.kind in BEFORE:
            return await _failed_before(world, protocol, request, fault)
        response = await work(request, Turn(received, fault))
        if fault is not None and fault.kind in AFTER:
            return await _failed_after(world, request, response, fault)
        return response

    return answer


async def lost(request: web.Request, after_s: float = 0.0) -> web.StreamResponse:
    """Close the connection without an answer."""
    await asyncio.sleep(after_s)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=599)


async def _received(world: World, protocol: Protocol, name: str, request: web.Request) -> Received:
    body = await _body(request)
    received = Received(
        provider=protocol.provider,
        route=name,
        method=request.method,
        address=f"{request.host}{request.path_qs}",
        headers=dict(request.headers),
        body=body[:KEPT_BODY_BYTES],
        at=time.monotonic(),
    )
    if world.keep_bodies and request.content_type == "application/json":
        try:
            received.json = json.loads(body)
        except ValueError:
            received.json = None
    _note_leaks(world, received)
    if not world.keep_bodies:
        received.headers, received.body = {}, b""
    world.traffic.note(received)
    return received


async def _body(request: web.Request) -> bytes:
    """Return the body; of a form its fields, each after its name, and as little as can be."""
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    # A form can be read only once; ``post`` keeps it for the route.
    parts: list[bytes] = []
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            head = value.file.read(KEPT_BODY_BYTES)
            value.file.seek(0)
            parts.append(f"{name}; filename={value.filename}\n".encode() + head)
        else:
            text = value.encode() if isinstance(value, str) else bytes(value)
            parts.append(name.encode() + b"\n" + text)
    return b"\n".join(parts)


def _note_leaks(world: World, received: Received) -> None:
    """A key belongs in one header of its own provider, and nowhere else."""
    own = {"openai": "openai", "flux": "flux", "flux_poll": "flux", "gemini": "gemini"}
    for provider, key in world.keys.items():
        at_home = own.get(received.provider) == provider
        in_headers = any(key in value for value in received.headers.values())
        elsewhere = key in received.address or key.encode() in received.body
        if elsewhere or (in_headers and not at_home):
            world.traffic.leaks.append(f"{provider} key at {received.route}")


async def _failed_before(
    world: World, protocol: Protocol, request: web.Request, fault: Fault
) -> web.StreamResponse:
    page = "<html><body><h1>Bad gateway</h1></body></html>"
    plain: Mapping[str, tuple[int, str, str]] = {
        "html_error": (500, page, "text/html"),
        "html": (200, page, "text/html"),
        "empty_json": (200, "{}", "application/json"),
        "null": (200, "null", "application/json"),
        "not_json": (200, '{"id":"x', "application/json"),
    }
    if fault.kind == "hang_before":
        return await lost(request, world.real(fault.hang_s or world.hang_s))
    if fault.kind == "drop_before":
        return await lost(request)
    if fault.kind == "status":
        return web.Response(
            status=fault.status or 500,
            text=fault.body or "",
            content_type=fault.headers.get("Content-Type", "application/json"),
            headers={k: v for k, v in fault.headers.items() if k != "Content-Type"},
        )
    if fault.kind in plain:
        status, body, content_type = plain[fault.kind]
        return web.Response(status=status, text=body, content_type=content_type)
    return protocol.error(world, fault)


async def _failed_after(
    world: World, request: web.Request, response: web.StreamResponse, fault: Fault
) -> web.StreamResponse:
    if fault.kind == "hang_after":
        return await lost(request, world.real(fault.hang_s or world.hang_s))
    if fault.kind == "drop_after":
        return await lost(request)
    body = response.body if isinstance(response, web.Response) else b""
    content = body if isinstance(body, bytes) else b""
    broken = web.StreamResponse(
        status=response.status, headers={"Content-Type": "application/json"}
    )
    broken.content_length = len(content)
    await broken.prepare(request)
    await broken.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return broken


def wait_headers(world: World, form: str | None = None) -> dict[str, str]:
    """Return how a 429 asks for patience: in milliseconds, seconds, as a date, or not at all."""
    seconds = world.retry_after_s
    if form is None:
        form = ("ms", "seconds", "none")[int(world.faults.throw("waits") * 3)]
    if form == "ms":
        return {"retry-after-ms": f"{seconds * 1000:.0f}"}
    if form == "seconds":
        return {"retry-after": f"{seconds:g}"}
    if form == "date":
        return {"retry-after": formatdate(time.time() + math.ceil(seconds), usegmt=True)}
    return {}
