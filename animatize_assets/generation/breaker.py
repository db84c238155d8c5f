"""When a provider is left alone for a while.

Belongs here: one provider's circuit breaker. Does not belong here: what counts as bad
(``failures``), who is asked instead (``router``), storing the state (``on_change`` of the router).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from animatize_assets.generation.failures import Verdict

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True)
class BreakerRules:
    """When it opens and for how long.

    With 5 % server errors and 2 % hangs at random, ten bad calls in a row have a chance of 1e-11,
    and half of twenty bad ones one of 1e-7: it opens for outages, not for bad luck.
    """

    failures_in_a_row: int = 10
    window_s: float = 60.0
    least_calls: int = 20
    """The rate within the window is not looked at below as many calls."""
    bad_share: float = 0.5
    """Above this share of bad calls it opens, though good ones come between."""
    open_s: float = 30.0
    """Until the first probe; doubled after each probe that fails."""
    longest_open_s: float = 600.0
    cut_off_s: float = 300.0
    """Until the first probe when only a person can help."""


@dataclass(frozen=True)
class BreakerState:
    """A snapshot, for display."""

    provider: str
    state: State
    failures: int
    """Bad calls in a row."""
    reason: str | None
    """Kind of the failure that opened it."""
    probe_in_s: float | None
    """Seconds until one call is let through; None when it is not open."""


@dataclass
class Admission:
    """A call that was let through; tell the breaker what came of it."""

    is_probe: bool
    era: int
    """Counts openings: a call from before one says nothing about the provider after it."""


class Breaker:
    """Closed: calls go through. Open: none. Half open: a single probe decides.

    Not to be shared between threads. ``clock`` counts seconds.
    """

    def __init__(
        self,
        provider: str,
        rules: BreakerRules | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[BreakerState], None] | None = None,
    ) -> None:
        self._provider = provider
        self._rules = rules or BreakerRules()
        self._clock = clock
        self._on_change = on_change
        self._era = 0
        self._is_open = False
        self._is_probing = False
        self._probe_at = 0.0
        self._open_s = self._rules.open_s
        self._in_a_row = 0
        self._reason: str | None = None
        self._window: deque[tuple[float, bool]] = deque()
        self._bad_in_window = 0

    @property
    def state(self) -> BreakerState:
        """How things stand now."""
        left = max(0.0, self._probe_at - self._clock()) if self._is_open else None
        name: State = "closed" if left is None else "open" if left > 0 else "half_open"
        return BreakerState(self._provider, name, self._in_a_row, self._reason, left)

    @property
    def refuses(self) -> bool:
        """Whether a call would not be let through now."""
        return self._is_open and (self._is_probing or self._clock() < self._probe_at)

    def admit(self) -> Admission | None:
        """Let a call through, or return None. An admitted call must be recorded or forgotten."""
        if self.refuses:
            return None
        self._is_probing = self._is_open
        return Admission(is_probe=self._is_open, era=self._era)

    def record(self, call: Admission, verdict: Verdict, reason: str | None = None) -> None:
        """Count what came of a call; ``reason`` is the kind of its failure."""
        if call.era != self._era:
            # of before the last opening or closing; only that the account is cut off is still news
            if verdict is Verdict.CUT_OFF and not self._is_open:
                self._open(self._rules.cut_off_s, reason)
            return
        if call.is_probe:
            self._is_probing = False
            self._judge_probe(verdict, reason)
        elif verdict is Verdict.CUT_OFF:
            self._open(self._rules.cut_off_s, reason)
        elif verdict is not Verdict.NEUTRAL:
            self._count(is_bad=verdict is Verdict.BAD, reason=reason)

    def forget(self, call: Admission) -> None:
        """Take back a call that ended without saying anything: it was cancelled."""
        if call.is_probe and call.era == self._era:
            self._is_probing = False

    def _judge_probe(self, verdict: Verdict, reason: str | None) -> None:
        if verdict is Verdict.GOOD:
            self._close()
        elif verdict is Verdict.CUT_OFF:
            self._open(self._rules.cut_off_s, reason)
        elif verdict is Verdict.BAD:
            self._in_a_row += 1
            self._open(min(2 * self._open_s, self._rules.longest_open_s), reason)

    def _count(self, *, is_bad: bool, reason: str | None) -> None:
        now = self._clock()
        self._in_a_row = self._in_a_row + 1 if is_bad else 0
        self._window.append((now, is_bad))
        self._bad_in_window += is_bad
        while self._window[0][0] < now - self._rules.window_s:
            self._bad_in_window -= self._window.popleft()[1]
        calls, most = len(self._window), self._rules.bad_share * len(self._window)
        too_many = calls >= self._rules.least_calls and self._bad_in_window > most
        if is_bad and (self._in_a_row >= self._rules.failures_in_a_row or too_many):
            self._open(self._rules.open_s, reason)

    def _open(self, seconds: float, reason: str | None) -> None:
        self._era += 1
        self._is_open = True
        self._is_probing = False
        self._open_s = seconds
        self._probe_at = self._clock() + seconds
        self._reason = reason
        self._forget_window()
        self._tell()

    def _close(self) -> None:
        self._era += 1
        self._is_open = False
        self._open_s = self._rules.open_s
        self._in_a_row = 0
        self._reason = None
        self._forget_window()
        self._tell()

    def _forget_window(self) -> None:
        self._window.clear()
        self._bad_in_window = 0

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change(self.state)
