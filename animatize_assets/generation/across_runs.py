"""Places with a provider that all runs share, whatever process they are in.

Belongs here: the protocol, and waiting for such a place. Does not belong here: who counts the
places (``defs.provider_pools``: a Dagster pool), the places of one process (``rate_limit``).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import uuid4

_log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 1.0
"""Between two looks at a full pool: short against any picture, long against a statement."""

ENDED_AFTER_LOOKS = 8
"""Looks in vain after which, each time, runs that ended without freeing their places are sought."""


class AcrossRuns(Protocol):
    """Counts the places. Called in threads; what it raises ends the request."""

    def claim(self, provider: str, place: str, limit: int) -> bool:
        """Try to get a place for the call ``place``; whether it is held now."""

    def free(self, place: str) -> None:
        """Give a place, or the wait for one, up."""

    def free_ended(self) -> None:
        """Give up the places of processes that are gone."""


@asynccontextmanager
async def shared_place(
    across_runs: AcrossRuns | None, provider: str, limit: int, check: Callable[[], None]
) -> AsyncIterator[None]:
    """Hold a place with ``provider`` that no other run holds; without ``across_runs`` at once.

    ``check`` is called after each wait: what it raises ends it.
    """
    if across_runs is None:
        yield
        return
    place = f"{provider}/{uuid4().hex}"
    try:
        looks, wait_s = 0, FIRST_WAIT_S
        while not await asyncio.to_thread(across_runs.claim, provider, place, limit):
            looks += 1
            if looks % ENDED_AFTER_LOOKS == 0:
                await asyncio.to_thread(across_runs.free_ended)
            # jitter, so that those who wait do not all look at the same moment
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311 - no secret
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            check()
        yield
    finally:
        # shielded: a cancelled call must not keep its place until the end of its run
        await asyncio.shield(asyncio.to_thread(across_runs.free, place))
