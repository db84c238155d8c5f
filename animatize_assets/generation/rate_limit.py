"""How fast and how many at once a provider is asked.

Belongs here: the limits that we keep by ourselves, within one process. Does not belong here: what
follows when the provider says that it was too fast all the same (``failures``, ``retrying``), and
the limit across runs (a Dagster pool).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from animatize_assets.errors import InvalidSetting

Clock = Callable[[], float]
"""Counts seconds from any moment and never goes back."""

Sleep = Callable[[float], Awaitable[None]]


class TokenBucket:
    """At most ``per_minute`` calls per minute on average, after a first burst.

    Kept as one number, the time at which the bucket would be full again (the generic cell rate
    algorithm, ITU-T I.371), so nothing runs in the background. Calls go in the order they came.
    """

    BURST_S = 2.0
    """As many calls as fit into this time may go at once: a queue starts without a pause, and no
    window of a minute sees more than 1/30 above the limit. A burst is at least one call."""

    def __init__(self, per_minute: float, *, clock: Clock, sleep: Sleep) -> None:
        self._spacing_s = 60.0 / per_minute
        self._burst_s = max(self.BURST_S, self._spacing_s)
        self._clock = clock
        self._sleep = sleep
        self._full_at = clock()

    async def take(self) -> None:
        """Return when a call may go. A place that is waited for in vain is given back."""
        now = self._clock()
        self._full_at = max(self._full_at, now) + self._spacing_s
        wait = self._full_at - now - self._burst_s
        if wait <= 0:
            return
        try:
            await self._sleep(wait)
        except asyncio.CancelledError:
            self._full_at -= self._spacing_s
            raise


class Places:
    """A number of places. Whoever asks ``first`` goes before all others, else first come first.

    A free place is handed over, not fought for, so nobody overtakes.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._tickets = itertools.count()

    async def take(self, *, first: bool = False) -> None:
        """Return when there is a place."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not first, next(self._tickets), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was handed over at the moment of leaving
                self.give()
            raise

    def give(self) -> None:
        """Hand a place over to the next one."""
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


@dataclass(frozen=True)
class Load:
    """What a provider is doing for this process right now."""

    in_flight: int
    """Calls under way."""
    waiting: int
    """Requests that wait for a place or for the rate limit."""


class Limiter:
    """The places and the rate of one provider; belongs to one event loop.

    A place is held for the whole of a call, polling included: that is what providers count.
    """

    def __init__(
        self,
        concurrency: int,
        requests_per_min: float | None,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        if concurrency < 1:
            raise InvalidSetting(f"A concurrency of {concurrency} allows no call; give 1 or more.")
        if requests_per_min is not None and not requests_per_min > 0:
            raise InvalidSetting(
                f"{requests_per_min} requests per minute allow no call; give more, or no limit."
            )
        self._places = Places(concurrency)
        self._bucket = (
            None
            if requests_per_min is None
            else TokenBucket(requests_per_min, clock=clock, sleep=sleep)
        )
        self._in_flight = 0
        self._waiting = 0

    @property
    def load(self) -> Load:
        """What is under way and what waits."""
        return Load(self._in_flight, self._waiting)

    @asynccontextmanager
    async def place(
        self, check: Callable[[], None] = lambda: None, *, first: bool = False
    ) -> AsyncIterator[Place]:
        """Hold a place for one call, from the moment that the rate allows it.

        ``first`` goes before whoever waits already: for a request that has been served once.
        ``check`` is called when a place is free, before the rate is waited for: what it raises
        ends the wait, so that a queue does not wait for a provider that is not asked any more.
        """
        self._waiting += 1
        try:
            await self._places.take(first=first)
            try:
                check()
                if self._bucket is not None:
                    await self._bucket.take()
            except BaseException:
                self._places.give()
                raise
        finally:
            self._waiting -= 1
        self._in_flight += 1
        place = Place(self._left)
        try:
            yield place
        finally:
            place.leave()

    def _left(self) -> None:
        self._in_flight -= 1
        self._places.give()


class Place:
    """A place that is held; it may be left before its block ends."""

    def __init__(self, free: Callable[[], None]) -> None:
        self._free: Callable[[], None] | None = free

    def leave(self) -> None:
        """Let the next one in. Leaving twice is leaving once."""
        free, self._free = self._free, None
        if free is not None:
            free()
