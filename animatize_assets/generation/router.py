"""The one door to the providers: equal requests make one call, and every provider keeps its limits.

Belongs here: requests in flight in this event loop, and the providers' lives. Does not belong here:
the way of one request (``journey``), threads (``studio``), equal requests of several processes
(``single_flight``).
"""

from __future__ import annotations

import asyncio
import logging
import random as random_numbers
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from animatize_assets.generation.accounting import Ledger
from animatize_assets.generation.across_runs import AcrossRuns
from animatize_assets.generation.attempts import NothingDelivered
from animatize_assets.generation.breaker import BreakerRules
from animatize_assets.generation.journey import Journey, Keep, Surroundings
from animatize_assets.generation.models import Delivery, PictureRequest
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.rate_limit import Clock, Sleep
from animatize_assets.generation.station import Configured, OnChange, ProviderState, Station
from animatize_assets.telemetry.job_tracking import JobTracker, NoTracking

__all__ = ["Configured", "NothingDelivered", "Router"]

_log = logging.getLogger(__name__)


@dataclass
class _Flight:
    """A request on its way, and how many wait for it."""

    task: asyncio.Task[Delivery]
    waiting: int = 0


class Router:
    """Gets pictures made by the providers of one event loop.

    ``clock`` counts seconds, ``sleep`` waits for as many, ``random`` gives 0..1 and ``now`` the
    time with its zone. ``tracker`` records every call. ``on_change`` is told in a thread when a
    breaker opens or closes.
    """

    def __init__(
        self,
        providers: Mapping[str, Configured],
        policy: Policy,
        ledger: Ledger,
        *,
        breaker_rules: BreakerRules | None = None,
        on_change: OnChange | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        random: Callable[[], float] = random_numbers.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tracker: JobTracker | None = None,
    ) -> None:
        self._around = Surroundings(policy, clock, sleep, random, now, tracker or NoTracking())
        self._stations = {
            name: Station(
                name,
                configured,
                ledger,
                rules=breaker_rules or BreakerRules(),
                clock=clock,
                sleep=sleep,
                on_change=on_change,
            )
            for name, configured in providers.items()
        }
        self._flights: dict[tuple[str, ...], _Flight] = {}

    async def deliver(
        self,
        request: PictureRequest,
        order: Sequence[str],
        *,
        run_id: str | None = None,
        keep: Keep | None = None,
        across_runs: AcrossRuns | None = None,
    ) -> Delivery:
        """Return the picture of ``request``, made by the first of ``order`` that delivers.

        A request whose equal is in flight waits for that one and gets the same delivery; the run
        that pays, and ``keep``, are those of the first. ``keep`` stores the picture before its row
        in the ledger is closed; it is called in a thread, and what it raises comes through.
        ``across_runs`` counts the places that a provider has for all runs together.

        Raises:
            NothingDelivered: nobody made it; the message and ``attempts`` tell every attempt.
            BudgetExceeded: the next call could pass a limit.
            StorageFailed: the ledger cannot be written.
            ValueError: ``order`` is empty.
        """
        if not order:
            raise ValueError("The order of providers is empty; name one at least.")
        if not request.fingerprint:
            return await self._walk(request, order, run_id, keep, across_runs)
        key = (request.fingerprint, *order)
        flight = self._flights.get(key)
        if flight is None:
            work = self._walk(request, order, run_id, keep, across_runs)
            flight = _Flight(asyncio.create_task(work))
            self._flights[key] = flight
        flight.waiting += 1
        try:
            # shielded: whoever stops waiting does not take the picture from the others
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if flight.waiting == 0:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]

    def states(self) -> tuple[ProviderState, ...]:
        """Return how each provider is doing now."""
        return tuple(station.state for station in self._stations.values())

    def state(self, provider: str) -> ProviderState:
        """Return how one provider is doing now.

        Raises:
            KeyError: it is not configured.
        """
        return self._stations[provider].state

    async def close(self) -> None:
        """End what is in flight and let go of the providers' connections."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        closings = (station.provider.close() for station in self._stations.values())
        for outcome in await asyncio.gather(*closings, return_exceptions=True):
            if isinstance(outcome, Exception):
                _log.warning("A provider could not be closed: %s", outcome)

    async def _walk(
        self,
        request: PictureRequest,
        order: Sequence[str],
        run_id: str | None,
        keep: Keep | None,
        across_runs: AcrossRuns | None,
    ) -> Delivery:
        journey = Journey(request, self._around, run_id=run_id, keep=keep, across_runs=across_runs)
        return await journey.walk([self._stations.get(name, name) for name in order])
