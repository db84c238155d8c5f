"""The sentence that says why: a template with the measured values filled in.

Belongs here: placeholders and how a value reads. Does not belong here: the sentences
(``rules.yaml``) or prompts for models (``prompts``).

``{subject.area:percent}`` reads "12 %", ``{composition.horizon.tilt_deg:degrees}`` "3.1 degrees",
``{people.count:count}`` "3", a bare name two decimals or the word itself, and ``{heading}`` the
direction with a space before it (" to the left"), or nothing when there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from animatize_assets.movement.derived_values import Value
from animatize_assets.movement.models import Direction

FORMS = frozenset({"", "percent", "degrees", "count"})
_PLACEHOLDER = re.compile(r"\{([a-z_.]+)(?::([a-z]+))?\}")

HEADINGS: dict[Direction, str] = {
    "left": " to the left",
    "right": " to the right",
    "up": " upwards",
    "down": " downwards",
    "in": " inwards",
    "out": " outwards",
    "clockwise": " clockwise",
    "counterclockwise": " counterclockwise",
}


def placeholders(template: str) -> list[tuple[str, str]]:
    """Return name and form of every placeholder, in order; the form is '' when none is given."""
    return [(match[1], match[2] or "") for match in _PLACEHOLDER.finditer(template)]


def fill(template: str, read: Callable[[str], Value], direction: Direction | None) -> str:
    """Return ``template`` with values and direction in the place of the placeholders."""

    def text(match: re.Match[str]) -> str:
        name, form = match[1], match[2]
        if name == "heading":
            return HEADINGS[direction] if direction else ""
        value = read(name)
        if not isinstance(value, float):
            return str(value)
        if form == "percent":
            return f"{100 * value:.0f} %"
        if form == "count":
            return f"{value:.0f}"
        if form == "degrees":
            return f"{value:.1f} degrees"
        return f"{value:.2f}"

    return _PLACEHOLDER.sub(text, template)
