"""The shape of a rule file, and the rules of one that was read and checked.

Belongs here: what an entry of the file may say. Does not belong here: reading and checking a file
(``rules``) or the rules themselves (``rules.yaml``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import Field

from animatize_assets.movement.conditions import Condition, Margin, margin_of
from animatize_assets.movement.models import CameraMove, Category, Direction
from animatize_assets.records import Record

Family = Literal[
    "composition", "camera_movement", "lighting", "visual_effects", "depth", "motion", "emotion"
]


class DerivedDirection(Record):
    """A direction read from the picture: towards or away from where a measurement points.

    Within ``band`` of the measurement's neutral value there is no direction; from there to
    ``full`` its margin grows to 1.
    """

    towards: str | None = None
    away_from: str | None = None
    band: float = Field(gt=0)
    full: float = Field(gt=0)

    @property
    def measurement(self) -> str:
        """The measurement that points."""
        return self.towards or self.away_from or ""


class Move(Record):
    """What a rule proposes."""

    type: str
    direction: Direction | DerivedDirection | None = None


class Citation(Record):
    """Which work of ``works`` says so, and what it says, in our own words."""

    work: str
    idea: str


class Rule(Record):
    """One reviewed rule."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    family: Family
    category: Category
    conditions: tuple[Condition, ...] = Field(min_length=1)
    move: Move
    justification: str
    weight: float = Field(gt=0, le=1, description="confidence when every margin is full")
    source: Citation
    note: str = Field(min_length=1, description="why these thresholds; limits of the rule")


class Work(Record):
    """A book that rules cite."""

    author: str
    title: str
    year: int


class Contradiction(Record):
    """A movement that cannot be kept beside a camera move.

    ``when``: ``always``, or only when both have a direction and these are ``opposite`` or the
    ``same``. ``remedy``: the movement loses its direction, or is not kept.
    """

    movements: tuple[str, ...] = Field(min_length=1, description="types of movement, not camera")
    camera: tuple[CameraMove, ...] = Field(min_length=1)
    when: Literal["always", "opposite", "same"]
    remedy: Literal["undirected", "dropped"]
    why: str


class RuleFile(Record):
    """The whole file."""

    version: str
    works: dict[str, Work]
    contradictions: tuple[Contradiction, ...] = ()
    rules: tuple[Rule, ...] = Field(min_length=1)


@dataclass(frozen=True)
class RuleBook:
    """Checked rules, ready to judge pictures with."""

    version: str
    """The version that the file states, and a hash of its content."""
    rules: tuple[Rule, ...]
    contradictions: tuple[Contradiction, ...]
    works: dict[str, Work]

    @cached_property
    def tests(self) -> tuple[tuple[Rule, tuple[tuple[str, Margin], ...]], ...]:
        """Every rule with its conditions as functions, made once: name and margin of each."""
        return tuple(
            (rule, tuple((c.measurement, margin_of(c)) for c in rule.conditions))
            for rule in self.rules
        )

    @cached_property
    def by_id(self) -> dict[str, Rule]:
        """Rules by their id."""
        return {rule.id: rule for rule in self.rules}
