"""The names that a movement rule may use, and what each reads from a scene analysis.

Belongs here: plain names (the same dotted path as in ``SceneAnalysis``) and a small set of derived
ones (the widest of two sides, the distance from the middle), each with its meaning. Does not
belong here: thresholds (``rules.yaml``) or any measuring of pixels (``scene``).

A measurement is ``None`` when the picture has no such thing. One that changes when the picture is
mirrored *points*: it may give a move its direction, but no condition may be put on it, so that the
mirrored picture always gets the mirrored answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from animatize_assets.movement.derived_values import (
    Value,
    area,
    aspect,
    diagonal_lean,
    distance,
    level,
    light_above,
    light_x,
    line_strength,
    oblique,
    of_box,
    of_horizon,
    of_largest_person,
    of_vanishing_point,
    outdoors,
    people_score,
    plumb,
    side_space,
    space_lean,
    tallness,
    thirds_lean,
    thirds_peak,
)
from animatize_assets.scene.models import SceneAnalysis

Axis = Literal["x", "y", "turn"]
"""Which way a value above neutral points: to the right, downwards, clockwise."""


@dataclass(frozen=True)
class Measurement:
    """One named number or word of a scene analysis."""

    name: str
    meaning: str
    read: Callable[[SceneAnalysis], Value]
    kind: Literal["number", "word"] = "number"
    axis: Axis | None = None
    neutral: float = 0.0
    """The value that points nowhere."""

    @property
    def is_mirrored(self) -> bool:
        """Whether mirroring the picture left to right changes the value."""
        return self.axis in ("x", "turn")


def _plain(name: str, meaning: str, *, kind: Literal["number", "word"] = "number") -> Measurement:
    return Measurement(name, meaning, attrgetter(name), kind)


def _pointing(name: str, meaning: str, axis: Axis, neutral: float) -> Measurement:
    return Measurement(name, meaning, attrgetter(name), "number", axis, neutral)


def _score(scene_type: str) -> Measurement:
    def read(analysis: SceneAnalysis) -> Value:
        return analysis.scene_type.scores.get(scene_type)

    return Measurement(f"scene_type.scores.{scene_type}", f"score of '{scene_type}', 0..1", read)


_PLAIN = (
    _plain("composition.symmetry.horizontal", "left half against right half, 1 = mirror image"),
    _plain("composition.symmetry.vertical", "upper half against lower half, 1 = mirror image"),
    _plain("composition.balance.offset", "visual mass off the centre, 1 = in a corner"),
    _plain("composition.negative_space.top", "share of the top band without detail"),
    _plain("composition.negative_space.bottom", "share of the bottom band without detail"),
    _plain("composition.edge_density", "share of pixels on an edge"),
    _plain("composition.texture", "share of the area with fine texture"),
    _plain("composition.sharpness", "1 - blur effect"),
    _plain("composition.line_density", "straight-line length per diagonal, saturating"),
    _plain("depth.confidence", "how far the depth cues agree"),
    _plain("depth.spread", "95th minus 5th percentile of depth"),
    _plain("depth.near_share", "share of near pixels"),
    _plain("depth.far_share", "share of far pixels"),
    _plain("depth.subject_separation", "subject's mean depth minus the rest's"),
    _plain("subject.strength", "how much the subject stands out"),
    _plain("subject.area", "area of the subject's box"),
    _plain("palette.warmth", "-1 all cool, 1 all warm"),
    _plain("palette.saturation", "mean saturation"),
    _plain("palette.colorfulness", "0 grey, 1 extremely colourful"),
    _plain("palette.harmony.type", "arrangement on the hue circle", kind="word"),
    _plain("palette.harmony.score", "how well the arrangement fits"),
    _plain("lighting.key", "high, normal or low", kind="word"),
    _plain("lighting.mean_luma", "mean brightness"),
    _plain("lighting.contrast", "95th minus 5th percentile of brightness"),
    _plain("lighting.shadow_share", "share of pixels in deep shadow"),
    _plain("lighting.highlight_share", "share of pixels in bright light"),
    _plain("lighting.direction_strength", "how clear the brightness gradient is"),
    _plain("lighting.temperature", "warm, neutral or cool", kind="word"),
    _plain("lighting.temperature_shift", "-1 cool, 1 warm, of near-neutral pixels"),
    *(
        _plain(f"regions.{region}.share", f"share of the picture that is {region}")
        for region in ("sky", "vegetation", "water", "ground", "built", "skin")
    ),
    _plain("scene_type.type", "winning scene type or unknown", kind="word"),
    _plain("scene_type.margin", "winner's score minus the runner-up's"),
    *(
        _score(scene_type)
        for scene_type in (
            "landscape",
            "nature",
            "urban",
            "water",
            "indoor",
            "portrait",
            "close_up",
            "graphic",
        )
    ),
    _plain("aesthetics.overall", "weighted mean of the aesthetic components"),
    _plain("confidence", "how far the measurements can carry an answer"),
)

_DERIVED = (
    Measurement(
        "composition.balance.offset_x",
        "sideways distance of the visual mass from the middle, 0..0.5",
        distance(attrgetter("composition.balance.center_x"), 0.5),
    ),
    Measurement(
        "composition.negative_space.side", "the emptier of left and right band", side_space
    ),
    Measurement(
        "composition.negative_space.side_gap",
        "how much emptier it is than the other",
        distance(space_lean, 0.0),
    ),
    Measurement("composition.thirds.peak", "energy at the strongest power point", thirds_peak),
    Measurement(
        "composition.thirds.lean",
        "how much more energy lies at the power points of one side",
        distance(thirds_lean, 0.0),
    ),
    Measurement(
        "composition.lines.horizontal",
        "share of line length within 10 degrees of level, fading to 20",
        line_strength(level),
    ),
    Measurement(
        "composition.lines.vertical",
        "share of line length within 10 degrees of plumb, fading to 20",
        line_strength(plumb),
    ),
    Measurement(
        "composition.lines.diagonal",
        "share of line length that is neither",
        line_strength(oblique),
    ),
    Measurement(
        "composition.lines.diagonal_gap",
        "how far one diagonal outweighs the other",
        distance(diagonal_lean, 0.0),
    ),
    Measurement(
        "composition.vanishing_point.strength",
        "share of converging lines that agree",
        of_vanishing_point(lambda _x, _y, strength: strength),
    ),
    Measurement(
        "composition.vanishing_point.offset",
        "distance of the vanishing point from the middle, 0.5 = on the frame's edge",
        of_vanishing_point(lambda x, y, _: max(abs(x - 0.5), abs(y - 0.5))),
    ),
    Measurement(
        "composition.horizon.y",
        "height of the horizon, 0 = top",
        of_horizon(lambda y, _angle, _strength: y),
    ),
    Measurement(
        "composition.horizon.tilt_deg",
        "how far the horizon is from level, degrees",
        of_horizon(lambda _y, angle, _strength: abs(angle)),
    ),
    Measurement(
        "composition.horizon.strength",
        "how clear the horizon is",
        of_horizon(lambda _y, _angle, strength: strength),
    ),
    Measurement(
        "subject.offset_x",
        "sideways distance of the subject from the middle, 0..0.5",
        of_box(lambda x0, _y0, x1, _y1: abs((x0 + x1) / 2 - 0.5)),
    ),
    Measurement(
        "subject.height", "height of the subject's box", of_box(lambda _x0, y0, _x1, y1: y1 - y0)
    ),
    Measurement(
        "subject.width", "width of the subject's box", of_box(lambda x0, _y0, x1, _y1: x1 - x0)
    ),
    Measurement("subject.tallness", "height over width of the subject's box in pixels", tallness),
    Measurement(
        "people.count",
        "people and faces found",
        lambda analysis: float(len(analysis.subject.people)),
    ),
    Measurement(
        "people.score", "score of the surest person; none when nobody is found", people_score
    ),
    Measurement("people.area", "box area of the largest person", of_largest_person(area)),
    Measurement(
        "lighting.side", "how far the light comes from a side, 0..1", distance(light_x, 0.0)
    ),
    Measurement("lighting.above", "1 = light straight from above, -1 = from below", light_above),
    Measurement(
        "scene_type.outdoors", "scores of landscape, nature, urban and water together", outdoors
    ),
    Measurement("image.aspect_ratio", "width over height", aspect),
)

_POINTING = (
    _pointing("composition.balance.center_x", "where the visual mass is", "x", 0.5),
    _pointing("composition.balance.center_y", "how low the visual mass is", "y", 0.5),
    Measurement(
        "composition.negative_space.lean_x",
        "right band's emptiness minus left band's",
        space_lean,
        axis="x",
    ),
    Measurement(
        "composition.thirds.lean_x",
        "energy at the right power points minus the left",
        thirds_lean,
        axis="x",
    ),
    Measurement(
        "composition.lines.diagonal_lean",
        "1 = all diagonals rise to the right",
        diagonal_lean,
        axis="x",
    ),
    Measurement(
        "composition.horizon.angle_deg",
        "positive = rises to the right: the camera leans clockwise",
        of_horizon(lambda _y, angle, _strength: angle),
        axis="turn",
    ),
    Measurement(
        "composition.vanishing_point.x",
        "where the lines meet",
        of_vanishing_point(lambda x, _y, _strength: x),
        axis="x",
        neutral=0.5,
    ),
    _pointing("subject.center_x", "where the subject is", "x", 0.5),
    _pointing("subject.center_y", "how low the subject is", "y", 0.5),
    Measurement(
        "people.center_x",
        "where the largest person is",
        of_largest_person(lambda x0, _y0, x1, _y1: (x0 + x1) / 2),
        axis="x",
        neutral=0.5,
    ),
    Measurement("lighting.from_x", "1 = the light comes from the right", light_x, axis="x"),
    _pointing("regions.sky.center_y", "how low the sky lies", "y", 0.5),
    _pointing("regions.water.center_x", "where the water is", "x", 0.5),
    _pointing("regions.water.center_y", "how low the water lies", "y", 0.5),
    _pointing("regions.vegetation.center_x", "where the vegetation is", "x", 0.5),
    _pointing("regions.vegetation.center_y", "how low the vegetation lies", "y", 0.5),
    _pointing("regions.built.center_x", "where the built surfaces are", "x", 0.5),
)

MEASUREMENTS: dict[str, Measurement] = {
    measurement.name: measurement for measurement in (*_PLAIN, *_DERIVED, *_POINTING)
}
"""Every name that a rule may use."""


class Readings(dict[str, Value]):
    """The measurements of one analysis, each read once and only when asked for."""

    def __init__(self, analysis: SceneAnalysis) -> None:
        super().__init__()
        self._analysis = analysis

    def __missing__(self, name: str) -> Value:
        value = MEASUREMENTS[name].read(self._analysis)
        self[name] = value
        return value
