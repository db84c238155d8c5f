"""The monocular cues to depth, each as a map with a weight that the picture itself decides.

Belongs here: the cues. Does not belong here: how they are joined and refined (``depth``).

A cue that says the same everywhere, or whose own premise does not hold in this picture, gets
weight 0. The cues are those of the textbooks (Palmer, Vision Science, 1999, chapter 5): height in
the visual field, relative blur, texture gradient, aerial perspective, linear perspective.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.fractions import percentiles, positions
from animatize_assets.scene.models import Composition, VanishingPoint
from animatize_assets.scene.sums import dot
from animatize_assets.scene.working_copy import WorkingCopy

Floats = NDArray[np.float32]

HEIGHT_ALONE = 0.35
"""Most that height in the frame is believed without a horizon: many pictures have no ground."""

SURE_HORIZON = (0.5, 0.7)
"""Strength of a horizon from which it begins to count (weaker ones are not reported) and from
which it counts wholly: a horizon that is only just found moves the map only a little."""

SURE_AGREEMENT = (0.4, 0.7)
"""Likewise of a vanishing point."""

LAYERED = 30.0
"""Colour difference between top and bottom third (CIELAB) at which height is believed fully."""

BLUR_FLOOR, BLUR_RANGE = 0.045, 0.10
"""Deviation of local fineness over the textured places: below the floor focus is even (white
noise has 0.01), at floor + range it is as uneven as in a portrait with a blurred background."""

VISIBLE_DETAIL = 2.0
"""Local contrast (grey levels) at which a place can show whether it is sharp."""

FINENESS_SLOPE = (0.04, 0.16)
"""Rise of fineness from bottom to top from which a texture gradient begins to be believed (less
is what a crop or another size of the same picture changes), and at which it is believed fully."""

CUT_OFF_ROWS = 0.06
"""Share of the rows at the top and at the bottom that do not count as texture: the frame of a
scanned or rectified picture, half cropped away, would tilt the whole gradient."""

TEXTURED_SHARE = 0.4
"""Share of the picture that must show texture before its gradient is believed fully."""

FULL_HAZE = 0.5
"""Range of haze (0..1) at which aerial perspective is believed fully."""


@dataclass(frozen=True)
class Cue:
    """One cue: its map (size of the quarter copy, 1 = near) and how far it is believed, 0..1."""

    name: str
    near: Floats
    weight: float


def find_cues(copy: WorkingCopy, composition: Composition) -> tuple[Cue, ...]:
    """All five cues, always in the same order; a silent one has weight 0."""
    fineness, detail = _fineness(copy)
    gradient = _texture_gradient(fineness, detail)
    return (
        _height(copy.quarter, composition),
        _defocus(fineness, detail, gradient.weight),
        gradient,
        _haze(copy.quarter),
        _perspective(copy.quarter, composition.vanishing_point),
    )


def _height(quarter: WorkingCopy, composition: Composition) -> Cue:
    """Take what is lower to be nearer, counted from the horizon as far as there is one."""
    down = positions(quarter.height)
    third = max(1, quarter.height // 3)
    lab = quarter.lab.astype(np.float32)
    top, bottom = (part.mean(axis=(0, 1), dtype=np.float64) for part in (lab[:third], lab[-third:]))
    weight = HEIGHT_ALONE * min(1.0, float(np.sqrt(((top - bottom) ** 2).sum())) / LAYERED)
    near = np.repeat(down[:, None], quarter.width, axis=1)
    horizon = composition.horizon
    if horizon is not None:
        across = (positions(quarter.width) - 0.5) * quarter.width / quarter.height
        line = horizon.y - np.tan(np.radians(horizon.angle_deg)) * across
        below = np.clip((down[:, None] - line[None, :]) / max(0.05, 1 - horizon.y), 0, 1)
        sure = _ramp(horizon.strength, SURE_HORIZON)
        near = sure * below + (1 - sure) * near
        weight = sure * (0.5 + 0.5 * horizon.strength) + (1 - sure) * weight
    return Cue("height", near.astype(np.float32), weight)


def _ramp(value: float, bounds: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - bounds[0]) / (bounds[1] - bounds[0])))


def _fineness(copy: WorkingCopy) -> tuple[Floats, Floats]:
    """Where detail is visible, how fine it is (0 = blurred, 1 = finest); and how visible it is.

    Energy in the finest octave over that in the two finest, averaged over windows of 5 %.
    """
    gray = copy.half.gray
    finer, coarser = cv2.blur(gray, (3, 3)), cv2.blur(gray, (7, 7))
    size = (copy.quarter.width, copy.quarter.height)
    spread = max(1.0, max(size) * 0.025)
    fine, coarse = (
        cv2.GaussianBlur(
            cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32), (0, 0), spread
        )
        for part in (cv2.absdiff(gray, finer), cv2.absdiff(finer, coarser))
    )
    detail = np.asarray(fine + coarse, np.float32)
    return np.asarray(fine / (detail + 0.5), np.float32), detail


def _visibility(detail: Floats) -> Floats:
    squared = (detail / VISIBLE_DETAIL) ** 2
    return np.asarray(squared / (1 + squared), np.float32)


def _defocus(fineness: Floats, detail: Floats, receding: float) -> Cue:
    """Sharp is near, where focus is uneven and not merely texture running into the distance."""
    seen = _visibility(detail)
    total = float(seen.sum(dtype=np.float64)) + 1e-6
    mean = float((seen * fineness).sum(dtype=np.float64)) / total
    deviation = float(((seen * (fineness - mean) ** 2).sum(dtype=np.float64) / total) ** 0.5)
    uneven = float(np.clip((deviation - BLUR_FLOOR) / BLUR_RANGE, 0, 1))
    scale = 2 * deviation + 0.02
    near = np.clip(0.5 + (fineness - mean) / (2 * scale), 0, 1) * seen
    share_seen = total / seen.size
    weight = uneven * (1 - 0.7 * receding) * min(1.0, 3 * share_seen)
    return Cue("defocus", near.astype(np.float32), float(weight))


def _texture_gradient(fineness: Floats, detail: Floats) -> Cue:
    """Texture that grows finer upwards lies on a ground that runs away from the viewer."""
    seen = _visibility(detail)
    rows = seen.sum(axis=1, dtype=np.float64)
    down = positions(rows.size)
    textured = min(1.0, float(rows.sum()) / seen.size / TEXTURED_SHARE)
    near = np.repeat(down[:, None], seen.shape[1], axis=1).astype(np.float32)
    if rows.sum() < 0.05 * seen.size:
        return Cue("texture_gradient", near, 0.0)
    per_row = (seen * fineness).sum(axis=1, dtype=np.float64) / np.maximum(rows, 1e-6)
    weight = rows * np.clip((0.5 - np.abs(down - 0.5)) / CUT_OFF_ROWS - 1, 0, 1)
    weight /= weight.sum() + 1e-9
    mean_x, mean_y = dot(weight, down), dot(weight, per_row)
    spread_x = dot(weight, (down - mean_x) ** 2)
    spread_y = dot(weight, (per_row - mean_y) ** 2)
    shared = dot(weight, (down - mean_x) * (per_row - mean_y))
    slope = -shared / (spread_x + 1e-6)
    explained = shared**2 / (spread_x * spread_y + 1e-9)
    believed = _ramp(float(slope), FINENESS_SLOPE) * min(1.0, explained)
    return Cue("texture_gradient", near, believed * textured)


def _haze(quarter: WorkingCopy) -> Cue:
    """Take what is pale and colourless to be far, most of all when it lies above.

    The dark channel of He, Sun, Tang (Single image haze removal, 2009).
    """
    window = max(3, round(max(quarter.height, quarter.width) * 0.03) | 1)
    red, green, blue = cv2.split(quarter.rgb)
    darkest = cv2.erode(
        cv2.min(cv2.min(red, green), blue),
        cv2.getStructuringElement(cv2.MORPH_RECT, (window, window)),
    )
    haze = cv2.blur(darkest, (window, window)).astype(np.float32) / 255
    low, high = percentiles(haze, 5, 95)
    near = np.clip(1 - (haze - low) / max(high - low, 0.05), 0, 1).astype(np.float32)
    above = 0.5 - positions(haze.shape[0])
    trend = dot(haze.mean(axis=1, dtype=np.float64) - haze.mean(dtype=np.float64), above)
    deviation = float(haze.std(dtype=np.float64)) * float(np.sqrt((above**2).mean()))
    rising = float(np.clip(1.5 * trend / (haze.shape[0] * deviation + 1e-3), 0, 1))
    return Cue("haze", near, min(1.0, (high - low) / FULL_HAZE) * (0.2 + 0.6 * rising))


def _perspective(quarter: WorkingCopy, point: VanishingPoint | None) -> Cue:
    if point is None:
        return Cue("vanishing_point", np.full(quarter.gray.shape, 0.5, np.float32), 0.0)
    diagonal = float(np.hypot(quarter.width, quarter.height))
    x = (positions(quarter.width) - point.x) * quarter.width / diagonal
    y = (positions(quarter.height) - point.y) * quarter.height / diagonal
    distance = np.hypot(x[None, :], y[:, None])
    near = distance / max(float(distance.max()), 1e-6)
    sure = _ramp(point.strength, SURE_AGREEMENT)
    return Cue("vanishing_point", near.astype(np.float32), sure * point.strength)
