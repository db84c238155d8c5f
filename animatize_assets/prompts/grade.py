"""What the prompt says of light and colour, as numbers that a picture can be graded with.

Belongs here: the arithmetic from measurement and style to a grade. Does not belong here: applying
it to pixels (``generation.local``), or where a style leads (data in ``templates.yaml``).

Each value is in -1..1 and is a share of the way to an extreme, 0 = leave as it is:

``temperature``  -1 as cool as a grade goes, 1 as warm
``contrast``     -1 as flat, 1 as hard
``saturation``   -1 black and white, 1 as colourful
``brightness``   -1 as dark, 1 as bright

A style names a target in the unit of the measurement, so a picture that looks like the style
already is left alone: with measurement m, target t and strength s,
``s * (t - m) / (1 - m)`` upwards and ``s * (t - m) / (m - lowest)`` downwards.
"""

from __future__ import annotations

from animatize_assets.prompts.templates import Style
from animatize_assets.records import rounded
from animatize_assets.scene.models import SceneAnalysis

AXES = ("temperature", "contrast", "saturation", "brightness")


def grade_for(analysis: SceneAnalysis, style: Style) -> dict[str, float]:
    """Return the grade that leads the measured picture towards ``style``: four axes, -1..1."""
    measured = {
        "temperature": (analysis.lighting.temperature_shift, -1.0),
        "contrast": (analysis.lighting.contrast, 0.0),
        "saturation": (analysis.palette.saturation, 0.0),
        "brightness": (analysis.lighting.mean_luma, 0.0),
    }
    grade = {}
    for axis in AXES:
        target = getattr(style.target, axis)
        value, lowest = measured[axis]
        share = 0.0 if target is None else _share_of_the_way(value, target, lowest)
        grade[axis] = rounded(style.strength * share)
    return grade


def _share_of_the_way(value: float, target: float, lowest: float) -> float:
    """Distance to ``target`` as a share of the distance to the extreme in its direction."""
    room = 1 - value if target > value else value - lowest
    return (target - value) / room if room else 0.0
