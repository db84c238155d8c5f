"""Rows about requests, paid calls and expansions that are too old to be asked about.

An open call stays whatever its age: it counts as possible spend until its outcome is known. So do
batches and questions that are not finished.

Belongs here: which rows go, in which transactions. Does not belong here: results (``result_store``
bounds itself), when and how old (``workplace.housekeeping``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Engine, Table, delete, select

from animatize_assets.database.tables import (
    expansion_batches,
    expansion_lines,
    generation_calls,
    generation_requests,
    pregenerated_pictures,
    pregeneration_batches,
)

AT_ONCE = 500
"""Rows deleted per transaction: no writer waits longer than a few hundredths of a second."""

_requests, _calls = generation_requests.c, generation_calls.c
_lines, _batches = expansion_lines.c, expansion_batches.c
_made, _made_batches = pregenerated_pictures.c, pregeneration_batches.c


@dataclass(frozen=True)
class DeletedRecords:
    """How many rows went."""

    requests: int
    calls: int
    expansions: int
    pregenerated: int


def delete_old_records(engine: Engine, *, before: datetime) -> DeletedRecords:
    """Delete what was asked, or closed, before ``before``.

    Safe to stop at any moment, and to run in several processes.

    Raises:
        SQLAlchemyError: the database could not be read or written.

    """
    limit = before.astimezone(UTC)
    requests = _delete(engine, generation_requests, [_requests.requested_at < limit])
    calls = _delete(engine, generation_calls, [_calls.state != "open", _calls.closed_at < limit])
    # A question outlives the batch that failed it, so finished ones go first, then empty batches.
    lines = _delete(engine, expansion_lines, [_lines.finished_at < limit])
    in_use = select(_lines.batch_id).where(_lines.batch_id.is_not(None))
    _delete(engine, expansion_batches, [_batches.finished_at < limit, _batches.id.not_in(in_use)])
    over = [_made.planned_at < limit, _made.state.in_(("ready", "failed", "dropped"))]
    pregenerated = _delete(engine, pregenerated_pictures, over)
    in_use = select(_made.batch_id).where(_made.batch_id.is_not(None))
    over = [_made_batches.finished_at < limit, _made_batches.id.not_in(in_use)]
    _delete(engine, pregeneration_batches, over)
    return DeletedRecords(requests, calls, lines, pregenerated)


def _delete(engine: Engine, table: Table, conditions: Sequence[ColumnElement[bool]]) -> int:
    batch = select(table.c.id).where(*conditions).order_by(table.c.id).limit(AT_ONCE)
    deleted = 0
    while True:
        with engine.begin() as connection:
            done = connection.execute(delete(table).where(table.c.id.in_(batch))).rowcount
        deleted += done
        if done < AT_ONCE:
            return deleted
