"""Aesthetics: named components, each measured, and their weighted mean.

Belongs here: how measurements become components, and the weights. Does not belong here: any
measurement, and any constant term: a flat grey picture scores near 0.
"""

from __future__ import annotations

import math

from animatize_assets.scene.models import (
    Aesthetics,
    Composition,
    Lighting,
    Palette,
    Subject,
)

WEIGHTS: dict[str, float] = {
    "sharpness": 0.20,
    "exposure": 0.15,
    "contrast": 0.15,
    "colorfulness": 0.15,
    "harmony": 0.10,
    "placement": 0.10,
    "simplicity": 0.15,
}
"""Weights of the components. The choice follows the attributes that Datta et al. 2006 and Ke et
al. 2006 found to separate liked from disliked photographs; the values are the project's own
judgement, not a fit: nobody rated these pictures."""

EVEN_LUMA = 0.5
FULL_CONTRAST = 0.8
FULL_COLORFULNESS = 0.5
NEAREST_POINT_REACH = 0.25
POWER_POINTS = tuple((x, y) for x in (1 / 3, 2 / 3) for y in (1 / 3, 2 / 3))


def measure_aesthetics(
    composition: Composition, subject: Subject, palette: Palette, lighting: Lighting
) -> Aesthetics:
    """Rate the picture by seven components, each 0..1.

    sharpness: as measured in the composition. exposure: 1 at a mean luma of one half, less what
    is blocked up in shadows and highlights. contrast: the luma range, 1 from 0.8. colorfulness:
    Hasler and Suesstrunk's measure, 1 from 75 on their scale. harmony: its fit on the hue circle
    times saturation, so that grey is not harmonious by default. placement: how near the subject's
    centre is to a power point or the centre, times its strength. simplicity: how concentrated the
    subject is, weighted by how much of the frame is quiet.
    """
    parts = {
        "sharpness": composition.sharpness * _rising(lighting.contrast, 0.2),
        "exposure": _exposure(lighting) * _rising(lighting.contrast, 0.2),
        "contrast": _rising(lighting.contrast, FULL_CONTRAST),
        "colorfulness": _rising(palette.colorfulness, FULL_COLORFULNESS),
        "harmony": palette.harmony.score * _rising(palette.saturation, 0.3),
        "placement": _placement(subject),
        "simplicity": _simplicity(composition, subject),
    }
    overall = sum(WEIGHTS[name] * value for name, value in parts.items()) / sum(WEIGHTS.values())
    return Aesthetics(overall=overall, components=parts)


def _rising(value: float, full: float) -> float:
    return min(1.0, value / full)


def _exposure(lighting: Lighting) -> float:
    evenness = 1 - abs(lighting.mean_luma - EVEN_LUMA) / EVEN_LUMA
    blocked = lighting.shadow_share + lighting.highlight_share
    return max(0.0, min(1.0, evenness * (1 - min(1.0, blocked))))


def _placement(subject: Subject) -> float:
    if subject.center_x is None or subject.center_y is None:
        return 0.0
    anchors = (*POWER_POINTS, (0.5, 0.5))
    nearest = min(math.hypot(subject.center_x - x, subject.center_y - y) for x, y in anchors)
    return subject.strength * max(0.0, 1 - nearest / NEAREST_POINT_REACH)


def _simplicity(composition: Composition, subject: Subject) -> float:
    if subject.bbox is None:
        return 0.0
    space = composition.negative_space
    quiet = (space.left + space.right + space.top + space.bottom) / 4
    return subject.strength * quiet
