"""Waiting for submitted work: how often to look, how long to bear a silent server, when to stop.

Belongs here: the patience of one attempt. Does not belong here: what is looked at, and asking again
after an attempt has failed (the router's matter).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 1.0
"""Pictures take 5 to 60 s: looking every second adds half a second on average and few requests."""
GROWTH = 1.3

SILENCE_S = 30.0
"""A server that gives no usable answer for this long is left alone: what it works on stays noted in
the ledger and is fetched later, and the slot serves somebody else meanwhile."""

STEP_S = 30.0
"""No single question about submitted work may take longer."""

Sleep = Callable[[float], Awaitable[None]]


class Patience:
    """The time of one attempt. ``clock`` counts seconds; ``sleep`` waits for as many."""

    def __init__(
        self,
        timeout_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._ends_at = clock() + timeout_s
        self._pause_s = FIRST_PAUSE_S
        self._silent_since: float | None = None

    @property
    def left_s(self) -> float:
        """Seconds until the attempt must have ended; never negative."""
        return max(0.0, self._ends_at - self._clock())

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be awaited."""
        return self.left_s <= 0.0

    @property
    def step_s(self) -> float:
        """The limit of one question, seconds."""
        return min(STEP_S, self.left_s)

    @property
    def is_silent(self) -> bool:
        """Whether the last question got no usable answer."""
        return self._silent_since is not None

    def heard(self) -> None:
        """Note a usable answer."""
        self._silent_since = None

    def unheard(self) -> bool:
        """Note that none came; returns whether that has lasted too long."""
        now = self._clock()
        if self._silent_since is None:
            self._silent_since = now
        return now - self._silent_since >= SILENCE_S

    async def pause(
        self, *, asked_s: float | None = None, woken: asyncio.Event | None = None
    ) -> None:
        """Wait before the next look: a little longer each time, or as long as the server asked.

        ``woken`` ends the wait early and is cleared.
        """
        seconds = min(max(self._pause_s, asked_s or 0.0), self.left_s)
        self._pause_s = min(self._pause_s * GROWTH, LONGEST_PAUSE_S)
        if woken is None:
            await self._sleep(seconds)
            return
        waits = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(woken.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        woken.clear()
