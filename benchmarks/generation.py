"""480 pictures at a provider that allows 24 at once, against one after the other.

Real providers, router and ledger work against the loopback server, which runs in a process of its
own. A picture takes the predecessor's stated 5 to 30 s there (lognormal, median 10 s); the clock
runs faster by the stated factor, which our own work does not: the figures would be better in real
time. Busy is the share of the allowed places that the server itself saw working, from the first
call to the last answer. Flux is asked how it is doing at scaled intervals, and a place counts as
idle from the moment a picture is ready until we have noticed.

One after the other is measured on a few pictures: what a picture costs beside the server's work,
added to the mean work of a picture in the whole run.

    python benchmarks/generation.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import openai  # noqa: F401, TID253 - its import is nothing that a picture waits for
import psutil
from report import Measurement, finish, measure
from upath import UPath

import project  # noqa: F401  # isort: skip - puts the tests' server on the path
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.models import Delivery
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.router import Configured, Router
from animatize_assets.images.durable import write_whole
from animatize_assets_tests.integration.generating import migrated, provider_of, request_of
from animatize_assets_tests.loopback.process import RemoteServer, loopback_process
from animatize_assets_tests.loopback.world import Delay

PICTURE = Delay(median_s=10.0, sigma=0.4, at_most_s=30.0)
SIDE_PX = 1024

BUSY_GOAL = 0.90
FASTER_GOAL = 18.0
MEMORY_GOAL_MB = 10.0
"""Flat: the last three quarters of the pictures add no more than this to the first one's peak."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    pictures: int
    places: int
    time_scale: float
    one_by_one: int


FULL = Size(pictures=480, places=24, time_scale=0.25, one_by_one=8)
QUICK = Size(pictures=120, places=6, time_scale=0.1, one_by_one=4)


@dataclass(frozen=True)
class Run:
    """What a run took. Seconds are real ones."""

    wall_s: float
    work_s: float
    """The server's, of all pictures together."""
    busy: float
    calls: int
    memory_mb: tuple[float, float]
    """Largest resident memory up to a quarter of the pictures, and over all."""


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="120 pictures at 6 places")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    rows: list[Measurement] = []
    for provider, called in (("openai", "openai.images"), ("flux", "flux.submit")):
        rows += measured(provider, called, size)
    return finish(f"generation, time x{1 / size.time_scale:g}", rows, as_json=options.json)


def measured(provider: str, called: str, size: Size) -> list[Measurement]:
    """Measure one provider."""
    with tempfile.TemporaryDirectory() as folder:
        alone = run(provider, called, size, Path(folder), pictures=size.one_by_one, places=1)
    with tempfile.TemporaryDirectory() as folder:
        whole = run(
            provider, called, size, Path(folder), pictures=size.pictures, places=size.places
        )
    ours_s = (alone.wall_s - alone.work_s) / size.one_by_one
    one_by_one_s = whole.work_s + ours_s * size.pictures
    faster = one_by_one_s / whole.wall_s
    # With fewer places there is less to gain; the goal is the at 24.
    goal = FASTER_GOAL * size.places / FULL.places
    text = f"{provider}: {size.pictures} pictures, {size.places} places"
    return [
        measure(f"{text}: busy", whole.busy, "share", goal=BUSY_GOAL, direction="at least"),
        measure(
            f"{text}: one after the other takes as many times as long",
            faster,
            "times",
            goal=goal,
            direction="at least",
        ),
        measure(
            f"{text}: rate in the server's time",
            3600 * size.pictures / (whole.wall_s / size.time_scale),
            "pictures/h",
            baseline=3600 * size.pictures / (one_by_one_s / size.time_scale),
        ),
        measure(
            f"{text}: memory of the last three quarters beyond the first",
            whole.memory_mb[1] - whole.memory_mb[0],
            "MB",
            goal=MEMORY_GOAL_MB,
        ),
        measure(f"{text}: calls", whole.calls, "calls", goal=size.pictures),
    ]


def run(provider: str, called: str, size: Size, folder: Path, *, pictures: int, places: int) -> Run:
    """Make the pictures with at most ``places`` at once, in a fresh server's time."""
    with loopback_process(delays={provider: PICTURE}, time_scale=size.time_scale, seed=1) as server:
        wall_s, memory = asyncio.run(
            make(provider, server, size.time_scale, folder, pictures=pictures, places=places)
        )
        state = server.state(limit=places)
    return Run(
        wall_s=wall_s,
        work_s=state["work_s"][provider],
        busy=state["busy"][provider],
        calls=state["calls"][called],
        memory_mb=memory,
    )


async def make(
    provider: str,
    server: RemoteServer,
    time_scale: float,
    folder: Path,
    *,
    pictures: int,
    places: int,
) -> tuple[float, tuple[float, float]]:
    """Ask for all pictures at once and return the seconds and the memory."""

    async def scaled_sleep(seconds: float) -> None:
        await asyncio.sleep(seconds * time_scale)

    maker = provider_of(provider, server, sleep=scaled_sleep)
    router = Router(
        {provider: Configured(maker, concurrency=places)},
        Policy(),
        SqlLedger(migrated(folder / "ledger.db"), Budget()),
    )
    process, resident = psutil.Process(), [0.0]

    def keep(delivery: Delivery) -> None:
        write_whole(UPath(folder) / "pictures" / str(len(resident)), delivery.made.content)
        resident.append(process.memory_info().rss / 1e6)

    async def one(number: int) -> None:
        await router.deliver(
            request_of(number, width=SIDE_PX, height=SIDE_PX), [provider], keep=keep
        )

    try:
        started = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(pictures)))
        wall_s = time.perf_counter() - started
    finally:
        await router.close()
    return wall_s, (max(resident[: pictures // 4 + 1]), max(resident))


if __name__ == "__main__":
    sys.exit(main())
