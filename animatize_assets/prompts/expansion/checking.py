"""Whether a model's answer may stand as the prompt.

It must have the form that was asked for, keep the camera move of the path letter by letter, name no
other, and keep the target's limits. Belongs here: these checks. Does not belong here: what is
asked (``schema``), asking again (``expander``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from animatize_assets.movement.models import CameraMove
from animatize_assets.prompts.dialects import DIRECTIONS_OF, Dialect
from animatize_assets.prompts.expansion.schema import (
    ExpandedTexts,
    Instructions,
    answer_model,
    kept_ending,
)
from animatize_assets.prompts.models import MotionPrompt

_SENTENCE_ENDS = re.compile(r"(?<=[.!?;])\s+")


PHRASE_MARK = "camera_phrase"
"""Stands for the phrase where the instructions' expressions are tried."""


@dataclass(frozen=True)
class CheckedText:
    """What an answer says, with what is wrong with it."""

    positive: str
    """Empty when the answer has not the form asked for."""
    negative: str | None
    problems: tuple[str, ...]
    """Clauses, each fit to be told to the model; none when the answer may stand."""


def checked(
    answer: str, prompt: MotionPrompt, dialect: Dialect, instructions: Instructions
) -> CheckedText:
    """Judge ``answer``, the content of the model's message, for the compiled ``prompt``."""
    try:
        said = answer_model(dialect).model_validate_json(answer)
    except ValidationError:
        return CheckedText("", None, ("it is not the JSON object that the schema describes",))
    text = " ".join(said.prompt.split())
    positive = text + kept_ending(prompt, dialect)
    negative = prompt.negative
    if isinstance(said, ExpandedTexts):
        negative = " ".join(said.negative.split())
    problems = [
        *_camera_problems(text, prompt, dialect, instructions),
        *_text_problems(positive, negative, dialect),
    ]
    return CheckedText(positive, negative, tuple(problems))


def _camera_problems(
    text: str, prompt: MotionPrompt, dialect: Dialect, instructions: Instructions
) -> list[str]:
    phrase = prompt.camera_phrase
    if text.count(phrase) != 1:
        return [f'it must have "{phrase}" exactly once, letter by letter']
    # What the phrase itself says is no other move.
    rest = text.replace(phrase, PHRASE_MARK)
    others = [other for other in phrases_of(dialect) if other in rest]
    others += named_moves(rest, instructions)
    return [f'it names another camera move ("{name}")' for name in dict.fromkeys(others)]


def phrases_of(dialect: Dialect) -> list[str]:
    """Return how the dialect names every move."""
    moves: list[CameraMove] = list(DIRECTIONS_OF)
    return [
        dialect.camera_phrase(move, direction)
        for move in moves
        for direction in (DIRECTIONS_OF[move] or (None,))
    ]


def named_moves(text: str, instructions: Instructions) -> list[str]:
    """Return the words of ``text`` that name a camera move, in the words of the film set.

    Words that also mean other things count only in a sentence that speaks of the camera: hills may
    roll, and a truck may stand in the street.
    """
    file = instructions.file
    found = [match for each in file.always for match in _matches(each, text)]
    for sentence in _SENTENCE_ENDS.split(text):
        if re.search(file.camera, sentence, re.IGNORECASE):
            found += [match for each in file.of_camera for match in _matches(each, sentence)]
    return found


def _matches(expression: str, text: str) -> list[str]:
    return [match.group(0) for match in re.finditer(expression, text, re.IGNORECASE)]


def _text_problems(positive: str, negative: str | None, dialect: Dialect) -> list[str]:
    problems = []
    limit = dialect.limit
    length = limit.length_of(positive)
    if length > limit.at_most:
        problems.append(f"it has {length} {limit.unit}, and {limit.at_most} are allowed")
    if not (positive + (negative or "")).isascii():
        problems.append("it has characters that are not ASCII")
    at_most = dialect.negative.at_most
    if at_most is not None and len(negative or "") > at_most:
        problems.append(
            f"its negative has {len(negative or '')} characters, and {at_most} are allowed"
        )
    if not positive.strip() or (negative is not None and not negative):
        problems.append("it is empty")
    return problems
