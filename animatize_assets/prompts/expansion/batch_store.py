"""Batches and their lines in the database. Each method is one transaction, durable when it returns.

A batch's states: ``writing`` (its lines are chosen), ``uploaded`` (its file is there), ``creating``
(one process is about to create it, or died doing so), ``submitted``, ``collected`` (its answers are
kept, its cost not yet settled), then how it ended: ``completed``, ``failed``, ``expired``,
``cancelled``. A line's: ``waiting``, ``submitted``, ``done``, ``failed``.

Belongs here: queries on the two tables. Does not belong here: what follows from what (``batches``,
``batch_outcomes``), connections to OpenAI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update

from animatize_assets.database.tables import expansion_batches, expansion_lines
from animatize_assets.prompts.expansion.answers import TextAnswer
from animatize_assets.prompts.expansion.batch_files import MAX_BYTES, MAX_LINES, line_bytes
from animatize_assets.prompts.expansion.batch_outcomes import LineOutcome
from animatize_assets.prompts.expansion.batch_rows import (
    CANCEL_REQUESTED,
    BatchRow,
    Line,
    NewLine,
    batch_of,
    line_of,
    values_of,
)

__all__ = ["BatchRow", "BatchStore", "Line", "NewLine"]

NANO = 1_000_000_000
_OUTCOME = ("state", "failure", "finished_at", "result", "cost_nanousd")
_AT_ONCE = 500  # ids in one statement: below every database's limit of parameters

_batches = expansion_batches.c
_lines = expansion_lines.c


class BatchStore:
    """The two tables, in a database at the newest revision. ``clock`` tells the time, with zone."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._max_lines = max_lines
        self._max_bytes = max_bytes

    def enqueue(self, lines: Sequence[NewLine]) -> int:
        """Add the questions that are not there yet, whatever became of those; return how many."""
        new = {line.fingerprint: line for line in lines}
        with self._writing() as connection:
            for names in _portions(list(new)):
                query = select(_lines.custom_id).where(_lines.custom_id.in_(names))
                for known in list(connection.scalars(query)):
                    del new[known]
            if new:
                now = self.now()
                rows = [values_of(line, now) for line in new.values()]
                connection.execute(insert(expansion_lines), rows)
        return len(new)

    def retry_failed(self, fingerprints: Sequence[str]) -> int:
        """Let lines that failed wait again, as if never submitted; return how many."""
        count = 0
        with self._writing() as connection:
            for names in _portions(list(fingerprints)):
                changed = connection.execute(
                    update(expansion_lines)
                    .where(_lines.custom_id.in_(names), _lines.state == "failed")
                    .values(state="waiting", submissions=0, failure=None, finished_at=None)
                )
                count += changed.rowcount
        return count

    def form(self) -> str | None:
        """Put the oldest waiting lines of one model into a new batch; return its key, if any."""
        with self._writing() as connection:
            query = select(_lines.model).where(_lines.state == "waiting").order_by(_lines.id)
            model = connection.scalar(query.limit(1))
            if model is None:
                return None
            last = self._last_that_fits(connection, model)
            key, now = str(uuid4()), self.now()
            batch_id = connection.execute(
                insert(expansion_batches).values(
                    batch_key=key, model=model, state="writing", created_at=now
                )
            ).inserted_primary_key
            connection.execute(
                update(expansion_lines)
                .where(_lines.state == "waiting", _lines.model == model, _lines.id <= last)
                .values(
                    batch_id=batch_id[0] if batch_id else None,
                    state="submitted",
                    submissions=_lines.submissions + 1,
                )
            )
        return key

    def batch(self, batch_key: str) -> BatchRow:
        """Return a batch.

        Raises:
            LookupError: there is none of this key.

        """
        found = self._batches_where(_batches.batch_key == batch_key)
        if not found:
            raise LookupError(f"There is no batch '{batch_key}'.")
        return found[0]

    def batch_of_remote(self, remote_id: str) -> BatchRow | None:
        """Return the batch that OpenAI calls ``remote_id``; None when it is none of ours."""
        return next(iter(self._batches_where(_batches.remote_id == remote_id)), None)

    def batches(self, *states: str) -> list[BatchRow]:
        """Return the batches in one of ``states``, oldest first."""
        return self._batches_where(_batches.state.in_(states))

    def lines_of(self, batch: BatchRow) -> list[Line]:
        """Return the lines that are submitted in a batch, in the order of its file."""
        return self._lines_where(batch, "submitted")

    def ended_lines_of(self, batch: BatchRow) -> list[Line]:
        """Return the lines that a batch answered, or let fail for good."""
        return self._lines_where(batch, "done", "failed")

    def line(self, fingerprint: str) -> Line | None:
        """Return the line of a question; None when it was never put into a batch."""
        query = select(expansion_lines).where(_lines.custom_id == fingerprint)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else line_of(row)

    def counts(self) -> dict[str, int]:
        """Return how many lines are in each state."""
        query = select(_lines.state, func.count()).group_by(_lines.state).order_by(_lines.state)
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def advance(self, batch: BatchRow, state: str, **values: Any) -> bool:
        """Move a batch on, if it is still where ``batch`` says; return whether it was."""
        with self._writing() as connection:
            changed = connection.execute(
                update(expansion_batches)
                .where(_batches.id == batch.row_id, _batches.state == batch.state)
                .values(state=state, **values)
            )
        return changed.rowcount == 1

    def claim(self, batch: BatchRow, lease: timedelta) -> bool:
        """Become the one process that may create this batch; return whether we are.

        A claim of another process holds for ``lease``: after that it is taken for dead.
        """
        now = self.now()
        free = _batches.state == "uploaded"
        if batch.state == "creating":
            free = (_batches.state == "creating") & (_batches.checked_at <= now - lease)
        with self._writing() as connection:
            changed = connection.execute(
                update(expansion_batches)
                .where(_batches.id == batch.row_id, free)
                .values(state="creating", checked_at=now)
            )
        return changed.rowcount == 1

    def note(self, batch: BatchRow, error: str | None) -> None:
        """Note what is wrong with a batch, and that it was looked at."""
        values: dict[str, Any] = {"error": error}
        if batch.state != "creating":  # there the time is the claim's
            values["checked_at"] = self.now()
        where = _batches.id == batch.row_id
        if error != CANCEL_REQUESTED:
            where &= _batches.error.is_(None) | (_batches.error != CANCEL_REQUESTED)
        with self._writing() as connection:
            connection.execute(update(expansion_batches).where(where).values(**values))

    def close(
        self,
        batch: BatchRow,
        state: str,
        outcomes: Mapping[str, LineOutcome],
        **values: Any,
    ) -> bool:
        """Write down what became of a batch's lines, if it is still where ``batch`` says."""
        now = self.now()
        with self._writing() as connection:
            changed = connection.execute(
                update(expansion_batches)
                .where(_batches.id == batch.row_id, _batches.state == batch.state)
                .values(state=state, checked_at=now, **values)
            )
            if changed.rowcount != 1:
                return False
            if outcomes:
                connection.execute(
                    update(expansion_lines)
                    .where(
                        _lines.custom_id == bindparam("name"),
                        _lines.batch_id == batch.row_id,
                        _lines.state == "submitted",
                    )
                    .values({name: bindparam(f"new_{name}") for name in _OUTCOME}),
                    [_outcome_values(name, each, now) for name, each in outcomes.items()],
                )
        return True

    def answered(self, batch: BatchRow) -> list[TextAnswer]:
        """Return the answers that a batch brought."""
        query = select(_lines.result).where(_lines.batch_id == batch.row_id, _lines.state == "done")
        with self._engine.connect() as connection:
            return [TextAnswer.model_validate_json(text) for text in connection.scalars(query)]

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self._clock().astimezone(UTC)

    def _batches_where(self, condition: Any) -> list[BatchRow]:
        query = select(expansion_batches).where(condition).order_by(_batches.id)
        with self._engine.connect() as connection:
            return [batch_of(row) for row in connection.execute(query)]

    def _last_that_fits(self, connection: Connection, model: str) -> int:
        """Return the id of the last waiting line that a file can hold with all before it."""
        query = (
            select(_lines.id, _lines.custom_id, func.length(_lines.body))
            .where(_lines.state == "waiting", _lines.model == model)
            .order_by(_lines.id)
            .limit(self._max_lines)
        )
        last, size = 0, 0
        for row_id, name, length in connection.execute(query):
            size += len(line_bytes(name, {})) + length
            if last and size > self._max_bytes:
                break
            last = row_id
        return last

    def _lines_where(self, batch: BatchRow, *states: str) -> list[Line]:
        query = (
            select(expansion_lines)
            .where(_lines.batch_id == batch.row_id, _lines.state.in_(states))
            .order_by(_lines.id)
        )
        with self._engine.connect() as connection:
            return [line_of(row) for row in connection.execute(query)]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                # A deferred transaction would read before it has the right to write.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()


def _portions(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]


def _outcome_values(name: str, outcome: LineOutcome, now: datetime) -> dict[str, Any]:
    answer = outcome.answer
    cost = None if answer is None else answer.cost_usd
    return {
        "name": name,
        "new_state": outcome.state,
        "new_failure": outcome.failure,
        "new_finished_at": None if outcome.state == "waiting" else now,
        "new_result": None if answer is None else answer.model_dump_json(),
        "new_cost_nanousd": None if cost is None else round(cost * NANO),
    }
