"""What a batch that has ended brings.

Belongs here: fetching its files, matching answers to lines. Does not belong here: writing any of it
down (``batches``), its bill (``batch_money``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from animatize_assets.prompts.expansion.batch_files import ReadFile, read_answers
from animatize_assets.prompts.expansion.batch_outcomes import LineOutcome, outcome_of
from animatize_assets.prompts.expansion.batch_rows import Line
from animatize_assets.prompts.expansion.failures import malformed, whole
from animatize_assets.prompts.expansion.text_models import TextModel

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


def collect(client: OpenAI, remote: Batch, lines: Sequence[Line]) -> Collected:
    """Fetch what a batch answered. ``lines``: those of its file, in the file's order.

    Raises:
        openai.OpenAIError: a file could not be fetched now.
        ProviderError: what came is not the file.

    """
    import openai

    contents, notes = [], []
    for name in (remote.output_file_id, remote.error_file_id):
        if name is None:
            continue
        try:
            contents.append(fetched(client, name))
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


def fetched(client: OpenAI, name: str) -> bytes:
    """Return a whole file. A part of it, or a proxy's page, would have lines paid for again.

    Raises:
        openai.OpenAIError: it could not be fetched now.
        ProviderError: what came is not the file.
    """
    from openai.types import FileObject

    what = "Fetching the answers of a batch"
    size = whole(client.files.retrieve(name), FileObject, what).bytes
    content = client.files.content(name).content
    if len(content) != size:
        raise malformed(what)
    return content


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
