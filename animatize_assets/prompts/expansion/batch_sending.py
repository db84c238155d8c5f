"""From waiting lines to a batch that OpenAI works on, step by step, none of them paid twice.

An upload that was forgotten is made again (it is free). Creating is what is paid for: only one
process may do it at a time, and where one died over it the batch is looked for first.

Belongs here: these steps and what follows when one fails. Does not belong here: the rows
(``batch_store``), what comes back (``batches``).
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind

from animatize_assets.errors import BudgetExceeded, ProviderError
from animatize_assets.prompts.expansion.batch_files import ENDPOINT, line_bytes
from animatize_assets.prompts.expansion.batch_money import BatchMoney
from animatize_assets.prompts.expansion.batch_outcomes import LineOutcome
from animatize_assets.prompts.expansion.batch_rows import BatchRow
from animatize_assets.prompts.expansion.batch_store import BatchStore
from animatize_assets.prompts.expansion.failures import exchanging, malformed, whole
from animatize_assets.prompts.expansion.parameters import RefusedParameters
from animatize_assets.telemetry.tracing import BATCH_KEY, TRACEPARENT, current_traceparent, span

if TYPE_CHECKING:
    from openai import OpenAI

_log = logging.getLogger(__name__)

_WHAT = "Sending a batch"
METADATA_KEY = "animatize_batch"
"""Under which our key travels with a batch, so that we know it again."""

MOST_LINKS = 128
"""Of one span, by the SDK's own limit."""

CLAIM = timedelta(minutes=10)
"""After that a process that was creating a batch is taken for dead: longer than any exchange, and
than it takes for a new batch to be listed."""


class BatchSender:
    """Takes batches from ``writing`` to ``submitted``."""

    def __init__(
        self, store: BatchStore, client: OpenAI, money: BatchMoney, refused: RefusedParameters
    ) -> None:
        self._store = store
        self._client = client
        self._money = money
        self._refused = refused

    def send(self, key: str) -> None:
        """Do the steps that a batch still needs; one that fails is noted in its ``error``."""
        try:
            with exchanging(_WHAT):
                batch = self._store.batch(key)
                if batch.state == "writing":
                    self._upload(batch)
                    batch = self._store.batch(key)
                if batch.state in ("uploaded", "creating"):
                    self._create(batch)
        except ProviderError as failure:
            self._not_sent(self._store.batch(key), failure)
        except BudgetExceeded as error:
            batch = self._store.batch(key)
            self._store.advance(batch, "uploaded")
            self._store.note(batch, error.message)

    def dissolve(self, batch: BatchRow, state: str, failure: str, error: str | None = None) -> None:
        """End a batch that OpenAI never had. Nothing was paid."""
        outcomes = {
            line.custom_id: LineOutcome("failed", failure=failure)
            for line in self._store.lines_of(batch)
        }
        self._money.close_unpaid(batch)
        values = {"error": error} if error is not None else {}
        self._store.close(batch, state, outcomes, finished_at=self._store.now(), **values)

    def _upload(self, batch: BatchRow) -> None:
        content = b"".join(line_bytes(name, body) for name, body in self._sendable(batch).items())
        from openai.types import FileObject

        file = self._client.files.create(
            file=(f"animatize-{batch.batch_key}.jsonl", content, "application/jsonl"),
            purpose="batch",
        )
        file_id = whole(file, FileObject, _WHAT).id
        self._store.advance(batch, "uploaded", input_file_id=file_id)

    def _sendable(self, batch: BatchRow) -> dict[str, dict[str, Any]]:
        """Return the bodies by custom id, without what the model turned down before."""
        refused = self._refused.of(batch.model)
        return {
            line.custom_id: {
                name: value for name, value in line.body.items() if name not in refused
            }
            for line in self._store.lines_of(batch)
        }

    def _create(self, batch: BatchRow) -> None:
        from openai.types import Batch

        was_claimed = batch.state == "creating"
        if not self._store.claim(batch, CLAIM):
            return
        batch = self._store.batch(batch.batch_key)
        call_id = self._money.open(batch, list(self._sendable(batch).values()))
        # A process that died here may have created it without our knowing.
        remote_id = listed(self._client, batch.batch_key) if was_claimed else None
        if remote_id is None and batch.cancel_requested:
            self.dissolve(batch, "cancelled", "batch_cancelled")
            return
        if remote_id is None:
            asked_in = [line.traceparent for line in self._store.lines_of(batch)]
            with span(
                f"create batch {batch.model}",
                {BATCH_KEY: batch.batch_key},
                kind=SpanKind.PRODUCER,
                links=asked_in[:MOST_LINKS],
            ):
                made = self._client.batches.create(
                    input_file_id=batch.input_file_id or "",
                    endpoint=ENDPOINT,
                    completion_window="24h",
                    metadata=metadata_of(batch.batch_key),
                )
            remote_id = whole(made, Batch, _WHAT).id
        now = self._store.now()
        self._money.note_remote(call_id, remote_id)
        self._store.note(batch, None)
        self._store.advance(
            batch, "submitted", remote_id=remote_id, submitted_at=now, checked_at=now
        )

    def _not_sent(self, batch: BatchRow, failure: ProviderError) -> None:
        """Put a batch back to where it can be taken up again, or give it up."""
        import openai

        error = failure.__cause__
        _log.warning("Batch %s was not sent: %s", batch.batch_key, failure.message)
        if batch.state == "creating" and isinstance(error, openai.APIStatusError):
            status = error.status_code
            if status == 404:  # the uploaded file is gone
                self._store.advance(batch, "writing", input_file_id=None)
            elif failure.kind == "invalid_request":
                self.dissolve(batch, "failed", "invalid_request", failure.message)
                return
            elif status < 500:
                self._store.advance(batch, "uploaded")
            # After a 5xx or a lost answer it may exist: it stays claimed, and is looked for.
        elif batch.state == "creating" and failure.kind == "transient":
            self._store.advance(batch, "uploaded")
        self._store.note(self._store.batch(batch.batch_key), failure.message)


def listed(client: OpenAI, batch_key: str) -> str | None:
    """Return what OpenAI calls the batch with our key; None when it has none.

    The raw pages are read: an answer that is no list says nothing of what there is, and creating
    the batch then could be paying twice.

    Raises:
        openai.OpenAIError: it could not be asked now.
        ProviderError: what came is no list.
    """
    import openai

    after: str | openai.Omit = openai.omit
    while True:
        raw = client.batches.with_raw_response.list(limit=100, after=after)
        page = json.loads(raw.content)
        items = page.get("data") if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise malformed(_WHAT)
        for item in items:
            if (item.get("metadata") or {}).get(METADATA_KEY) == batch_key:
                return str(item["id"])
        if not page.get("has_more") or not items:
            return None
        after = str(items[-1]["id"])


def metadata_of(batch_key: str) -> dict[str, str]:
    """Return what travels with a batch: our key, and the trace in which it is created."""
    traceparent = current_traceparent()
    traced = {} if traceparent is None else {TRACEPARENT: traceparent}
    return {METADATA_KEY: batch_key, **traced}
