"""Many expansions as OpenAI batches, at half the price: taken in, sent, asked after, handed out.

Every step is one exchange with OpenAI or one transaction, and what is known is written down before
the next. So a process may end between any two of them, and another goes on where it was.

Belongs here: the desk, and what happens to a batch that has ended. Does not belong here: sending
(``batch_sending``), the rows (``batch_store``), what becomes of a line (``batch_outcomes``),
waiting (a sensor, or a webhook, calls).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from animatize_assets.errors import ProviderError
from animatize_assets.prompts.expansion.accounts import Accounts
from animatize_assets.prompts.expansion.batch_collecting import ENDED, collect, outcomes_of
from animatize_assets.prompts.expansion.batch_files import MAX_BYTES, MAX_LINES
from animatize_assets.prompts.expansion.batch_money import BatchMoney
from animatize_assets.prompts.expansion.batch_rows import (
    CANCEL_REQUESTED,
    BatchRow,
    Line,
    NewLine,
)
from animatize_assets.prompts.expansion.batch_sending import BatchSender
from animatize_assets.prompts.expansion.batch_store import BatchStore
from animatize_assets.prompts.expansion.failures import exchanging, whole
from animatize_assets.prompts.expansion.parameters import RefusedParameters, SqlRefusedParameters
from animatize_assets.prompts.expansion.text_models import TextModel

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

_ASKING = "Asking after a batch"
OPEN = ("writing", "uploaded", "creating", "submitted", "collected")
"""States of a batch that has not ended."""

EXCHANGE_S = 300.0
"""A file of 200 MB takes some minutes to send."""


def open_client(api_key: SecretStr, base_url: str | None) -> OpenAI:
    """Open the client that a desk works with; nothing is retried but by the next step."""
    import openai

    return openai.OpenAI(
        api_key=api_key.get_secret_value(),
        base_url=base_url,
        timeout=EXCHANGE_S,
        max_retries=0,
    )


@dataclass(frozen=True)
class PollResult:
    """What a poll found."""

    finished: tuple[Line, ...] = ()
    """Lines that this poll found done, or failed for good. A hint: a process may end after writing
    them down, so whoever needs an answer asks for it with ``results``."""
    open_batches: tuple[str, ...] = ()
    """Keys of batches that OpenAI works on still."""
    notes: tuple[str, ...] = ()
    """What a person should know: answers that nobody asked for, a batch that failed."""


class BatchDesk:
    """Takes questions in, sends them as batches and hands answers out. Never waits.

    ``models``: those that may be asked, by name, with their prices. ``refused``: what models turned
    down. ``max_lines``, ``max_bytes``: of one batch; fewer where an account may have less waiting.
    Safe to use from several processes at once.
    """

    def __init__(
        self,
        engine: Engine,
        client: OpenAI,
        accounts: Accounts,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        models: Mapping[str, TextModel] | None = None,
        refused: RefusedParameters | None = None,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._store = BatchStore(engine, clock, max_lines, max_bytes)
        self._client = client
        self._refused = refused or SqlRefusedParameters(engine, clock)
        self._money = BatchMoney(accounts, models or {})
        self._sender = BatchSender(self._store, client, self._money, self._refused)

    def enqueue(self, lines: Sequence[NewLine]) -> int:
        """Add questions that were never asked; return how many those are."""
        return self._store.enqueue(lines)

    def retry_failed(self, fingerprints: Sequence[str]) -> int:
        """Let questions that failed for good wait again; return how many."""
        return self._store.retry_failed(fingerprints)

    def results(self, fingerprint: str) -> Line | None:
        """Return what became of a question; None when it was never put in."""
        return self._store.line(fingerprint)

    def counts(self) -> dict[str, int]:
        """Return how many lines are in each state."""
        return self._store.counts()

    def submit_waiting(self) -> list[BatchRow]:
        """Send everything that waits, and what an ended process left halfway.

        A batch that cannot be sent now keeps its lines and says why in ``error``; the next call
        tries again. Returns the batches that were touched, as they stand.
        """
        touched = [batch.batch_key for batch in self._store.batches("writing", "uploaded")]
        touched += [batch.batch_key for batch in self._store.batches("creating")]
        for key in touched:
            self._sender.send(key)
        while (formed := self._store.form()) is not None:
            touched.append(formed)
            self._sender.send(formed)
        return [self._store.batch(key) for key in touched]

    def poll(self) -> PollResult:
        """Ask once after each batch that is under way."""
        finished: list[Line] = []
        notes: list[str] = []
        for batch in self._store.batches("submitted", "collected"):
            found = self._poll(batch)
            finished += found.finished
            notes += found.notes
        still = tuple(batch.batch_key for batch in self._store.batches("submitted", "collected"))
        return PollResult(tuple(finished), still, tuple(notes))

    def poll_one(self, remote_id: str) -> PollResult:
        """Ask once after the batch that OpenAI calls ``remote_id``.

        Nothing happens when it has ended before, or is none of ours.
        """
        batch = self._store.batch_of_remote(remote_id)
        if batch is None:
            return PollResult(notes=(f"Batch {remote_id} is none of ours, or not noted yet.",))
        if batch.state not in ("submitted", "collected"):
            return PollResult()
        return self._poll(batch)

    def cancel(self, batch_key: str) -> BatchRow:
        """Cancel a batch. What it has answered by then is kept; the rest is not asked again.

        Raises:
            LookupError: there is no such batch.
            ProviderError: OpenAI could not be told now; the next poll tells it.

        """
        batch = self._store.batch(batch_key)
        if batch.state not in OPEN:
            return batch
        self._store.note(batch, CANCEL_REQUESTED)
        if batch.state in ("writing", "uploaded"):
            self._sender.dissolve(batch, "cancelled", "batch_cancelled")
        elif batch.state == "submitted":
            with exchanging("Cancelling a batch"):
                self._cancel(batch)
        return self._store.batch(batch_key)

    def _cancel(self, batch: BatchRow) -> None:
        import openai

        try:
            self._client.batches.cancel(batch.remote_id or "")
        except openai.ConflictError:
            _log.info("Batch %s has ended before it could be cancelled.", batch.batch_key)

    def _poll(self, batch: BatchRow) -> PollResult:
        from openai.types import Batch

        try:
            with exchanging(_ASKING):
                remote = whole(self._client.batches.retrieve(batch.remote_id or ""), Batch, _ASKING)
                if remote.status not in ENDED:
                    if batch.cancel_requested and remote.status != "cancelling":
                        self._cancel(batch)
                    self._store.note(batch, None)
                    return PollResult(open_batches=(batch.batch_key,))
                found = self._collect(batch, remote) if batch.state == "submitted" else PollResult()
        except ProviderError as error:
            self._store.note(batch, error.message)
            return PollResult(open_batches=(batch.batch_key,), notes=(error.message,))
        self._settle(self._store.batch(batch.batch_key), remote)
        return found

    def _collect(self, batch: BatchRow, remote: Batch) -> PollResult:
        lines = self._store.lines_of(batch)
        collected = collect(self._client, remote, lines)
        outcomes = outcomes_of(
            collected,
            lines,
            self._money.model,
            self._refused.of(batch.model),
            give_up=batch.cancel_requested,
        )
        for line in lines:
            parameter = outcomes[line.custom_id].refused_parameter
            if parameter is not None:
                self._refused.remember(line.model, parameter)
        values: dict[str, Any] = {
            "output_file_id": remote.output_file_id,
            "error_file_id": remote.error_file_id,
        }
        if collected.notes and not batch.cancel_requested:
            values["error"] = "; ".join(collected.notes)
        if not self._store.close(batch, "collected", outcomes, **values):
            return PollResult()  # another process was faster
        return PollResult(tuple(self._store.ended_lines_of(batch)), (), collected.notes)

    def _settle(self, batch: BatchRow, remote: Batch) -> None:
        if batch.state != "collected":
            return
        if remote.status == "failed":
            self._money.close_unpaid(batch)
        else:
            self._money.settle(batch, remote, self._store.answered(batch))
        self._store.advance(batch, remote.status, finished_at=self._store.now())
