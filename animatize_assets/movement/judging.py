"""Which rules hold in a picture, and how strongly.

Belongs here: comparisons, margins and derived directions. Does not belong here: combining rules
into movements (``prediction``).

A rule is as sure as its weakest evidence: its strength is the *smallest* margin of its conditions
(the fuzzy conjunction of Zadeh 1965) times its weight. At a threshold the margin is 0, so an answer
fades out before it goes: a picture that differs a little gets an answer that differs a little.
"""

from __future__ import annotations

from dataclasses import dataclass

from animatize_assets.movement.conditions import margin_of
from animatize_assets.movement.derived_values import Value
from animatize_assets.movement.measurements import MEASUREMENTS, Axis, Readings
from animatize_assets.movement.models import Direction, MovementEvidence
from animatize_assets.movement.rule_schema import DerivedDirection, Rule, RuleBook

_AXIS_DIRECTIONS: dict[Axis, tuple[Direction, Direction]] = {
    "x": ("left", "right"),
    "y": ("up", "down"),
    "turn": ("counterclockwise", "clockwise"),
}
_NEED_DIRECTION = frozenset({"pan", "tilt", "truck", "pedestal", "roll", "orbit"})


@dataclass(frozen=True)
class FiredRule:
    """A rule whose every condition holds in the picture."""

    rule: Rule
    direction: Direction | None
    strength: float
    """Smallest margin times weight, in 0..1; above 0."""
    direction_margin: float
    """How clearly the direction shows; 1 for a fixed one, 0 without one."""


def fired_rules(readings: Readings, rules: RuleBook) -> list[FiredRule]:
    """Return every rule that holds with a strength above 0, in the order of the file."""
    fired = []
    for rule, tests in rules.tests:
        strength = 1.0
        for name, margin in tests:
            strength = min(strength, margin(readings[name]))
            if strength <= 0:
                break
        else:
            found = _directed(rule, readings, strength)
            if found is not None:
                fired.append(found)
    return fired


def _directed(rule: Rule, readings: Readings, strength: float) -> FiredRule | None:
    """Give the rule its direction; a camera move that needs one and shows none does not hold."""
    wanted = rule.move.direction
    if not isinstance(wanted, DerivedDirection):
        return FiredRule(rule, wanted, strength * rule.weight, 1.0)
    direction, margin = derived_direction(wanted, readings)
    if rule.category == "camera" and rule.move.type in _NEED_DIRECTION:
        strength = min(strength, margin)
        if strength <= 0:
            return None
        if rule.move.type == "roll":
            direction = _as_turn(direction)
    return FiredRule(rule, direction, strength * rule.weight, margin)


def _as_turn(direction: Direction | None) -> Direction | None:
    if direction == "right":
        return "clockwise"
    return "counterclockwise" if direction == "left" else direction


def derived_direction(
    wanted: DerivedDirection, readings: Readings
) -> tuple[Direction | None, float]:
    """Return the direction and its margin; ``(None, 0)`` within the band or without a value."""
    measurement = MEASUREMENTS[wanted.measurement]
    value = readings[measurement.name]
    if not isinstance(value, float) or measurement.axis is None:
        return None, 0.0
    offset = round(value - measurement.neutral, 6)
    margin = min(1.0, max(0.0, (abs(offset) - wanted.band) / (wanted.full - wanted.band)))
    if margin <= 0:
        return None, 0.0
    points_up_the_axis = (offset > 0) == (wanted.towards is not None)
    return _AXIS_DIRECTIONS[measurement.axis][points_up_the_axis], margin


def evidence_of(
    fired: FiredRule, readings: Readings, *, is_directed: bool = True
) -> tuple[MovementEvidence, ...]:
    """Return every comparison of a rule that holds, and what gave it its direction, if any."""
    evidence = [
        MovementEvidence(
            measurement=condition.measurement,
            value=_stated(readings[condition.measurement]),
            comparison=condition.comparison,
            threshold=condition.threshold,
            margin=margin_of(condition)(readings[condition.measurement]),
        )
        for condition in fired.rule.conditions
    ]
    wanted = fired.rule.move.direction
    if is_directed and isinstance(wanted, DerivedDirection) and fired.direction is not None:
        neutral = MEASUREMENTS[wanted.measurement].neutral
        value = readings[wanted.measurement]
        assert isinstance(value, float)  # noqa: S101 - there is a direction, so there is a value
        above = value > neutral
        evidence.append(
            MovementEvidence(
                measurement=wanted.measurement,
                value=value,
                comparison=">=" if above else "<=",
                threshold=neutral + wanted.band if above else neutral - wanted.band,
                margin=fired.direction_margin,
            )
        )
    return tuple(evidence)


def _stated(value: Value) -> float | str:
    return "absent" if value is None else value
