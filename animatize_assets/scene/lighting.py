"""How the picture is lit: bright or dark, from where, warm or cool.

Belongs here: the measurements of :class:`Lighting`. Does not belong here: colours as such
(``palette``).
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.fractions import percentiles, positions
from animatize_assets.scene.models import Lighting
from animatize_assets.scene.working_copy import WorkingCopy

Floats = NDArray[np.float64]

REC_709 = np.array([0.2126, 0.7152, 0.0722])
"""Weights of red, green and blue in luma."""

HIGH_KEY, LOW_KEY = 0.66, 0.30
"""Mean luma above which a picture without deep shadows is high key, and below which a picture
without large highlights is low key."""

LARGE_SHARE = 0.25

CLEAR_DIRECTION = 0.15
"""Share of the brightness variance that a plane must explain before light has a direction."""

NEUTRAL_CHROMA = 14.0
"""CIELAB chroma at which a pixel counts 0.6 as near-neutral: a tinted grey, not a colour."""

GRAY_CARD, DARK = 60.0, 15.0
"""Lightness that chroma is referred to, and the least that it is divided by."""

TINTED = 0.07
"""Shift of the near-neutral pixels (b*/60: 4 units) from which light is warm or cool."""


def measure_lighting(copy: WorkingCopy) -> Lighting:
    """Measure the light of ``copy`` on its quarter."""
    small = copy.quarter
    luma = np.einsum("ijk,k->ij", small.rgb, REC_709) / 255
    low, high = percentiles(luma, 5, 95)
    shadow = _soft_share(0.1 - luma)
    highlight = _soft_share(luma - 0.9)
    direction, strength = _direction(luma)
    shift = _temperature_shift(small.lab)
    mean = float(luma.mean())
    return Lighting(
        key=_key(mean, shadow, highlight),
        mean_luma=min(mean, 1.0),
        contrast=float(np.clip(high - low, 0, 1)),
        shadow_share=shadow,
        highlight_share=highlight,
        direction_deg=direction,
        direction_strength=strength,
        temperature="neutral" if abs(shift) < TINTED else "warm" if shift > 0 else "cool",
        temperature_shift=shift,
    )


def _soft_share(beyond: Floats) -> float:
    """Share of pixels beyond a threshold; within 2 % of it they count in part."""
    return float(np.clip(beyond / 0.04 + 0.5, 0, 1).mean())


def _key(mean: float, shadow: float, highlight: float) -> Literal["high", "normal", "low"]:
    if mean > HIGH_KEY and shadow < LARGE_SHARE:
        return "high"
    if mean < LOW_KEY and highlight < LARGE_SHARE:
        return "low"
    return "normal"


def _direction(luma: Floats) -> tuple[float | None, float]:
    """Where the brightness plane rises to, and the share of variance that it explains."""
    x, y = positions(luma.shape[1]) - 0.5, positions(luma.shape[0]) - 0.5
    centered = luma - luma.mean()
    variance = float((centered**2).mean())
    if variance < 1e-5:
        return None, 0.0
    mean_x, mean_y = float((x**2).mean()), float((y**2).mean())
    slope_x = float((centered.mean(axis=0) * x).mean()) / mean_x if mean_x > 0 else 0.0
    slope_y = float((centered.mean(axis=1) * y).mean()) / mean_y if mean_y > 0 else 0.0
    explained = (slope_x**2 * mean_x + slope_y**2 * mean_y) / variance
    strength = float(np.clip(explained, 0, 1))
    if strength < CLEAR_DIRECTION:
        return None, strength
    return round(float(np.degrees(np.arctan2(-slope_y, slope_x))), 6) + 0.0, strength


def _temperature_shift(lab: NDArray[np.uint8]) -> float:
    """Mean b* of the near-neutral pixels, as it would be at the lightness of a grey card.

    Chroma grows with exposure; relative to lightness it does not, so a darker copy of a picture
    is as warm as the picture.
    """
    light, a, b = (np.asarray(plane, np.float32) for plane in cv2.split(lab))
    exposure = GRAY_CARD / np.maximum(light * (100 / 255), DARK)
    a, b = (a - 128) * exposure, (b - 128) * exposure
    neutral = np.exp(-(a**2 + b**2) / (2 * NEUTRAL_CHROMA**2))
    # Very dark and blown-out pixels carry no colour of light.
    told = neutral * np.clip(light / 50, 0, 1) * np.clip((255 - light) / 10, 0, 1)
    amount = float(told.sum(dtype=np.float64))
    shift = float((told * b).sum(dtype=np.float64)) / (amount + 0.02 * told.size) / 60
    return float(np.clip(shift, -1, 1))
