"""Values that rules use and that a scene analysis only contains in parts.

Belongs here: arithmetic on one analysis, such as the emptier of two sides or a distance from the
middle. Does not belong here: the names that rules use (``measurements``) or any measuring of
pixels (``scene``). A value is None when the picture has no such thing.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, radians, sin

from animatize_assets.scene.models import Line, SceneAnalysis

Value = float | str | None
Read = Callable[[SceneAnalysis], Value]

DIGITS = 6
"""Derived values keep six decimals, so that a mirrored picture gives exactly the same ones."""

LEVEL_DEG, PLUMB_DEG = (20.0, 10.0), (70.0, 80.0)
"""Angles at which a line begins to count as level or as plumb, and from which it does wholly."""


def _ramp(value: float, start: float, end: float) -> float:
    return min(1.0, max(0.0, (value - start) / (end - start)))


def level(line: Line) -> float:
    """How far a line is level, 0..1."""
    return _ramp(abs(line.angle_deg), *LEVEL_DEG)


def plumb(line: Line) -> float:
    """How far a line is plumb, 0..1."""
    return _ramp(abs(line.angle_deg), *PLUMB_DEG)


def oblique(line: Line) -> float:
    """How far a line is neither level nor plumb, 0..1."""
    return 1 - level(line) - plumb(line)


def line_strength(kind: Callable[[Line], float]) -> Read:
    """Share of the line length that is of a kind, 0..1."""

    def read(analysis: SceneAnalysis) -> Value:
        strength = sum(line.strength * kind(line) for line in analysis.composition.lines)
        return round(min(1.0, strength), DIGITS)

    return read


def diagonal_lean(analysis: SceneAnalysis) -> float:
    """Say which way the diagonals rise: 1 = all to the right, -1 = all to the left."""
    lean = 0.0
    for line in analysis.composition.lines:
        lean += line.strength * oblique(line) * (1 if line.angle_deg > 0 else -1)
    return round(max(-1.0, min(1.0, lean)), DIGITS)


def of_vanishing_point(field: Callable[[float, float, float], float]) -> Read:
    """Compute something of the vanishing point's x, y and strength."""

    def read(analysis: SceneAnalysis) -> Value:
        point = analysis.composition.vanishing_point
        return None if point is None else round(field(point.x, point.y, point.strength), DIGITS)

    return read


def of_horizon(field: Callable[[float, float, float], float]) -> Read:
    """Compute something of the horizon's y, angle in degrees and strength."""

    def read(analysis: SceneAnalysis) -> Value:
        line = analysis.composition.horizon
        return None if line is None else round(field(line.y, line.angle_deg, line.strength), DIGITS)

    return read


def of_box(field: Callable[[float, float, float, float], float]) -> Read:
    """Compute something of the subject's box: left, top, right, bottom."""

    def read(analysis: SceneAnalysis) -> Value:
        box = analysis.subject.bbox
        return None if box is None else round(field(*box), DIGITS)

    return read


def of_largest_person(field: Callable[[float, float, float, float], float]) -> Read:
    """Compute something of the largest person's box: left, top, right, bottom."""

    def read(analysis: SceneAnalysis) -> Value:
        people = analysis.subject.people
        if not people:
            return None
        # The mirrored picture must choose the same person: size first, then height in the frame.
        largest = max(people, key=lambda p: (area(*p.bbox), p.score, p.bbox[3], p.bbox[1]))
        return round(field(*largest.bbox), DIGITS)

    return read


def area(x0: float, y0: float, x1: float, y1: float) -> float:
    """Area of a box, as a share of the picture."""
    return round((x1 - x0) * (y1 - y0), DIGITS)


def outdoors(analysis: SceneAnalysis) -> Value:
    """Add up the scores of the scene types that are outdoors, 0..1."""
    scores = analysis.scene_type.scores
    together = sum(scores.get(name, 0.0) for name in ("landscape", "nature", "urban", "water"))
    return round(min(1.0, together), DIGITS)


def people_score(analysis: SceneAnalysis) -> Value:
    """Score of the surest person; None when nobody was found."""
    return max((person.score for person in analysis.subject.people), default=None)


def side_space(analysis: SceneAnalysis) -> Value:
    """Say how empty the emptier of the left and the right band is, 0..1."""
    space = analysis.composition.negative_space
    return max(space.left, space.right)


def space_lean(analysis: SceneAnalysis) -> float:
    """Take the emptiness of the left band from that of the right."""
    space = analysis.composition.negative_space
    return round(space.right - space.left, DIGITS)


def thirds_lean(analysis: SceneAnalysis) -> float:
    """Energy at the right power points minus that at the left."""
    thirds = analysis.composition.thirds
    right, left = thirds.top_right + thirds.bottom_right, thirds.top_left + thirds.bottom_left
    return round(right - left, DIGITS)


def thirds_peak(analysis: SceneAnalysis) -> Value:
    """Energy at the strongest power point."""
    thirds = analysis.composition.thirds
    return max(thirds.top_left, thirds.top_right, thirds.bottom_left, thirds.bottom_right)


def light_x(analysis: SceneAnalysis) -> float | None:
    """Say how far the light comes from the right, -1..1."""
    angle = analysis.lighting.direction_deg
    return None if angle is None else round(cos(radians(angle)), DIGITS)


def light_above(analysis: SceneAnalysis) -> Value:
    """Say how far the light comes from above, -1..1."""
    angle = analysis.lighting.direction_deg
    return None if angle is None else round(sin(radians(angle)), DIGITS)


def distance(read: Callable[[SceneAnalysis], float | None], neutral: float) -> Read:
    """Distance of a value from the one that points nowhere."""

    def measured(analysis: SceneAnalysis) -> Value:
        value = read(analysis)
        return None if value is None else round(abs(value - neutral), DIGITS)

    return measured


def aspect(analysis: SceneAnalysis) -> Value:
    """Width of the image over its height."""
    return round(analysis.width / analysis.height, DIGITS)


def tallness(analysis: SceneAnalysis) -> Value:
    """Height of the subject's box over its width, in pixels."""
    box = analysis.subject.bbox
    if box is None or box[2] <= box[0]:
        return None
    height = (box[3] - box[1]) * analysis.height
    return round(height / ((box[2] - box[0]) * analysis.width), DIGITS)
