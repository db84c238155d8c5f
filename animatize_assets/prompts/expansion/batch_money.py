"""What a batch may cost, and what it did cost, in the ledger: one row for each batch.

Belongs here: opening, finding and closing that row. Does not belong here: the ledger itself, what a
line's answer cost (``answers``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from animatize_assets.prompts.expansion.accounts import Accounts, Expense
from animatize_assets.prompts.expansion.answers import TextAnswer
from animatize_assets.prompts.expansion.batch_rows import BatchRow
from animatize_assets.prompts.expansion.schema import as_bytes
from animatize_assets.prompts.expansion.text_models import (
    BATCH_SHARE,
    TextModel,
    TextUsage,
    cost_usd,
    most_usd,
    usage_of,
)
from animatize_assets.telemetry.metrics import add_cost

if TYPE_CHECKING:
    from openai.types import Batch


@dataclass(frozen=True)
class Bill:
    """What a batch cost, US dollars; None when that is not known."""

    cost_usd: float | None
    usage: TextUsage | None


class BatchMoney:
    """The rows of batches. ``models``: by name, with their prices; of another nothing is known."""

    def __init__(self, accounts: Accounts, models: Mapping[str, TextModel]) -> None:
        self._accounts = accounts
        self._models = models

    def model(self, name: str) -> TextModel:
        """Return the model with its prices, as far as they are known."""
        return self._models.get(name) or TextModel(name)

    def open(self, batch: BatchRow, bodies: Sequence[Mapping[str, Any]]) -> str:
        """Return the id of the batch's row, which an ended process may have opened.

        Raises:
            BudgetExceeded: the batch could pass a limit.

        """
        known = self._open_row(batch)
        if known is not None:
            return known
        model = self.model(batch.model)
        costs = [most_usd(model, body, len(as_bytes(body))) for body in bodies]
        expected = None
        if None not in costs:
            expected = sum(cost for cost in costs if cost is not None) * BATCH_SHARE
        return self._accounts.open_call(
            Expense(
                model=batch.model,
                fingerprint=batch.batch_key,
                expected_usd=expected,
                purpose="batch",
            )
        )

    def note_remote(self, call_id: str, remote_id: str) -> None:
        """Remember what OpenAI calls the batch."""
        self._accounts.note_remote(call_id, remote_id, {"batch_id": remote_id})

    def close_unpaid(self, batch: BatchRow) -> None:
        """Close the row, if there is one: nothing was billed."""
        call_id = self._open_row(batch)
        if call_id is not None:
            self._accounts.fail(call_id, kind="invalid_request", billed_usd=0.0)

    def settle(self, batch: BatchRow, remote: Batch, answers: Sequence[TextAnswer]) -> None:
        """Close the row with what the batch cost. Doing it again changes nothing."""
        call_id = self._open_row(batch)
        if call_id is not None:
            bill = bill_of(remote, answers, self.model(batch.model))
            self._accounts.settle(call_id, cost_usd=bill.cost_usd, usage=bill.usage)
            add_cost("openai", "batch", bill.cost_usd)

    def _open_row(self, batch: BatchRow) -> str | None:
        rows = self._accounts.open_rows(purpose="batch")
        return next((row.call_id for row in rows if row.fingerprint == batch.batch_key), None)


def bill_of(remote: Batch, answers: Sequence[TextAnswer], model: TextModel) -> Bill:
    """Return a batch's cost: the sum of its answers, or by its own count where answers are missing.

    None when more was answered than we were given and the batch does not count its tokens.
    """
    counts = remote.request_counts
    costs = [answer.cost_usd for answer in answers]
    usage = _sum(answers)
    if None not in costs and (counts is None or counts.completed <= len(answers)):
        return Bill(sum(cost for cost in costs if cost is not None), usage)
    told = usage_of(remote.usage.model_dump()) if remote.usage is not None else None
    if told is not None and told.output_tokens:
        return Bill(cost_usd(model, told, share=BATCH_SHARE), told)
    return Bill(None, usage)


def _sum(answers: Sequence[TextAnswer]) -> TextUsage | None:
    usages = [answer.usage for answer in answers if answer.usage is not None]
    if not usages:
        return None
    return TextUsage(
        input_tokens=sum(usage.input_tokens or 0 for usage in usages),
        cached_tokens=sum(usage.cached_tokens or 0 for usage in usages),
        cache_write_tokens=sum(usage.cache_write_tokens or 0 for usage in usages),
        output_tokens=sum(usage.output_tokens or 0 for usage in usages),
    )
