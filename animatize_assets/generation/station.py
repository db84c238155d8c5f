"""One provider as the router sees it: its client, its places, its breaker and where it is billed.

Belongs here: what outlives a single request. Does not belong here: the way of one request
(``journey``), which providers there are (``pipeline.generation_setup``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from animatize_assets.errors import AnimatizeError
from animatize_assets.generation.accounting import FreeWork, Ledger
from animatize_assets.generation.breaker import Admission, Breaker, BreakerRules, BreakerState
from animatize_assets.generation.failures import Verdict
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.generation.rate_limit import Clock, Limiter, Load, Sleep

_log = logging.getLogger(__name__)

OnChange = Callable[[BreakerState], None]
"""Told when a breaker opens or closes; called beside the event loop, one call at a time."""


@dataclass(frozen=True)
class Configured:
    """A provider that is ready to be asked, and the limits to keep with it."""

    provider: PictureProvider
    concurrency: int = 4
    requests_per_min: float | None = None
    """None: no limit of our own."""
    in_house: bool = False
    """Whether it works in this process: it costs nothing, sees what others refused, has no breaker
    and no deadline, and the ledger does not know it. True of ``local`` alone."""


@dataclass(frozen=True)
class ProviderState:
    """How a provider is doing, for display."""

    name: str
    model: str
    load: Load
    breaker: BreakerState | None
    """None of a provider of our own."""


class BreakerOpen(Exception):
    """The provider is not asked now; the state says why."""

    def __init__(self, state: BreakerState) -> None:
        when = (
            "one call is trying it" if not state.probe_in_s else f"{state.probe_in_s:.0f} s to go"
        )
        super().__init__(f"Not asked after {state.failures} failures in a row: {when}.")
        self.state = state


class Station:
    """A provider with its limits. Belongs to one event loop."""

    def __init__(
        self,
        name: str,
        configured: Configured,
        ledger: Ledger,
        *,
        rules: BreakerRules,
        clock: Clock,
        sleep: Sleep,
        on_change: OnChange | None,
    ) -> None:
        self.name = name
        self.provider = configured.provider
        self.in_house = configured.in_house
        self.concurrency = configured.concurrency
        self.ledger: Ledger = FreeWork() if configured.in_house else ledger
        self.limiter = Limiter(
            configured.concurrency, configured.requests_per_min, clock=clock, sleep=sleep
        )
        self._breaker = (
            None
            if configured.in_house
            else Breaker(name, rules, clock=clock, on_change=self._has_changed)
        )
        self._on_change = on_change
        self._changes = 0
        self._told = 0
        self._telling = asyncio.Lock()

    @property
    def model(self) -> str:
        """The provider model that makes the pictures."""
        return self.provider.model

    @property
    def state(self) -> ProviderState:
        """How it is doing now."""
        breaker = self._breaker.state if self._breaker else None
        return ProviderState(self.name, self.model, self.limiter.load, breaker)

    def check(self) -> None:
        """Return when it may be asked, as far as is known.

        Raises:
            BreakerOpen: it is left alone for now.
        """
        if self._breaker is not None and self._breaker.refuses:
            raise BreakerOpen(self._breaker.state)

    def admit(self) -> Admission | None:
        """Let one call through; :meth:`record` or :meth:`forget` what it gives. None: no breaker.

        Raises:
            BreakerOpen: it is left alone for now.
        """
        if self._breaker is None:
            return None
        admission = self._breaker.admit()
        if admission is None:
            raise BreakerOpen(self._breaker.state)
        return admission

    def forget(self, admission: Admission | None) -> None:
        """Take back a call that said nothing about the provider."""
        if self._breaker is not None and admission is not None:
            self._breaker.forget(admission)

    async def record(
        self, admission: Admission | None, verdict: Verdict, reason: str | None = None
    ) -> None:
        """Count what came of a call, and tell whoever wants to know when that changes things."""
        if self._breaker is None or admission is None:
            return
        self._breaker.record(admission, verdict, reason)
        async with self._telling:
            if self._on_change is None or self._told == self._changes:
                return
            self._told = self._changes
            try:
                await asyncio.to_thread(self._on_change, self._breaker.state)
            except AnimatizeError as error:
                _log.warning("The state of %s could not be noted: %s", self.name, error)

    def _has_changed(self, state: BreakerState) -> None:
        self._changes += 1
        if state.state == "closed":
            _log.info("%s answers again.", self.name)
        else:
            _log.warning(
                "%s is not asked for %.0f s (%s).", self.name, state.probe_in_s or 0, state.reason
            )
