"""What was tried for one request, and what it adds up to.

Belongs here: the attempts in their order, their cost, and the error when none delivered. Does not
belong here: deciding what to try (``journey``), rows in the database (``ledger``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from animatize_assets.errors import FAILURE_KINDS, BudgetExceeded, NotConfigured, ProviderError
from animatize_assets.generation.failures import kind_of, possible_spend
from animatize_assets.generation.models import Attempt, MadePicture, Resume
from animatize_assets.generation.rate_limit import Clock

OVER_BUDGET = BudgetExceeded.code
"""The reason of an attempt that the budget did not allow."""


class NothingDelivered(ProviderError):
    """Nobody made the picture. ``attempts`` tells everything that was tried.

    The kind is that of the last failure of the first provider, the one that was asked for.
    """

    def __init__(self, message: str, *, attempts: tuple[Attempt, ...], **known: Any) -> None:
        super().__init__(message, **known)
        self.attempts = attempts

    def __reduce__(self) -> tuple[object, ...]:
        known = {
            "kind": self.kind,
            "retry_after_s": self.retry_after_s,
            "remote_id": self.remote_id,
            "billed_usd": self.billed_usd,
        }
        return (_rebuild, (self.message, self.attempts, known))


def _rebuild(
    message: str, attempts: tuple[Attempt, ...], known: dict[str, Any]
) -> NothingDelivered:
    return NothingDelivered(message, attempts=attempts, **known)


@dataclass
class Begun:
    """A call between its row in the ledger and its outcome."""

    call_id: str
    provider: str
    model: str
    started_at: datetime
    started_s: float
    expected_usd: float | None = 0.0
    """What it may cost on top of what is counted already: nothing when work is only fetched."""
    resume: Resume | None = None
    remote_id: str | None = None


class AttemptLog:
    """The attempts of one request. ``now`` gives the time with its zone, ``clock`` seconds."""

    def __init__(self, *, clock: Clock, now: Callable[[], datetime]) -> None:
        self._clock = clock
        self._now = now
        self._lines: list[tuple[str | None, Attempt]] = []
        self._spoiled: set[str] = set()
        self._retry_after_s: float | None = None
        self._possible_usd: dict[str, float] = {}

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All of them, in their order."""
        return tuple(attempt for _, attempt in self._lines)

    @property
    def possible_usd(self) -> float:
        """What the failed calls were or may have been billed."""
        return sum(self._possible_usd.values())

    def is_spoiled(self, call_id: str) -> bool:
        """Whether what that call made was seen and is no good: it is not fetched again."""
        return call_id in self._spoiled

    def begin(
        self,
        call_id: str,
        provider: str,
        model: str,
        *,
        expected_usd: float | None = 0.0,
        resume: Resume | None = None,
        remote_id: str | None = None,
    ) -> Begun:
        """Start the time of a call."""
        return Begun(
            call_id,
            provider,
            model,
            self._now(),
            self._clock(),
            expected_usd=expected_usd,
            resume=resume,
            remote_id=remote_id,
        )

    def made(self, begun: Begun, made: MadePicture) -> None:
        """Note the call that delivered."""
        attempt = Attempt(
            provider=made.provider,
            model=made.model,
            started_at=begun.started_at,
            seconds=self._clock() - begun.started_s,
            outcome="made" if begun.resume is None else "resumed",
            cost_usd=made.cost_usd,
            remote_id=made.remote_id or begun.remote_id,
        )
        self._add(begun, attempt)

    def failed(self, begun: Begun, error: ProviderError | NotConfigured) -> None:
        """Note a call that did not deliver."""
        kind, billed = kind_of(error), possible_spend(error)
        if isinstance(error, ProviderError) and error.retry_after_s is not None:
            self._retry_after_s = error.retry_after_s
        if kind == "bad_output":
            self._spoiled.add(begun.call_id)
        if billed is not None:
            self._possible_usd[begun.call_id] = billed
        else:
            self._possible_usd.setdefault(begun.call_id, begun.expected_usd or 0.0)
        attempt = Attempt(
            provider=begun.provider,
            model=begun.model,
            started_at=begun.started_at,
            seconds=self._clock() - begun.started_s,
            outcome="failed",
            reason=kind,
            message=error.message,
            cost_usd=billed,
            remote_id=begun.remote_id,
        )
        self._add(begun, attempt)

    def not_asked(self, provider: str, model: str, reason: str, message: str) -> None:
        """Note a provider that was passed over without a call."""
        attempt = Attempt(
            provider=provider,
            model=model,
            started_at=self._now(),
            seconds=0.0,
            outcome="failed",
            reason=reason,
            message=message,
            cost_usd=0.0,
        )
        self._lines.append((None, attempt))

    def _add(self, begun: Begun, attempt: Attempt) -> None:
        # submitted work that is asked for again is one call: its bill stands with the last word
        self._lines = [
            (call_id, earlier.model_copy(update={"cost_usd": 0.0}))
            if call_id == begun.call_id
            else (call_id, earlier)
            for call_id, earlier in self._lines
        ]
        self._lines.append((begun.call_id, attempt))

    def nothing_delivered(self, image_key: str, remark: str = "") -> NothingDelivered:
        """Return the error that tells all of it. ``remark`` is a sentence that ends it."""
        first = [a.reason for a in self.attempts if a.provider == self.attempts[0].provider]
        kinds = [reason for reason in reversed(first) if reason in FAILURE_KINDS]
        costs = [attempt.cost_usd for attempt in self.attempts]
        known = [cost for cost in costs if cost is not None]
        tried = "; ".join(
            _told(list(of_one)) for _, of_one in groupby(self.attempts, key=lambda a: a.provider)
        )
        return NothingDelivered(
            f"No provider delivered the picture of {image_key}: {tried}.{remark}",
            attempts=self.attempts,
            kind=kinds[0] if kinds else "quota",
            retry_after_s=self._retry_after_s,
            billed_usd=sum(known) if len(known) == len(costs) else None,
        )


def _told(attempts: list[Attempt]) -> str:
    """Return what one provider's attempts came to, as part of a sentence."""
    name = f"{attempts[0].provider} ({attempts[0].model})" if attempts[0].model else ""
    said = " / ".join(
        f"{reason}{f' {count}x' if count > 1 else ''}: {last}"
        for reason, count, last in _runs(attempts)
    )
    return f"{name or attempts[0].provider}: {said}"


def _runs(attempts: list[Attempt]) -> list[tuple[str, int, str]]:
    """Return equal reasons in a row: reason, how often, the last message without its full stop."""
    runs = []
    for reason, same in groupby(attempts, key=lambda a: a.reason):
        listed = list(same)
        runs.append((reason or "", len(listed), (listed[-1].message or "").rstrip(".")))
    return runs
