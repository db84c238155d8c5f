"""The ledger, as prompt expansion sees it.

Belongs here: translating between the two rooms' words. Does not belong here: any rule of money
(``ledger``, ``budget``); ``prompts`` lies below this room and must not know it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from animatize_assets.generation.accounting import PlannedCall
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.models import Usage
from animatize_assets.prompts.expansion.accounts import Expense, OpenExpense
from animatize_assets.prompts.expansion.text_models import TextUsage


@dataclass(frozen=True)
class LedgerAccounts:
    """``prompts.expansion.accounts.Accounts`` on the ledger."""

    ledger: SqlLedger

    def open_call(self, expense: Expense) -> str:
        """Write the row and return its id.

        Raises:
            BudgetExceeded: the call could pass a limit; nothing is written.
        """
        return self.ledger.open_call(
            PlannedCall(
                provider=expense.provider,
                model=expense.model,
                fingerprint=expense.fingerprint,
                expected_usd=expense.expected_usd,
                image_key=expense.image_key,
                run_id=expense.run_id,
                purpose=expense.purpose,
            )
        )

    def note_remote(self, call_id: str, remote_id: str, resume: Mapping[str, str]) -> None:
        """Remember under which id the provider works on it."""
        self.ledger.note_remote(call_id, remote_id, resume)

    def settle(self, call_id: str, *, cost_usd: float | None, usage: TextUsage | None) -> None:
        """Close the row: it was delivered."""
        counted = None if usage is None else Usage.model_validate(usage.model_dump())
        self.ledger.settle(call_id, cost_usd=cost_usd, usage=counted)

    def fail(self, call_id: str, *, kind: str, billed_usd: float | None) -> None:
        """Note the failure."""
        self.ledger.fail(call_id, kind=kind, billed_usd=billed_usd)

    def open_rows(self, *, purpose: str) -> Sequence[OpenExpense]:
        """Return every open row of ``purpose``, oldest first."""
        rows = self.ledger.open_rows(purpose=purpose)
        return [OpenExpense(row.call_id, row.fingerprint) for row in rows]
