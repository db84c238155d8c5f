"""Many expansions as OpenAI batches, at half the price: one step after the other, none repeated.

Every step is one exchange with OpenAI or one transaction, and what is known is written down before
the next. So a process may end between any two of them, and another goes on where it was: an upload
that was forgotten is made again (it is free), a batch that may have been created is looked for
before it is created.

Belongs here: the steps. Does not belong here: the rows (``batch_store``), what becomes of a line
(``batch_outcomes``), waiting (a sensor, or a webhook, calls).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from animatize_assets.errors import BudgetExceeded, ProviderError
from animatize_assets.prompts.expansion.accounts import Accounts, Expense
from animatize_assets.prompts.expansion.batch_collecting import (
    ENDED,
    bill_of,
    collect,
    outcomes_of,
)
from animatize_assets.prompts.expansion.batch_files import (
    ENDPOINT,
    MAX_BYTES,
    MAX_LINES,
    line_bytes,
)
from animatize_assets.prompts.expansion.batch_outcomes import LineOutcome
from animatize_assets.prompts.expansion.batch_store import (
    CANCEL_REQUESTED,
    BatchRow,
    BatchStore,
    Line,
    NewLine,
)
from animatize_assets.prompts.expansion.failures import provider_error
from animatize_assets.prompts.expansion.parameters import RefusedParameters, SqlRefusedParameters
from animatize_assets.prompts.expansion.schema import as_bytes
from animatize_assets.prompts.expansion.text_models import BATCH_SHARE, TextModel, most_usd

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch
    from sqlalchemy import Engine

_log = logging.getLogger(__name__)

METADATA_KEY = "animatize_batch"
"""Under which our key travels with a batch, so that we know it again."""

OPEN = ("writing", "uploaded", "creating", "submitted", "collected")
"""States of a batch that has not ended."""

CLAIM = timedelta(minutes=10)
"""After that a process that was creating a batch is taken for dead: longer than any exchange, and
than it takes for a new batch to be listed."""

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
        self._accounts = accounts
        self._models = models or {}
        self._refused = refused or SqlRefusedParameters(engine, clock)

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
            self._submit(key)
        while (formed := self._store.form()) is not None:
            touched.append(formed)
            self._submit(formed)
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
        import openai

        batch = self._store.batch(batch_key)
        if batch.state not in OPEN:
            return batch
        self._store.note(batch, CANCEL_REQUESTED)
        if batch.state in ("writing", "uploaded"):
            self._dissolve(batch, "cancelled", "batch_cancelled")
        elif batch.state == "submitted":
            try:
                self._cancel(batch)
            except openai.OpenAIError as error:
                raise provider_error(error, "Cancelling a batch") from error
        return self._store.batch(batch_key)

    def _cancel(self, batch: BatchRow) -> None:
        import openai

        try:
            self._client.batches.cancel(batch.remote_id or "")
        except openai.ConflictError:
            _log.info("Batch %s has ended before it could be cancelled.", batch.batch_key)

    def _submit(self, key: str) -> None:
        import openai

        try:
            batch = self._store.batch(key)
            if batch.state == "writing":
                self._upload(batch)
                batch = self._store.batch(key)
            if batch.state in ("uploaded", "creating"):
                self._create(batch)
        except openai.OpenAIError as error:
            failure = provider_error(error, "Sending a batch")
            self._not_sent(self._store.batch(key), failure, error)
        except BudgetExceeded as error:
            batch = self._store.batch(key)
            self._store.advance(batch, "uploaded")
            self._store.note(batch, error.message)

    def _upload(self, batch: BatchRow) -> None:
        lines = self._store.lines_of(batch)
        content = b"".join(line_bytes(line.custom_id, self._sendable(line)) for line in lines)
        file = self._client.files.create(
            file=(f"animatize-{batch.batch_key}.jsonl", content, "application/jsonl"),
            purpose="batch",
        )
        self._store.advance(batch, "uploaded", input_file_id=file.id)

    def _sendable(self, line: Line) -> dict[str, Any]:
        refused = self._refused.of(line.model)
        return {name: value for name, value in line.body.items() if name not in refused}

    def _create(self, batch: BatchRow) -> None:
        was_claimed = batch.state == "creating"
        if not self._store.claim(batch, CLAIM):
            return
        batch = self._store.batch(batch.batch_key)
        call_id = self._account(batch)
        # A process that died here may have created it without our knowing.
        remote = self._listed(batch) if was_claimed else None
        if remote is None and batch.cancel_requested:
            self._dissolve(batch, "cancelled", "batch_cancelled")
            return
        if remote is None:
            remote = self._client.batches.create(
                input_file_id=batch.input_file_id or "",
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={METADATA_KEY: batch.batch_key},
            )
        now = self._store.now()
        self._store.note(batch, None)
        self._accounts.note_remote(call_id, remote.id, {"batch_id": remote.id})
        self._store.advance(
            batch, "submitted", remote_id=remote.id, submitted_at=now, checked_at=now
        )

    def _listed(self, batch: BatchRow) -> Batch | None:
        for remote in self._client.batches.list(limit=100):
            if (remote.metadata or {}).get(METADATA_KEY) == batch.batch_key:
                return remote
        return None

    def _account(self, batch: BatchRow) -> str:
        """Return the batch's row in the ledger, which an ended process may have opened."""
        known = self._open_account(batch)
        if known is not None:
            return known
        costs = [self._most_usd(line) for line in self._store.lines_of(batch)]
        expected = None if None in costs else sum(cost for cost in costs if cost is not None)
        return self._accounts.open_call(
            Expense(
                model=batch.model,
                fingerprint=batch.batch_key,
                expected_usd=expected,
                purpose="batch",
            )
        )

    def _open_account(self, batch: BatchRow) -> str | None:
        rows = self._accounts.open_rows(purpose="batch")
        return next((row.call_id for row in rows if row.fingerprint == batch.batch_key), None)

    def _most_usd(self, line: Line) -> float | None:
        body = self._sendable(line)
        most = most_usd(self._model(line.model), body, len(as_bytes(body)))
        return None if most is None else most * BATCH_SHARE

    def _model(self, name: str) -> TextModel:
        return self._models.get(name) or TextModel(name)

    def _not_sent(self, batch: BatchRow, failure: ProviderError, error: Exception) -> None:
        """Put a batch back to where it can be taken up again, or give it up."""
        import openai

        _log.warning("Batch %s was not sent: %s", batch.batch_key, failure.message)
        if batch.state == "creating" and isinstance(error, openai.APIStatusError):
            status = error.status_code
            if status == 404:  # the uploaded file is gone
                self._store.advance(batch, "writing", input_file_id=None)
            elif failure.kind == "invalid_request":
                self._dissolve(batch, "failed", "invalid_request", failure.message)
                return
            elif status < 500:
                self._store.advance(batch, "uploaded")
            # After a 5xx or a lost answer it may exist: it stays claimed, and is looked for.
        elif batch.state == "creating" and failure.kind == "transient":
            self._store.advance(batch, "uploaded")
        self._store.note(self._store.batch(batch.batch_key), failure.message)

    def _dissolve(
        self, batch: BatchRow, state: str, failure: str, error: str | None = None
    ) -> None:
        """End a batch that OpenAI never had. Nothing was paid."""
        outcomes = {
            line.custom_id: LineOutcome("failed", failure=failure)
            for line in self._store.lines_of(batch)
        }
        call_id = self._open_account(batch)
        if call_id is not None:
            self._accounts.fail(call_id, kind="invalid_request", billed_usd=0.0)
        values = {"error": error} if error is not None else {}
        self._store.close(batch, state, outcomes, finished_at=self._store.now(), **values)

    def _poll(self, batch: BatchRow) -> PollResult:
        import openai

        try:
            remote = self._client.batches.retrieve(batch.remote_id or "")
            if remote.status not in ENDED:
                if batch.cancel_requested and remote.status != "cancelling":
                    self._cancel(batch)
                self._store.note(batch, None)
                return PollResult(open_batches=(batch.batch_key,))
            found = self._collect(batch, remote) if batch.state == "submitted" else PollResult()
        except openai.OpenAIError as error:
            failure = provider_error(error, "Asking after a batch")
            self._store.note(batch, failure.message)
            return PollResult(open_batches=(batch.batch_key,), notes=(failure.message,))
        self._settle(self._store.batch(batch.batch_key), remote)
        return found

    def _collect(self, batch: BatchRow, remote: Batch) -> PollResult:
        lines = self._store.lines_of(batch)
        collected = collect(self._client, remote, lines)
        outcomes = outcomes_of(
            collected,
            lines,
            self._model,
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
        settled = [name for name, outcome in outcomes.items() if outcome.state != "waiting"]
        written = [self._store.line(name) for name in settled]
        finished = tuple(line for line in written if line is not None)
        return PollResult(finished, (), collected.notes)

    def _settle(self, batch: BatchRow, remote: Batch) -> None:
        if batch.state != "collected":
            return
        call_id = self._open_account(batch)
        if call_id is not None:
            if remote.status == "failed":
                self._accounts.fail(call_id, kind="invalid_request", billed_usd=0.0)
            else:
                bill = bill_of(remote, self._store.answered(batch), self._model(batch.model))
                self._accounts.settle(call_id, cost_usd=bill.cost_usd, usage=bill.usage)
        self._store.advance(batch, remote.status, finished_at=self._store.now())
