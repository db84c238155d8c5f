"""Providers that do what a test says, and a ledger in memory."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

from animatize_assets.errors import BudgetExceeded, NotConfigured, ProviderError
from animatize_assets.generation.accounting import OpenCall, PlannedCall
from animatize_assets.generation.models import Call, MadePicture, PictureRequest, Resume, Usage
from animatize_assets_tests.generation.requests import picture_request

WIDTH, HEIGHT = 32, 18
PRICE_USD = 0.04


class Hangs(Exception):
    """An answer that never comes."""


Outcome = BaseException | type[Hangs] | None
"""None: a picture."""


def failing(kind: str, **known: object) -> ProviderError:
    return ProviderError(f"It failed ({kind}).", kind=kind, **known)  # type: ignore[arg-type]


def scripted(*outcomes: Outcome) -> Callable[[], Outcome]:
    """These outcomes, one after the other; pictures afterwards."""
    left = iter(outcomes)
    return lambda: next(left, None)


def always(kind: str, **known: object) -> Callable[[], Outcome]:
    return lambda: failing(kind, **known)


def at_random(rates: dict[str, float], seed: int) -> Callable[[], Outcome]:
    """Each kind with its probability; ``hang`` never answers; the rest are pictures."""
    numbers = random.Random(seed)

    def outcome() -> Outcome:
        drawn = numbers.random()
        for kind, rate in rates.items():
            drawn -= rate
            if drawn < 0:
                return Hangs if kind == "hang" else failing(kind)
        return None

    return outcome


@cache
def png(width: int = WIDTH, height: int = HEIGHT, value: int | None = None) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    if value is not None:
        pixels[:] = value
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@cache
def _request() -> PictureRequest:
    return picture_request(width=WIDTH, height=HEIGHT)


def request_for(fingerprint: str = "", **changes: object) -> PictureRequest:
    return replace(_request(), fingerprint=fingerprint, **changes)  # type: ignore[arg-type]


@dataclass
class ScriptedProvider:
    """Takes ``seconds`` for each call, and then does what ``outcome`` says."""

    name: str = "flux"
    outcome: Callable[[], Outcome] = field(default_factory=scripted)
    seconds: float = 5.0
    price: float | None = PRICE_USD
    remote: bool = False
    """Whether its work has an id to fetch it by."""
    content: bytes = field(default_factory=png)
    model: str = "model-1"
    calls: list[tuple[PictureRequest, Call]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    is_closed: bool = False

    @property
    def submitted(self) -> int:
        return sum(call.resume is None for _, call in self.calls)

    async def make(self, request: PictureRequest, call: Call) -> MadePicture:
        self.calls.append((request, call))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._made(request, call)
        finally:
            self.in_flight -= 1

    async def _made(self, request: PictureRequest, call: Call) -> MadePicture:
        remote_id = call.resume["id"] if call.resume else f"{self.name}-{len(self.calls)}"
        if self.remote and call.resume is None:
            call.note_remote(remote_id, {"id": remote_id})
        outcome = self.outcome()
        await asyncio.sleep(self.seconds)
        if outcome is Hangs:
            await asyncio.sleep(1e9)
        elif isinstance(outcome, BaseException):
            raise outcome
        return MadePicture(
            content=self.content,
            media_type="image/png",
            width=WIDTH,
            height=HEIGHT,
            provider=self.name,
            model=self.model,
            seed=request.seed,
            cost_usd=self.price,
            usage=Usage(images=1),
            remote_id=remote_id if self.remote else None,
        )

    def expected_cost_usd(self, request: PictureRequest) -> float | None:  # noqa: ARG002 - one price
        return self.price

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class Row:
    planned: PlannedCall
    state: str = "open"
    cost_usd: float | None = None
    failure: str | None = None
    remote_id: str | None = None
    resume: Resume | None = None
    usage: Usage | None = None


@dataclass
class MemoryLedger:
    """What the protocol asks for; every row counts as one picture's price for the budget."""

    budget_usd: float = 1e9
    rows: dict[str, Row] = field(default_factory=dict)
    _of: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def states(self) -> Counter[str]:
        return Counter(row.state for row in self.rows.values())

    def open_call(self, planned: PlannedCall) -> str:
        if len(self.rows) * PRICE_USD + (planned.expected_usd or 0.0) > self.budget_usd:
            raise BudgetExceeded("The call would pass the budget; raise it.")
        call_id = f"call-{len(self.rows)}"
        self.rows[call_id] = Row(planned)
        self._of.setdefault((planned.fingerprint, planned.provider), []).append(call_id)
        return call_id

    def note_remote(self, call_id: str, remote_id: str, resume: Resume) -> None:
        self.rows[call_id].remote_id, self.rows[call_id].resume = remote_id, resume

    def settle(self, call_id: str, *, cost_usd: float | None, usage: Usage | None) -> None:
        row = self.rows[call_id]
        row.state, row.cost_usd, row.usage = "settled", cost_usd, usage

    def fail(self, call_id: str, *, kind: str, billed_usd: float | None) -> None:
        row = self.rows[call_id]
        row.failure = kind
        if billed_usd is not None:
            row.state, row.cost_usd = "failed", billed_usd

    def unfinished(self, fingerprint: str, provider: str) -> OpenCall | None:
        for call_id in reversed(self._of.get((fingerprint, provider), [])):
            row = self.rows[call_id]
            if row.state == "open" and row.resume is not None:
                return OpenCall(
                    call_id, provider, row.planned.model, fingerprint, row.remote_id, row.resume
                )
        return None


NO_KEY = NotConfigured("The key is wrong; give another one.")
