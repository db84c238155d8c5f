"""What the model is asked and the form its answer must have. The same input gives the same bytes.

Belongs here: the instructions, the request's body, its fingerprint. Does not belong here: sending
it (``expander``, ``batches``), judging the answer (``checking``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from animatize_assets.errors import InvalidRule
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.prompts.data_file import content_version, invalid, read_mapping, validated
from animatize_assets.prompts.dialects import Dialect
from animatize_assets.prompts.expansion.text_models import TextModel
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.prompts.templates import load_templates
from animatize_assets.prompts.wording import variables_of
from animatize_assets.records import Record
from animatize_assets.scene.models import SceneAnalysis

INSTRUCTIONS_FILE = Path(__file__).with_name("instructions.yaml")

MAX_COMPLETION_TOKENS = 500
"""Bound of one answer, tokens."""

ASKED_AT_MOST = {"characters": 1400, "words": 220}
"""What is asked of targets that take more: about 350 tokens, so that an answer with its negative
prompt fits its bound of tokens (four characters are about one token of English)."""

NEGATIVE_CHARACTERS = 500
"""Bound of a negative prompt where the dialect states none."""


class InstructionsFile(Record):
    """The whole of ``instructions.yaml``."""

    version: str = Field(min_length=1)
    system: str = Field(min_length=1)
    negative: str = Field(min_length=1)
    repair: str = Field(min_length=1)
    camera: str
    always: tuple[str, ...] = Field(min_length=1)
    of_camera: tuple[str, ...] = Field(min_length=1)


class Instructions(Record):
    """Checked instructions and the version of their content."""

    version: str
    file: InstructionsFile


class ExpandedText(Record):
    """The model's answer."""

    prompt: str = Field(min_length=1, description="the whole prompt, one paragraph")


class ExpandedTexts(ExpandedText):
    """The model's answer for a target that takes a negative prompt beside the text."""

    negative: str = Field(min_length=1, description="what must not be seen, comma separated")


def load_instructions(path: Path | None = None) -> Instructions:
    """Read instructions from ``path``, or those that ship with this project.

    Raises:
        InvalidRule: listing everything that is missing, unknown or unusable in the file.

    """
    return _load(path or INSTRUCTIONS_FILE)


@lru_cache(maxsize=8)
def _load(path: Path) -> Instructions:
    content = read_mapping(path)
    file = validated(path, InstructionsFile, content)
    problems = []
    for expression in (file.camera, *file.always, *file.of_camera):
        try:
            re.compile(expression)
        except re.error as error:
            problems.append(f"'{expression}' is no regular expression ({error})")
    for name, variables in (
        ("system", {"kind": "", "limit": 1, "unit": ""}),
        ("negative", {"negative_limit": 1}),
        ("repair", {"problems": ""}),
    ):
        try:
            getattr(file, name).format_map(variables)
        except (KeyError, ValueError, IndexError) as error:
            problems.append(f"{name} uses a variable that there is not ({error})")
    if problems:
        raise invalid(path, problems)
    return Instructions(version=content_version(content), file=file)


def answer_model(dialect: Dialect) -> type[ExpandedText]:
    """Return the form of the answer for a target of this dialect."""
    return ExpandedTexts if dialect.negative.how == "parameter" else ExpandedText


def kept_ending(prompt: MotionPrompt, dialect: Dialect) -> str:
    """Return the sentence of what to avoid, which some targets get in the text; empty for others.

    It is not the model's to write: it is taken from the compiled prompt, and added to the answer.
    """
    if dialect.negative.how != "in_text" or prompt.negative is None:
        return ""
    sentence = f" Avoid {prompt.negative}."
    return sentence if sentence in prompt.positive else ""


def text_limit(prompt: MotionPrompt, dialect: Dialect) -> int:
    """Return how long the model's text is asked to be at most, in the dialect's unit."""
    left = prompt.length_limit - dialect.limit.length_of(kept_ending(prompt, dialect))
    return min(left, ASKED_AT_MOST[dialect.limit.unit])


def messages_for(
    prompt: MotionPrompt,
    analysis: SceneAnalysis,
    prediction: MovementPrediction,
    dialect: Dialect,
    instructions: Instructions,
) -> list[dict[str, str]]:
    """Return what is said to the model: the rules, and the facts as JSON with sorted keys."""
    templates = load_templates()
    file = instructions.file
    rules = file.system.format(
        kind=dialect.kind, limit=text_limit(prompt, dialect), unit=prompt.length_unit
    )
    if dialect.negative.how == "parameter":
        rules += file.negative.format(
            negative_limit=dialect.negative.at_most or NEGATIVE_CHARACTERS
        )
    ending = kept_ending(prompt, dialect)
    plain = prompt.positive.replace(ending, "") if ending else prompt.positive
    measured = variables_of(analysis, prediction, templates)
    facts: dict[str, Any] = {
        "camera_phrase": prompt.camera_phrase,
        "style": templates.style(prompt.style).says,
        "plain_prompt": plain,
        "measured": {name: said.strip(" ,") for name, said in measured.items() if said},
        "why_this_move": prediction.camera.justification,
    }
    if dialect.negative.how == "parameter":
        facts["plain_negative"] = prompt.negative
    return [
        {"role": "system", "content": rules.strip()},
        {"role": "user", "content": json.dumps(facts, sort_keys=True, ensure_ascii=True)},
    ]


def request_body(
    model: TextModel,
    messages: list[dict[str, str]],
    dialect: Dialect,
    *,
    seed: int,
    max_completion_tokens: int = MAX_COMPLETION_TOKENS,
) -> dict[str, Any]:
    """Return the body of one chat completion, before anything that the model refuses is left out.

    Temperature 0 and the seed are sent where the model takes them.
    """
    body: dict[str, Any] = {
        "model": model.name,
        "messages": messages,
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "motion_prompt",
                "schema": strict_schema(answer_model(dialect)),
                "strict": True,
            },
        },
        "max_completion_tokens": max_completion_tokens,
        "n": 1,
    }
    if model.reasoning_effort is not None:
        body["reasoning_effort"] = model.reasoning_effort
    if model.takes_temperature or model.reasoning_effort == "none":
        body["temperature"] = 0
    if model.takes_seed:
        body["seed"] = seed
    return body


def strict_schema(model: type[Record]) -> dict[str, Any]:
    """Return a flat record's JSON schema as structured outputs want it.

    Strict mode wants every property required and no others; it does not take every constraint, so
    lengths are left to our own check.

    Raises:
        InvalidRule: the record is not flat.

    """
    whole = model.model_json_schema()
    if "$defs" in whole:
        raise InvalidRule(f"{model.__name__} must have plain fields only, to be asked for.")
    properties = {
        name: {"type": field["type"], "description": field["description"]}
        for name, field in whole["properties"].items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def as_bytes(body: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON of ``body``: sorted keys, no spaces, ASCII."""
    return json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def fingerprint(body: Mapping[str, Any]) -> str:
    """Return the SHA-256 of ``body``, hexadecimal: equal requests have equal ones."""
    return hashlib.sha256(as_bytes(body)).hexdigest()
