"""How each target model wants to be spoken to: limits, camera words, durations, negatives.

Belongs here: reading and checking ``dialects.yaml``. Does not belong here: the facts themselves
(they are data, each with its source), or how a prompt is put together (``compiler``).
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from animatize_assets.errors import InvalidRule, InvalidSetting
from animatize_assets.movement.models import CameraMove, Direction
from animatize_assets.prompts.data_file import content_version, invalid, read_mapping, validated
from animatize_assets.records import Record

DIALECTS_FILE = Path(__file__).with_name("dialects.yaml")

TARGETS = ("generic", "flux", "imagen", "openai", "runway", "veo", "sora", "pika", "wan")
"""Targets that the shipped file must know."""

_SIDEWAYS: tuple[Direction, ...] = ("left", "right")
_UPRIGHT: tuple[Direction, ...] = ("up", "down")
_TURNS: tuple[Direction, ...] = ("clockwise", "counterclockwise")
DIRECTIONS_OF: dict[CameraMove, tuple[Direction, ...]] = {
    "static": (),
    "pan": _SIDEWAYS,
    "tilt": _UPRIGHT,
    "zoom_in": (),
    "zoom_out": (),
    "push_in": (),
    "pull_out": (),
    "truck": _SIDEWAYS,
    "pedestal": _UPRIGHT,
    "roll": _TURNS,
    "orbit": _SIDEWAYS,
}
"""The directions that a move needs said; none where the move's name says it already."""


class LengthLimit(Record):
    """Longest positive prompt. Words are what whitespace separates."""

    at_most: int = Field(ge=1)
    unit: Literal["characters", "words"]

    def length_of(self, text: str) -> int:
        """Length of ``text`` in this limit's unit."""
        return len(text.split()) if self.unit == "words" else len(text)


class Negative(Record):
    """How the dialect says what must not be seen."""

    how: Literal["parameter", "in_text", "none"]
    at_most: int | None = Field(default=None, ge=1, description="characters; None = not stated")


class Duration(Record):
    """How the dialect says how long the clip is. ``seconds``: what can be asked for."""

    how: Literal["parameter", "in_text", "none"]
    seconds: tuple[int, ...] = ()


class Fact(Record):
    """One statement about a model, and how well it is known."""

    says: str = Field(min_length=1)
    basis: Literal["documented", "observed", "remembered", "own_choice"]
    source: str = Field(min_length=1)
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")


class Dialect(Record):
    """One target model's way to be spoken to."""

    kind: Literal["picture", "video"]
    limit: LengthLimit
    negative: Negative
    duration: Duration
    aspect: Literal["free", "image"] | tuple[str, ...]
    camera: dict[CameraMove, str | dict[Direction, str]]
    facts: tuple[Fact, ...] = Field(min_length=1)

    def camera_phrase(self, move: CameraMove, direction: Direction | None) -> str:
        """How this dialect names a move.

        Raises:
            InvalidRule: the move has no such direction.

        """
        phrase = self.camera[move]
        if isinstance(phrase, str):
            return phrase
        if direction is None or direction not in phrase:
            raise InvalidRule(
                f"No dialect can name the camera move '{move}' with direction '{direction}'; "
                f"it needs one of: {', '.join(phrase)}."
            )
        return phrase[direction]


class DialectFile(Record):
    """The whole of ``dialects.yaml``."""

    version: str = Field(min_length=1)
    dialects: dict[str, Dialect] = Field(min_length=1)


class Dialects(Record):
    """Every dialect of a file, by target, and the version of the file's content."""

    version: str
    by_target: dict[str, Dialect]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Targets, in the file's order."""
        return tuple(self.by_target)

    def of(self, target: str) -> Dialect:
        """Return the dialect of ``target``.

        Raises:
            InvalidSetting: there is none; the sentence lists those there are.

        """
        if target not in self.by_target:
            raise InvalidSetting(
                f"Target model '{target}' is not known; use one of: {', '.join(self.names)}."
            )
        return self.by_target[target]


def load_dialects(path: Path | None = None) -> Dialects:
    """Read dialects from ``path``, or those that ship with this project.

    Raises:
        InvalidRule: listing everything that is missing, unknown or unusable in the file.

    """
    return _load(path or DIALECTS_FILE)


@lru_cache(maxsize=8)
def _load(path: Path) -> Dialects:
    content = read_mapping(path)
    # YAML reads 2026-11-21 as a date; here it is a word.
    for dialect in (content.get("dialects") or {}).values():
        for fact in (dialect.get("facts") or []) if isinstance(dialect, dict) else []:
            fact["date"] = str(fact.get("date"))
    file = validated(path, DialectFile, content)
    problems = [
        f"dialects.{name}.{problem}"
        for name, dialect in file.dialects.items()
        for problem in _problems(dialect)
    ]
    if problems:
        raise invalid(path, problems)
    return Dialects(version=content_version(content), by_target=file.dialects)


def _problems(dialect: Dialect) -> list[str]:
    problems = []
    for move in get_args(CameraMove):
        needed = DIRECTIONS_OF[move]
        phrase = dialect.camera.get(move)
        given = set(phrase) if isinstance(phrase, dict) else set()
        if phrase is None:
            problems.append(f"camera.{move} is missing")
        elif isinstance(phrase, str) and needed:
            problems.append(f"camera.{move} needs a phrase for each of: {', '.join(needed)}")
        elif given != set(needed):
            problems.append(
                f"camera.{move} must name exactly: {', '.join(needed) or 'no direction'}"
            )
    phrases = _phrases(dialect)
    if len(set(phrases)) < len(phrases):
        problems.append("camera names two moves alike")
    if any(not phrase.isascii() or phrase != phrase.strip() or not phrase for phrase in phrases):
        problems.append("camera has a phrase that is empty, padded or not ASCII")
    if dialect.duration.how == "parameter" and not dialect.duration.seconds:
        problems.append("duration.seconds is missing")
    if dialect.kind == "picture" and dialect.duration.how != "none":
        problems.append("duration is not said of a picture")
    if isinstance(dialect.aspect, tuple):
        problems.extend(
            f"aspect '{ratio}' is not W:H" for ratio in dialect.aspect if not _is_ratio(ratio)
        )
    return problems


def _phrases(dialect: Dialect) -> list[str]:
    return [
        phrase
        for entry in dialect.camera.values()
        for phrase in (entry.values() if isinstance(entry, dict) else [entry])
    ]


def _is_ratio(text: str) -> bool:
    sides = text.split(":")
    return len(sides) == 2 and all(side.isdecimal() and int(side) > 0 for side in sides)
