"""What follows for each line of a batch that has ended.

Belongs here: the decision, without a database or a connection. Does not belong here: reading the
files (``batch_files``), writing the decision down (``batch_store``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from animatize_assets.errors import ProviderError
from animatize_assets.prompts.expansion.answers import TextAnswer, read_answer
from animatize_assets.prompts.expansion.batch_files import LineAnswer
from animatize_assets.prompts.expansion.failures import kind_of
from animatize_assets.prompts.expansion.parameters import DROPPABLE
from animatize_assets.prompts.expansion.text_models import BATCH_SHARE, TextModel

MAX_SUBMISSIONS = 3
"""A line is given up after this many batches did not answer it; each day brings at most a few."""

PASSING_KINDS = frozenset({"transient", "rate_limited", "quota", "not_configured"})
"""Failures of a line that say nothing against the line itself: it goes into another batch."""


@dataclass(frozen=True)
class LineOutcome:
    """``done`` with an answer, ``waiting`` for another batch, or ``failed`` for good."""

    state: Literal["done", "waiting", "failed"]
    answer: TextAnswer | None = None
    failure: str | None = None
    """A kind of FAILURE_KINDS, ``batch_expired``, ``batch_cancelled``, ``missing``, ..."""
    refused_parameter: str | None = None
    """What the model turned down; the line waits to be sent without it."""


def outcome_of(
    said: LineAnswer | None,
    body: Mapping[str, Any],
    model_of: Callable[[str], TextModel],
    *,
    submissions: int,
    unanswered: str,
    give_up: bool = False,
) -> LineOutcome:
    """Decide what becomes of one line that was submitted ``submissions`` times.

    ``body``: of the line as it was sent. ``said``: None when the batch has no answer for it;
    ``unanswered`` names that. ``give_up``: the batch was cancelled by us, so nothing of it waits
    for another.
    """
    if said is None:
        return _again(unanswered, submissions, give_up=give_up)
    if said.completion is not None:
        return _answered(said.completion, body, model_of) or _again(
            "bad_output", submissions, give_up=give_up
        )
    if said.status is None or said.status == 200:
        code = said.error.get("code")
        return _again(str(code)[:24] if code else unanswered, submissions, give_up=give_up)
    kind = kind_of(said.status, said.error)
    parameter = said.error.get("param")
    refused = parameter if said.status == 400 and parameter in DROPPABLE & body.keys() else None
    if kind not in PASSING_KINDS and refused is None:
        return LineOutcome("failed", failure=kind)
    again = _again(kind, submissions, give_up=give_up)
    return LineOutcome(again.state, failure=kind, refused_parameter=refused)


def _answered(
    completion: Mapping[str, Any], body: Mapping[str, Any], model_of: Callable[[str], TextModel]
) -> LineOutcome | None:
    model = model_of(str(body["model"]))
    try:
        answer = read_answer(completion, model, body, share=BATCH_SHARE, batch=True)
    except ProviderError:
        return None
    return LineOutcome("done", answer=answer)


def _again(failure: str, submissions: int, *, give_up: bool) -> LineOutcome:
    final = give_up or submissions >= MAX_SUBMISSIONS
    return LineOutcome("failed" if final else "waiting", failure=failure)
