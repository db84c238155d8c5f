"""The two kinds of files of an OpenAI batch: what is asked, and what was answered.

Belongs here: their lines, limits and every way in which an answer may be damaged. Does not belong
here: sending files (``batches``), what follows for a line (``batch_outcomes``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from animatize_assets.prompts.expansion.schema import as_bytes

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
MAX_LINES = 50_000
MAX_BYTES = 200_000_000
"""Both are OpenAI's limits of an input file, which holds lines of one model."""


def line_bytes(custom_id: str, body: Mapping[str, Any]) -> bytes:
    """Return one line of an input file, its end included."""
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return as_bytes(line) + b"\n"


@dataclass(frozen=True)
class LineAnswer:
    """What a batch says of one line: a completion, or an HTTP failure, or that it was not tried."""

    custom_id: str
    completion: Mapping[str, Any] | None = None
    status: int | None = None
    error: Mapping[str, Any] = field(default_factory=dict)
    """The ``error`` object of a failure; its ``code`` and ``param`` matter, never its message."""


@dataclass
class ReadFile:
    """The usable lines of a batch's answers, by custom id, and what was odd."""

    answers: dict[str, LineAnswer] = field(default_factory=dict)
    duplicates: int = 0
    damaged: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what was odd, in clauses."""
        said = ((self.duplicates, "answered twice"), (self.damaged, "not to be read"))
        return tuple(f"{count} lines were {what}" for count, what in said if count)


def read_answers(contents: Iterable[bytes]) -> ReadFile:
    """Read the answers in the files' ``contents``, in any order.

    Of two answers to one line a completion wins over a failure, and else the first.
    """
    found = ReadFile()
    for content in contents:
        # Only line feeds end a line: JSON strings may hold other separators as they are.
        for text in content.split(b"\n"):
            if text.strip():
                _take(found, text)
    return found


def _take(found: ReadFile, text: bytes) -> None:
    answer = _answer(text)
    if answer is None:
        found.damaged += 1
        return
    known = found.answers.get(answer.custom_id)
    if known is not None:
        found.duplicates += 1
        if known.completion is not None or answer.completion is None:
            return
    found.answers[answer.custom_id] = answer


def _answer(text: bytes) -> LineAnswer | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    name = line.get("custom_id") if isinstance(line, dict) else None
    if not isinstance(name, str):
        return None
    response, error = line.get("response"), line.get("error")
    if not isinstance(response, dict):
        return LineAnswer(name, error=error if isinstance(error, dict) else {})
    status, body = response.get("status_code"), response.get("body")
    status = status if isinstance(status, int) else None
    body = body if isinstance(body, dict) else {}
    if status == 200 and isinstance(body.get("choices"), list):
        return LineAnswer(name, completion=body, status=status)
    told = body.get("error")
    return LineAnswer(name, status=status, error=told if isinstance(told, dict) else {})
