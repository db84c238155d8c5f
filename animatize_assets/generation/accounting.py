"""What the router writes down before and after each call that may cost money.

Belongs here: the protocol, and the stand-in for free work. Does not belong here: storing
(``ledger``), limits (``budget``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from animatize_assets.generation.models import Resume, Usage


@dataclass(frozen=True)
class PlannedCall:
    """A call that is about to be made."""

    provider: str
    model: str
    fingerprint: str
    """Of the request; equal requests have equal ones."""
    expected_usd: float | None
    """What it costs at most; None when the price is not known."""
    image_key: str | None = None
    run_id: str | None = None
    purpose: str = "picture"


@dataclass(frozen=True)
class OpenCall:
    """A call whose outcome nobody wrote down: its process was killed, or its answer was lost."""

    call_id: str
    provider: str
    model: str
    fingerprint: str
    remote_id: str | None
    resume: Resume | None


class Ledger(Protocol):
    """A row before each call and its outcome after it. Every method is durable when it returns."""

    def open_call(self, planned: PlannedCall) -> str:
        """Write the row and return its id; checked against the budgets in the same transaction.

        Raises:
            BudgetExceeded: the call could pass a limit; nothing is written.
        """

    def note_remote(self, call_id: str, remote_id: str, resume: Resume) -> None:
        """Remember under which id the provider works on it, and how to fetch it."""

    def settle(self, call_id: str, *, cost_usd: float | None, usage: Usage | None) -> None:
        """Close the row: it was delivered."""

    def fail(self, call_id: str, *, kind: str, billed_usd: float | None) -> None:
        """Note the failure. With ``billed_usd`` None the row stays open, as possible spend."""

    def unfinished(self, fingerprint: str, provider: str) -> OpenCall | None:
        """Return the newest open row of this request with that provider that can be fetched."""


class FreeWork:
    """For work that costs nothing and needs no memory."""

    def open_call(self, planned: PlannedCall) -> str:
        """Return an id that nobody asks for."""
        return f"free-{planned.provider}"

    def note_remote(self, call_id: str, remote_id: str, resume: Resume) -> None:
        """Nothing to remember."""

    def settle(self, call_id: str, *, cost_usd: float | None, usage: Usage | None) -> None:
        """Nothing to pay."""

    def fail(self, call_id: str, *, kind: str, billed_usd: float | None) -> None:
        """Nothing to pay."""

    def unfinished(self, fingerprint: str, provider: str) -> OpenCall | None:  # noqa: ARG002
        """Nothing is ever left open."""
        return None
