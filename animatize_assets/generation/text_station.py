"""A provider's text models: how many calls at a time, and when they are left alone.

Prompts are expanded in threads with an event loop each, so places and breaker belong to the process
here; those of pictures belong to the one loop that makes them (``station``). The places of all
runs together are the provider's, whatever is asked of it (``across_runs``).

Belongs here: one call's way through the limits. Does not belong here: retries (``retrying``), what
is asked, money.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from animatize_assets.errors import AnimatizeError, NotConfigured, ProviderError
from animatize_assets.generation.across_runs import AcrossRuns, shared_place
from animatize_assets.generation.breaker import Admission, Breaker, BreakerRules, BreakerState
from animatize_assets.generation.failures import Verdict, kind_of, rule_of
from animatize_assets.generation.rate_limit import Clock
from animatize_assets.generation.station import BreakerOpen, OnChange

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class TextStation:
    """The limits of the text models of ``provider``. Safe to use from several threads.

    ``concurrency``: calls at a time, of this process and of all runs together. ``clock`` counts
    seconds. ``on_change`` is told when the breaker opens or closes, as ``<provider>_text``.
    """

    def __init__(
        self,
        provider: str,
        concurrency: int,
        *,
        rules: BreakerRules | None = None,
        clock: Clock = time.monotonic,
        on_change: OnChange | None = None,
    ) -> None:
        self._provider = provider
        self._concurrency = concurrency
        self._places = threading.BoundedSemaphore(concurrency)
        self._breaker = Breaker(f"{provider}_text", rules, clock=clock, on_change=self._has_changed)
        self._lock = threading.Lock()
        self._on_change = on_change
        self._changed: list[BreakerState] = []

    @property
    def state(self) -> BreakerState:
        """How the breaker is now."""
        with self._lock:
            return self._breaker.state

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of this process's places, for one prompt with all its calls."""
        with self._places:
            yield

    async def call(
        self, ask: Callable[[], Awaitable[_T]], *, across_runs: AcrossRuns | None = None
    ) -> _T:
        """Make one call, when it is its turn among all runs, and count what came of it.

        Raises:
            BreakerOpen: the provider is left alone for now; nothing was asked.
            ProviderError: of the call.
        """
        self._check()
        async with shared_place(across_runs, self._provider, self._concurrency, self._check):
            admission = self._admit()
            try:
                answer = await ask()
            except (ProviderError, NotConfigured) as error:
                self._record(admission, rule_of(error).verdict, kind_of(error))
                raise
            except BaseException:  # it says nothing of the provider: a budget, an interruption
                with self._lock:
                    self._breaker.forget(admission)
                raise
            self._record(admission, Verdict.GOOD)
            return answer

    def _check(self) -> None:
        with self._lock:
            if self._breaker.refuses:
                raise BreakerOpen(self._breaker.state)

    def _admit(self) -> Admission:
        with self._lock:
            admission = self._breaker.admit()
            if admission is None:
                raise BreakerOpen(self._breaker.state)
            return admission

    def _record(self, admission: Admission, verdict: Verdict, reason: str | None = None) -> None:
        with self._lock:
            self._breaker.record(admission, verdict, reason)
            changed, self._changed = self._changed, []
        for state in changed:
            if state.state != "closed":
                _log.warning(
                    "%s is not asked for %.0f s (%s).", state.provider, state.probe_in_s or 0,
                    state.reason,
                )  # fmt: skip
            self._tell(state)

    def _has_changed(self, state: BreakerState) -> None:
        self._changed.append(state)  # told when the lock is free: whoever is told may take its time

    def _tell(self, state: BreakerState) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(state)
        except AnimatizeError as error:
            _log.warning("The state of %s could not be noted: %s", state.provider, error)
