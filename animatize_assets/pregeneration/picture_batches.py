"""Pictures asked of OpenAI in batches, at its batch price; none of them is paid for twice.

The members of a batch, then its row in the ledger, are written down before it is created. Where a
process died in between, the batch is looked for at OpenAI by the key that travels with it: it is
gone on with, or its pictures are planned again. A batch moves on at OpenAI by itself, for up to a
day; nobody waits for it.

Belongs here: these steps. Does not belong here: the rows (``pregenerated``), what a line asks
(``generation.openai_pictures``), when a batch is sent (``night``).
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from animatize_assets.errors import BudgetExceeded, ProviderError
from animatize_assets.generation.accounting import PlannedCall
from animatize_assets.generation.catalogue import ProviderModel, cost_of
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.models import MadePicture
from animatize_assets.generation.money import to_usd
from animatize_assets.generation.openai_pictures import BatchLine, OpenAIPictures, usage_of
from animatize_assets.generation.picture_call import list_in, part_of, picture_bytes
from animatize_assets.generation.sourcing import PictureOrder, structured_key
from animatize_assets.generation.verification import verify_against
from animatize_assets.pregeneration.pregenerated import (
    AskedPicture,
    BatchOfPictures,
    PictureRow,
    PregeneratedPictures,
)
from animatize_assets.prompts.expansion.batch_collecting import ENDED, fetched
from animatize_assets.prompts.expansion.batch_sending import CLAIM, listed, metadata_of
from animatize_assets.prompts.expansion.failures import exchanging, whole
from animatize_assets.prompts.expansion.schema import as_bytes

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch

_log = logging.getLogger(__name__)

MOST_LINES = 50
"""Of one batch: its answers are a file of base64 that is read as a whole, of about 3 MB a picture
of 1280x720 px. Own choice."""

MOST_BYTES = 100_000_000
"""Of one input file: half of OpenAI's limit, which leaves room in memory."""

PURPOSE = "batch"
"""Of the ledger's rows, one for each batch."""

_SENDING, _ASKING = "Sending a batch of pictures", "Asking after a batch of pictures"

Keep = Callable[[PictureRow, AskedPicture, MadePicture], bool]
"""Keeps a picture; False when one is kept already, which stays."""


@dataclass(frozen=True)
class _Member:
    row: PictureRow
    asked: AskedPicture
    line: BatchLine
    content: bytes
    """The line as it stands in the file."""


class PictureBatches:
    """Sends and collects the batches of one model."""

    def __init__(
        self,
        rows: PregeneratedPictures,
        client: OpenAI,
        provider: OpenAIPictures,
        model: ProviderModel,
        *,
        ledger: SqlLedger,
        keep: Keep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._rows = rows
        self._client = client
        self._provider = provider
        self._model = model
        self._ledger = ledger
        self._keep = keep
        self._clock = clock

    def send(
        self,
        ordered: Iterable[tuple[PictureRow, PictureOrder]],
        *,
        run_id: str | None = None,
    ) -> int:
        """Send pictures in as many batches as they need; how many were sent.

        ``ordered`` is drawn from as it is sent: when it ends early, the rest stays planned.

        Raises:
            BudgetExceeded: the next batch could pass a limit; its pictures stay planned.
            ProviderError: OpenAI could not be asked. What may have been created is looked for by
                the next :meth:`resume`.
        """
        sent = 0
        for members in _packed(self._member(row, order) for row, order in ordered):
            self._send(members, run_id)
            sent += len(members)
        return sent

    def resume(self) -> None:
        """Go on with batches of which it is not known whether they were created.

        Raises:
            ProviderError: OpenAI could not be asked.
        """
        for batch in self._rows.batches("creating"):
            with exchanging(_SENDING):
                remote_id = listed(self._client, batch.batch_key)
            if remote_id is not None:
                self._submitted(batch, remote_id, self._open_call(batch))
            elif self._clock() - batch.created_at > CLAIM:
                if (call_id := self._open_call(batch)) is not None:
                    self._ledger.fail(call_id, kind="transient", billed_usd=0.0)
                self._rows.dissolve(batch, "OpenAI never had it.")

    def collect(self) -> tuple[int, int]:
        """Take what batches brought that have ended.

        Returns how many pictures came, and how many batches are under way still.

        Raises:
            ProviderError: OpenAI could not be asked; what was taken is kept.
            StorageFailed: a picture could not be kept; its batch is collected again.
        """
        from openai.types import Batch

        came = under_way = 0
        for batch in self._rows.batches("submitted"):
            with exchanging(_ASKING):
                remote = self._client.batches.retrieve(batch.remote_id or "")
                remote = whole(remote, Batch, _ASKING)
                if remote.status not in ENDED:
                    under_way += 1
                    continue
                came += self._collect(batch, remote)
        return came, under_way

    def _member(self, row: PictureRow, order: PictureOrder) -> _Member:
        request = order.request
        line = self._provider.batch_line(request)
        asked = AskedPicture(
            structured_key=structured_key(order.structured),
            text=request.prompt.positive,
            width=request.width,
            height=request.height,
            source_spread=float(request.source.std()),
            remembered=line.remembered,
        )
        content = as_bytes(
            {
                "custom_id": row.fingerprint,
                "method": "POST",
                "url": line.endpoint,
                "body": line.body,
            }
        )
        return _Member(row, asked, line, content)

    def _send(self, members: Sequence[_Member], run_id: str | None) -> None:
        from openai.types import Batch, FileObject

        endpoint = members[0].line.endpoint
        batch = self._rows.begin_batch(
            self._model.model, endpoint, [(each.row, each.asked) for each in members]
        )
        try:
            call_id = self._ledger.open_call(
                PlannedCall(
                    provider=self._provider.name,
                    model=self._model.model,
                    fingerprint=batch.batch_key,
                    expected_usd=to_usd(sum(each.row.expected_nanousd for each in members)),
                    run_id=run_id,
                    purpose=PURPOSE,
                )
            )
        except BudgetExceeded as error:
            self._rows.dissolve(batch, error.message)
            raise
        self._rows.note_batch(batch, call_id=call_id)
        try:
            with exchanging(_SENDING):
                content = b"\n".join([*(each.content for each in members), b""])
                name = f"animatize-{batch.batch_key}.jsonl"
                file = whole(
                    self._client.files.create(
                        file=(name, content, "application/jsonl"), purpose="batch"
                    ),
                    FileObject,
                    _SENDING,
                )
                made = self._client.batches.create(
                    input_file_id=file.id,
                    endpoint=endpoint,
                    completion_window="24h",
                    metadata=metadata_of(batch.batch_key),
                )
                remote_id = whole(made, Batch, _SENDING).id
        except ProviderError as error:
            self._not_sent(batch, call_id, error)
            raise
        self._submitted(batch, remote_id, call_id)

    def _open_call(self, batch: BatchOfPictures) -> str | None:
        """Return the batch's row in the ledger, which a process may have had no time to note."""
        rows = self._ledger.open_rows(purpose=PURPOSE)
        return next((row.call_id for row in rows if row.fingerprint == batch.batch_key), None)

    def _not_sent(self, batch: BatchOfPictures, call_id: str, error: ProviderError) -> None:
        """Free the pictures, unless the batch may have been created all the same."""
        self._rows.note_batch(batch, error=error.message)
        if error.billed_usd is None or error.kind == "transient":
            return
        self._ledger.fail(call_id, kind=error.kind, billed_usd=0.0)
        self._rows.dissolve(batch, error.message)

    def _submitted(self, batch: BatchOfPictures, remote_id: str, call_id: str | None) -> None:
        if call_id is not None:
            self._ledger.note_remote(call_id, remote_id, {"batch_id": remote_id})
        self._rows.note_batch(
            batch, state="submitted", remote_id=remote_id, call_id=call_id, error=None
        )

    def _collect(self, batch: BatchOfPictures, remote: Batch) -> int:
        waiting = {row.fingerprint: row for row in self._rows.pictures("submitted", batch=batch)}
        came = 0
        for name in (remote.output_file_id, remote.error_file_id):
            if name is None or not waiting:
                continue
            for fingerprint, answer in _answers(fetched(self._client, name)):
                row = waiting.pop(fingerprint, None)
                if row is not None and row.asked is not None:
                    came += self._take(row, row.asked, answer)
        for row in waiting.values():
            if remote.status == "completed":
                # executed, billed and in no file: nobody can tell what it cost
                self._rows.failed(row, "The batch came back without it.", cost_usd=None)
            else:
                self._rows.drop([row], f"Its batch has {remote.status}; it was not tried.")
        self._settle(batch, remote)
        return came

    def _take(self, row: PictureRow, asked: AskedPicture, answer: Mapping[str, Any]) -> bool:
        """Keep the picture of one line; whether there is one."""
        response = answer.get("response")
        if not isinstance(response, dict):
            self._rows.drop([row], "Its batch ended before it was tried.")
            return False
        body = response.get("body")
        if not isinstance(body, dict) or not list_in(body, "data"):
            self._rows.failed(row, _why_not(answer))
            return False
        usage = usage_of(body)
        cost = cost_of(self._model, usage, batch=True)
        try:
            made = asked.remembered.made(
                picture_bytes(list_in(body, "data")[0].get("b64_json")),
                remote_id=str(answer.get("id") or ""),
                cost_usd=cost,
                usage=usage,
            )
            spread = asked.source_spread
            verify_against(made, (asked.width, asked.height), source_spread=lambda: spread)
        except ProviderError as error:
            self._rows.failed(row, error.message, cost_usd=cost)
            return False
        by_day = cost_of(self._model, usage)
        note = self._rows.ready if self._keep(row, asked, made) else self._rows.late
        note(row, cost_usd=cost, by_day_usd=by_day)
        return True

    def _settle(self, batch: BatchOfPictures, remote: Batch) -> None:
        """Close the ledger's row with what all pictures cost, and the batch with it."""
        cost = self._rows.cost_nanousd(batch)
        if batch.call_id is not None:
            if remote.status == "failed":  # the input file was turned down: nothing was executed
                self._ledger.fail(batch.call_id, kind="invalid_request", billed_usd=0.0)
            else:
                cost_usd = None if cost is None else to_usd(cost)
                self._ledger.settle(batch.call_id, cost_usd=cost_usd, usage=None)
        problem = _problem_of(remote)
        if problem is not None:
            _log.warning("Batch %s was turned down: %s", batch.batch_key, problem)
        self._rows.end_batch(batch, problem)


def _packed(members: Iterator[_Member]) -> Iterator[list[_Member]]:
    """Put members together as they come, those of one endpoint with each other."""
    waiting: defaultdict[str, list[_Member]] = defaultdict(list)
    for member in members:
        pack = waiting[member.line.endpoint]
        size = sum(len(each.content) for each in pack) + len(member.content)
        if pack and (len(pack) == MOST_LINES or size > MOST_BYTES):
            yield waiting.pop(member.line.endpoint)
        waiting[member.line.endpoint].append(member)
    yield from waiting.values()


def _answers(content: bytes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the lines of a file by what they answer; what is no line of it is passed over."""
    for text in content.split(b"\n"):
        try:
            line = json.loads(text) if text.strip() else None
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("custom_id"), str):
            yield line["custom_id"], line


def _why_not(answer: Mapping[str, Any]) -> str:
    """Say why a line has no picture; by its codes, never by a message that may repeat a prompt."""
    response = part_of(answer, "response")
    status = response.get("status_code")
    code = part_of(part_of(response, "body"), "error").get("code")
    told = [f"HTTP {status}"] if isinstance(status, int) else []
    told += [code] if isinstance(code, str) else []
    return f"OpenAI made no picture ({', '.join(told) or 'no reason given'})."


def _problem_of(remote: Batch) -> str | None:
    if remote.status != "failed":
        return None
    problems = (remote.errors.data or []) if remote.errors else []
    codes = sorted({problem.code or "no code" for problem in problems})
    return f"OpenAI turned the batch down ({', '.join(codes) or 'no reason'})."
