"""What is kept of batches and lines, as records.

Belongs here: the records, from rows and to rows. Does not belong here: queries (``batch_store``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from animatize_assets.prompts.expansion.answers import TextAnswer
from animatize_assets.prompts.expansion.schema import as_bytes

if TYPE_CHECKING:
    from sqlalchemy import Row

CANCEL_REQUESTED = "cancel_requested"
"""Stands in a batch's ``error`` once a person cancelled it; nothing overwrites it."""


@dataclass(frozen=True)
class NewLine:
    """A question for a batch."""

    fingerprint: str
    """Of the question; its ``custom_id`` too, so that the same question is never asked twice."""
    image_key: str
    body: Mapping[str, Any]
    traceparent: str | None = None
    """W3C: the image's trace, in which it is asked; None: nothing is traced."""


@dataclass(frozen=True)
class Line:
    """A line as it stands. Costs are US dollars; None = not known, or nothing was answered."""

    custom_id: str
    fingerprint: str
    image_key: str
    model: str
    body: dict[str, Any]
    state: str
    submissions: int
    answer: TextAnswer | None
    failure: str | None
    traceparent: str | None = None
    """W3C: the span in which it was asked."""


@dataclass(frozen=True)
class BatchRow:
    """A batch as it stands."""

    row_id: int
    batch_key: str
    model: str
    state: str
    input_file_id: str | None
    remote_id: str | None
    error: str | None
    created_at: datetime

    @property
    def cancel_requested(self) -> bool:
        """Whether a person cancelled it."""
        return self.error == CANCEL_REQUESTED


def values_of(line: NewLine, now: datetime) -> dict[str, Any]:
    """Return the columns of a new line."""
    return {
        "custom_id": line.fingerprint,
        "image_key": line.image_key,
        "fingerprint": line.fingerprint,
        "model": str(line.body["model"]),
        "body": as_bytes(line.body).decode(),
        "state": "waiting",
        "submissions": 0,
        "traceparent": line.traceparent,
        "created_at": now,
    }


def batch_of(row: Row[Any]) -> BatchRow:
    """Return the batch of a row."""
    return BatchRow(
        row_id=row.id,
        batch_key=row.batch_key,
        model=row.model,
        state=row.state,
        input_file_id=row.input_file_id,
        remote_id=row.remote_id,
        error=row.error,
        created_at=row.created_at,
    )


def line_of(row: Row[Any]) -> Line:
    """Return the line of a row."""
    return Line(
        custom_id=row.custom_id,
        fingerprint=row.fingerprint,
        image_key=row.image_key,
        model=row.model,
        body=json.loads(row.body),
        state=row.state,
        submissions=row.submissions,
        answer=None if row.result is None else TextAnswer.model_validate_json(row.result),
        failure=row.failure,
        traceparent=row.traceparent,
    )
