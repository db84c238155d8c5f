"""Requests at a steady rate, each timed from the moment at which it was due.

A generator that waits for an answer before it asks again measures the service only when it is well
("coordinated omission", G. Tene). So requests go out when they are due, whatever came back.

Belongs here: sending and timing. Does not belong here: which requests (``serving.py``).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

Send = Callable[["aiohttp.ClientSession", int], Awaitable[None]]
"""Sends the request of that number; raises when the answer is not as it must be."""


@dataclass
class Timed:
    """What became of the requests of one kind."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def quantile_ms(self, share: float) -> float:
        """Return the time within which that share was answered (nearest rank)."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[max(0, math.ceil(share * len(ordered)) - 1)]


async def send_steadily(
    session: aiohttp.ClientSession, send: Send, *, rate_per_s: float, seconds: float
) -> Timed:
    """Send ``rate_per_s`` requests a second for so long, and wait for the last answers."""
    timed = Timed()
    begin = time.perf_counter()

    async def one(number: int) -> None:
        due = begin + number / rate_per_s
        try:
            await send(session, number)
        except Exception as error:  # noqa: BLE001  # every failure counts, whatever it is
            timed.failures.append(repr(error))
        else:
            timed.seconds.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as going_on:
        for number in range(round(rate_per_s * seconds)):
            # Tasks are made when they are due: thousands that sleep would cost the cores more.
            await asyncio.sleep(max(0.0, begin + number / rate_per_s - time.perf_counter()))
            going_on.create_task(one(number))
    return timed
