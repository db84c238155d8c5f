"""One comparison of a rule, and how far a value passes it.

Belongs here: comparisons and margins. Does not belong here: what a rule proposes (``rules``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from animatize_assets.movement.derived_values import Value
from animatize_assets.records import Record

Comparison = Literal[">=", "<=", ">", "<", "==", "!=", "in", "is_present", "is_absent"]
Margin = Callable[[Value], float]
"""How far a value passes: 0 = not at all or only just, 1 = at ``full`` and beyond."""


class Condition(Record):
    """One comparison. The margin is 0 at ``threshold`` and 1 at ``full`` and beyond."""

    measurement: str
    comparison: Comparison
    threshold: float | str | tuple[str, ...] | None = None
    full: float | None = Field(default=None, description="needed when numbers are compared")


def margin_of(condition: Condition) -> Margin:
    """Return the condition as a function of the measured value.

    A comparison with a measurement that is missing (None) does not hold, except ``is_absent``.
    Words either match or do not.
    """
    threshold, full = condition.threshold, condition.full
    if isinstance(threshold, float) and full is not None:
        return _number_margin(threshold, full)
    comparison = condition.comparison
    if comparison == "is_absent":
        return lambda value: float(value is None)
    if comparison == "is_present":
        return lambda value: float(value is not None)
    if comparison == "in":
        words = threshold if isinstance(threshold, tuple) else ()
        return lambda value: float(value in words)
    if comparison == "==":
        return lambda value: float(value == threshold)
    return lambda value: float(value is not None and value != threshold)


def _number_margin(threshold: float, full: float) -> Margin:
    span = full - threshold

    def margin(value: Value) -> float:
        if not isinstance(value, float):
            return 0.0
        passed = (value - threshold) / span
        return 0.0 if passed <= 0 else min(1.0, passed)

    return margin
