"""A process that makes pictures until it is killed; started by ``test_generation_killed``.

It stays, and forks a child for each line that it reads: the child makes what is still missing, so
that a kill costs no start of Python. Belongs here: what a run does with a router, a ledger and a
place to keep pictures. Does not belong here: killing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp  # noqa: F401, TID253 - before the fork, so that no life pays for it
import openai  # noqa: F401, TID253 - the same
from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.flux import RESULTS_KEPT
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.models import Call, Delivery, MadePicture, Resume
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.generation.reconciliation import Reconciled, claims_of, reconcile
from animatize_assets.generation.router import Configured, Router
from animatize_assets.generation.single_flight import SingleFlight
from animatize_assets.images.durable import write_whole
from animatize_assets_tests.integration.generating import FAST, brief, provider_of, request_of
from animatize_assets_tests.loopback.process import RemoteServer

PROVIDERS = ("openai", "flux", "imagen", "comfyui")
CONCURRENCY = 4


def provider_for(number: int) -> str:
    """Return who makes the picture of that number."""
    return PROVIDERS[number % len(PROVIDERS)]


@dataclass(frozen=True)
class Task:
    """What to make, where and with whom."""

    folder: Path
    database: str
    """URL of the ledger's."""
    images: int
    server: RemoteServer

    def file(self, number: int) -> Path:
        """Where the picture of that number is kept."""
        return self.folder / "pictures" / f"{number:05d}"


async def make_missing(task: Task) -> None:
    """Make every picture that is not kept yet."""
    missing = [number for number in range(task.images) if not task.file(number).exists()]
    engine = open_engine(task.database)
    configured = {
        name: Configured(provider_of(name, task.server, sleep=brief), concurrency=CONCURRENCY)
        for name in PROVIDERS
    }
    router = Router(configured, FAST, SqlLedger(engine, Budget()))

    async def make(number: int) -> None:
        def keep(delivery: Delivery) -> None:
            write_whole(UPath(task.file(number)), delivery.made.content)

        await router.deliver(request_of(number), [provider_for(number)], keep=keep)

    try:
        await asyncio.gather(*(make(number) for number in missing))
    finally:
        await router.close()


class _Again:
    """A provider that is asked for earlier work only."""

    def __init__(self, provider: PictureProvider) -> None:
        self._provider = provider

    async def fetch(self, resume: Resume) -> MadePicture | None:
        return await self._provider.make(request_of(0), Call(timeout_s=30.0, resume=resume))


async def reconcile_all(task: Task, *, now: datetime) -> Sequence[Reconciled]:
    """Ask the providers that can tell what became of open rows, and keep what they give.

    ``now``: the time that it is then, with its zone.
    """
    numbers = {request_of(number).fingerprint: number for number in range(task.images)}
    engine = open_engine(task.database)
    providers = {name: provider_of(name, task.server, sleep=brief) for name in ("flux", "comfyui")}

    def keep(fingerprint: str, made: MadePicture) -> None:
        write_whole(UPath(task.file(numbers[fingerprint])), made.content)

    try:
        return await reconcile(
            SqlLedger(engine, Budget()),
            {name: _Again(provider) for name, provider in providers.items()},
            keep,
            claims_of(SingleFlight(task.folder / "flights")),
            kept_for={"flux": RESULTS_KEPT},
            now=lambda: now,
        )
    finally:
        for provider in providers.values():
            await provider.close()
        engine.dispose()


def main() -> None:
    """Fork a child for each line on standard input, and tell its process id."""
    told: dict[str, Any] = json.loads(sys.argv[1])
    server = RemoteServer(urls=told["urls"], keys=told["keys"])
    task = Task(Path(told["folder"]), told["database"], told["images"], server)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(make_missing(task))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
