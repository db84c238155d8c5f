"""Dominant colours, and how they sit together on the hue circle.

Belongs here: the measurements of :class:`Palette`. Does not belong here: light (``lighting``).

Colours come from a histogram, so they do not depend on where they are in the picture, and the
clustering starts from the histogram's own peaks: there is no random number.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.fractions import as_share
from animatize_assets.scene.models import Harmony, Palette, PaletteColor
from animatize_assets.scene.sums import times
from animatize_assets.scene.working_copy import WorkingCopy

Floats = NDArray[np.float64]

MOST_COLORS = 6
BIN_BITS = 3
"""Histogram of 8 x 8 x 8 colours; each bin is represented by the mean of its pixels."""

APART = 14.0
"""Two palette colours closer than this (CIELAB) are one."""

SMALLEST_SHARE = 0.015
ROUNDS = 8

WARM_HUE_DEG = 60.0
"""Middle of the warm hues on the CIELAB circle (orange); blue lies opposite."""

COLORED = 8.0
"""CIELAB chroma at which a pixel starts to have a hue to speak of."""

HUES = 72
"""Cells of the hue circle, 5 degrees each."""

TEMPLATES: dict[str, tuple[tuple[float, float], ...]] = {
    "monochromatic": ((0, 18),),
    "analogous": ((0, 94),),
    "complementary": ((0, 40), (180, 40)),
    "triadic": ((0, 36), (120, 36), (240, 36)),
}
"""Sectors (centre, width in degrees): types i, V and an I of equal arms from Cohen-Or, Sorkine,
Gal, Leyvand, Xu: Color harmonization (SIGGRAPH 2006), and the triad of painters' books; on the
HSV circle, as there, each pixel weighted by its CIELAB chroma."""

FITS = 0.8
"""The narrowest template that holds this much of the colour wins."""


def measure_palette(copy: WorkingCopy) -> Palette:
    """Measure the colours of ``copy`` on its quarter (160 px: shares differ by under 1 %)."""
    small = copy.quarter
    lab = small.lab.reshape(-1, 3).astype(np.float32)
    a, b = lab[:, 1] - 128, lab[:, 2] - 128
    chroma = np.sqrt(a * a + b * b).astype(np.float64)
    return Palette(
        colors=_dominant_colors(small.rgb),
        warmth=_warmth(a, b, chroma),
        saturation=float(small.hsv[..., 1].mean(dtype=np.float64)) / 255,
        colorfulness=_colorfulness(small.rgb),
        harmony=_harmony(small.hsv[..., 0].ravel().astype(np.float64) * 2, chroma),
    )


def _dominant_colors(rgb: NDArray[np.uint8]) -> tuple[PaletteColor, ...]:
    means, counts = _histogram(rgb)
    as_lab = _lab(means)
    centers = _seeds(as_lab, counts)
    for _ in range(ROUNDS):
        nearest = ((as_lab[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
        belongs = (nearest[:, None] == np.arange(len(centers))[None]) * counts[:, None]
        weight = belongs.sum(axis=0)
        centers = times(belongs.T, as_lab)[weight > 0] / weight[weight > 0, None]
    nearest = ((as_lab[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
    belongs = (nearest[:, None] == np.arange(len(centers))[None]) * counts[:, None]
    share = belongs.sum(axis=0) / counts.sum()
    colors = times(belongs.T, means) / np.maximum(belongs.sum(axis=0), 1)[:, None]
    found = [
        PaletteColor(hex=_hex(color), share=as_share(part))
        for color, part in zip(colors, share, strict=True)
        if part >= SMALLEST_SHARE
    ]
    return tuple(sorted(found, key=lambda color: (-color.share, color.hex)))


def _histogram(rgb: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Mean colour and pixel count of each occupied bin."""
    shift = 8 - BIN_BITS
    high = (rgb >> shift).reshape(-1, 3).astype(np.int32)
    index = (high[:, 0] << 2 * BIN_BITS) | (high[:, 1] << BIN_BITS) | high[:, 2]
    size = 1 << 3 * BIN_BITS
    counts = np.bincount(index, minlength=size)
    flat = rgb.reshape(-1, 3)
    sums = np.stack([np.bincount(index, flat[:, k], size) for k in range(3)], axis=1)
    occupied = counts > 0
    return sums[occupied] / counts[occupied, None], counts[occupied].astype(np.float64)


def _lab(colors: Floats) -> Floats:
    row = (colors[None] / 255).astype(np.float32)
    return np.asarray(cv2.cvtColor(row, cv2.COLOR_RGB2LAB)[0], np.float64)


def _seeds(as_lab: Floats, counts: Floats) -> Floats:
    """Start where many pixels are far from every start so far."""
    squared = ((as_lab[:, None] - as_lab[None]) ** 2).sum(axis=2)
    density = times(np.exp(-squared / (2 * APART**2)), counts)
    reach = np.full(counts.size, APART * 4)
    chosen: list[int] = []
    while len(chosen) < MOST_COLORS:
        best = int(np.argmax(np.round(density * np.clip(reach - APART, 0, None), 6)))
        if reach[best] <= APART:
            break
        chosen.append(best)
        reach = np.minimum(reach, np.sqrt(((as_lab - as_lab[best]) ** 2).sum(axis=1)))
    return as_lab[chosen]


def _hex(color: Floats) -> str:
    red, green, blue = (int(value) for value in np.clip(np.round(color), 0, 255))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _warmth(a: NDArray[np.float32], b: NDArray[np.float32], chroma: Floats) -> float:
    """Chroma along the warm hue over all chroma; little chroma counts little."""
    warm = np.radians(WARM_HUE_DEG)
    pull = np.cos(warm) * a.sum(dtype=np.float64) + np.sin(warm) * b.sum(dtype=np.float64)
    return float(np.clip(pull / (chroma.sum() + COLORED / 2 * chroma.size), -1, 1))


def _colorfulness(rgb: NDArray[np.uint8]) -> float:
    """Hasler and Suesstrunk: Measuring colourfulness in natural images (2003), over 150."""
    red, green, blue = (rgb[..., k].astype(np.float64) for k in range(3))
    opponent = (red - green, (red + green) / 2 - blue)
    spread = np.hypot(*(plane.std() for plane in opponent))
    center = np.hypot(*(plane.mean() for plane in opponent))
    return float(np.clip((spread + 0.3 * center) / 150, 0, 1))


def _harmony(hue_deg: Floats, chroma: Floats) -> Harmony:
    weight = chroma * np.clip(chroma / COLORED - 0.5, 0, 1)
    colored = float(weight.sum()) / (chroma.size * COLORED)
    if colored < 0.15:
        return Harmony(type="achromatic", score=float(np.clip(1 - colored / 0.3, 0, 1)))
    cell = np.floor(hue_deg / (360 / HUES)).astype(np.int64) % HUES
    circle = np.bincount(cell, weight, HUES) / weight.sum()
    fits = {name: float(times(_MASKS[name], circle).max()) for name in TEMPLATES}
    for name in ("monochromatic", "analogous", "complementary", "triadic"):
        if fits[name] >= FITS:
            return Harmony(type=name, score=min(1.0, fits[name]))
    return Harmony(type="none", score=min(1.0, max(0.0, 1 - max(fits.values()))))


def _mask(sectors: tuple[tuple[float, float], ...]) -> Floats:
    """Membership of each hue cell (columns) in the template turned by each cell (rows).

    Falls off linearly over ten degrees outside a sector, so a small shift of hue changes little.
    """
    hues = (np.arange(HUES) + 0.5) * 360 / HUES
    turned = hues[None, :] - hues[:, None]
    inside = [
        np.clip(1 - (np.abs((turned - center + 180) % 360 - 180) - width / 2) / 10, 0, 1)
        for center, width in sectors
    ]
    return np.asarray(np.max(inside, axis=0))


_MASKS = {name: _mask(sectors) for name, sectors in TEMPLATES.items()}
