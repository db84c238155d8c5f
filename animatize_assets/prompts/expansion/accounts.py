"""What this room says of money: before each call that may cost some, and after it.

Belongs here: the protocol, and the stand-in for tests and free work. Does not belong here: the
ledger (``generation.ledger`` keeps it, and whoever joins the rooms hands it in), prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from animatize_assets.prompts.expansion.text_models import TextUsage

PROVIDER = "openai"


@dataclass(frozen=True)
class Expense:
    """A call that is about to be made. Its fields are those of the ledger's planned call."""

    model: str
    fingerprint: str
    """Of the request; for a batch its ``batch_key``."""
    expected_usd: float | None
    """What it costs at most; None when that is not known."""
    purpose: Literal["expansion", "batch"]
    image_key: str | None = None
    run_id: str | None = None
    provider: str = PROVIDER


@dataclass(frozen=True)
class OpenExpense:
    """A row that nobody closed."""

    call_id: str
    fingerprint: str


class Accounts(Protocol):
    """A row before each call and its outcome after it. Every method is durable when it returns."""

    def open_call(self, expense: Expense) -> str:
        """Write the row and return its id.

        Raises:
            BudgetExceeded: the call could pass a limit; nothing is written.
        """

    def note_remote(self, call_id: str, remote_id: str, resume: Mapping[str, str]) -> None:
        """Remember under which id the provider works on it."""

    def settle(self, call_id: str, *, cost_usd: float | None, usage: TextUsage | None) -> None:
        """Close the row: it was delivered. Settling twice changes nothing."""

    def fail(self, call_id: str, *, kind: str, billed_usd: float | None) -> None:
        """Note the failure. With ``billed_usd`` None the row stays open, as possible spend."""

    def open_rows(self, *, purpose: str) -> Sequence[OpenExpense]:
        """Return every open row of ``purpose``, oldest first."""


class NoAccounts:
    """For a server of one's own that costs nothing."""

    def open_call(self, expense: Expense) -> str:
        """Return an id that nobody asks for."""
        return f"free-{expense.fingerprint}"

    def note_remote(self, call_id: str, remote_id: str, resume: Mapping[str, str]) -> None:
        """Nothing to remember."""

    def settle(self, call_id: str, *, cost_usd: float | None, usage: TextUsage | None) -> None:
        """Nothing to pay."""

    def fail(self, call_id: str, *, kind: str, billed_usd: float | None) -> None:
        """Nothing to pay."""

    def open_rows(self, *, purpose: str) -> Sequence[OpenExpense]:  # noqa: ARG002 - the protocol's
        """Nothing is ever left open."""
        return ()
