"""What a batch that has ended brings, and what it cost.

Belongs here: fetching its files, matching answers to lines, its bill. Does not belong here: writing
any of it down (``batches``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from animatize_assets.prompts.expansion.answers import TextAnswer
from animatize_assets.prompts.expansion.batch_files import ReadFile, read_answers
from animatize_assets.prompts.expansion.batch_outcomes import LineOutcome, outcome_of
from animatize_assets.prompts.expansion.batch_store import Line
from animatize_assets.prompts.expansion.text_models import (
    BATCH_SHARE,
    TextModel,
    TextUsage,
    cost_usd,
    usage_of,
)

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
"""States that a batch does not leave. ``failed``: its input file was turned down as a whole."""


@dataclass(frozen=True)
class Collected:
    """The answers of one batch."""

    found: ReadFile
    unanswered: str
    """Why a line without an answer has none."""
    turned_down: frozenset[str]
    """Custom ids of lines for which the whole input file was turned down."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Bill:
    """What a batch cost, US dollars; None when that is not known."""

    cost_usd: float | None
    usage: TextUsage | None


def collect(client: OpenAI, remote: Batch, lines: Sequence[Line]) -> Collected:
    """Fetch what a batch answered. ``lines``: those of its file, in the file's order.

    Raises:
        openai.OpenAIError: a file could not be fetched now.

    """
    import openai

    contents, notes = [], []
    for name in (remote.output_file_id, remote.error_file_id):
        if name is None:
            continue
        try:
            contents.append(client.files.content(name).content)
        except openai.NotFoundError:
            notes.append(f"file {name} is there no more")
    found = read_answers(contents)
    asked = {line.custom_id for line in lines}
    unknown = found.answers.keys() - asked
    if unknown:
        notes.append(f"{len(unknown)} answers are to lines that nobody sent")
    turned_down = set()
    for problem in (remote.errors.data or []) if remote.errors else []:
        where = "the file"
        if problem.line is not None and 1 <= problem.line <= len(lines):
            where = f"line {problem.line}"
            turned_down.add(lines[problem.line - 1].custom_id)
        notes.append(f"{where} was turned down ({problem.code})")
    unanswered = "missing" if remote.status == "completed" else f"batch_{remote.status}"
    return Collected(found, unanswered, frozenset(turned_down), (*found.notes, *notes))


def outcomes_of(
    collected: Collected,
    lines: Sequence[Line],
    model_of: Callable[[str], TextModel],
    refused: frozenset[str],
    *,
    give_up: bool,
) -> dict[str, LineOutcome]:
    """Return what becomes of each line, by custom id. ``refused``: parameters not sent."""
    outcomes = {}
    for line in lines:
        if line.custom_id in collected.turned_down:
            outcomes[line.custom_id] = LineOutcome("failed", failure="invalid_request")
            continue
        sent = {name: value for name, value in line.body.items() if name not in refused}
        outcome = outcome_of(
            collected.found.answers.get(line.custom_id),
            sent,
            model_of,
            submissions=line.submissions,
            unanswered=collected.unanswered,
            give_up=give_up,
        )
        if outcome.answer is not None:
            dropped = {"dropped_parameters": tuple(sorted(refused & line.body.keys()))}
            outcome = replace(outcome, answer=outcome.answer.model_copy(update=dropped))
        outcomes[line.custom_id] = outcome
    return outcomes


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
