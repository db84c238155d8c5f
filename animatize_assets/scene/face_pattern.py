"""A face-like pattern: skin with two dark eyes over lighter cheeks.

A hand-made cascade of the rectangle contrasts that Viola and Jones 2001 found first: the eye band
is darker than the cheeks, the bridge of the nose lighter than the eyes; on a skin-coloured window
whose sides are something else. It says "as a portrait looks", for the scene type only: it is not
a face detector (``people`` takes one from a file) and its windows are nobody's face box.

Belongs here: the score. Does not belong here: what follows from it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.surface import Surface

WINDOW_SIDES = (0.16, 0.20, 0.25, 0.31, 0.38, 0.46, 0.56, 0.68, 0.82)
"""Sides of the square search windows as shares of the picture's shorter side."""

MIN_WINDOW_PX = 14
STEPS_PER_WINDOW = 10
"""Windows are tried at every tenth of their side."""

MIN_SKIN = 0.15
"""Mean skin likelihood below which a window is not looked at further."""

SKIN_HUE_DEG, SKIN_HUE_SPREAD = 52.0, 16.0
"""Centre and standard deviation of skin's h_ab: people of all complexions differ in L* and C*
far more than in hue (Xiao et al. 2017 measure 45 to 65 degrees)."""

EYE_CONTRAST, BRIDGE_CONTRAST = 12.0, 8.0
"""L* differences at which the two contrasts count fully."""

FULL_SCORE = 0.4
"""Product of all factors that counts fully: labelled portraits have 0.2 to 0.6."""

Rectangle = tuple[float, float, float, float]
LEFT_EYE: Rectangle = (0.12, 0.28, 0.40, 0.46)
RIGHT_EYE: Rectangle = (0.60, 0.28, 0.88, 0.46)
BRIDGE: Rectangle = (0.42, 0.28, 0.58, 0.46)
LEFT_CHEEK: Rectangle = (0.12, 0.50, 0.40, 0.66)
RIGHT_CHEEK: Rectangle = (0.60, 0.50, 0.88, 0.66)
INNER: Rectangle = (0.20, 0.30, 0.80, 0.85)
LEFT_SIDE: Rectangle = (-0.35, 0.20, -0.05, 0.80)
RIGHT_SIDE: Rectangle = (1.05, 0.20, 1.35, 0.80)
FOREHEAD: Rectangle = (0.30, 0.08, 0.70, 0.24)
ABOVE: Rectangle = (0.10, -0.30, 0.90, -0.05)
HAIR_ALLOWED = 0.4
"""What is left of the score without a forehead: hair may cover it, but the rounded top of any
skin-coloured thing has dark corners too, and no forehead."""


def face_pattern(small: Surface) -> float:
    """Score of the most face-like window, 0..1; 0 in a picture without colour."""
    rows, columns = small.shape
    shorter = min(rows, columns)
    margin = max(1, shorter // 10)
    lightness = _summed(small.lightness, margin)
    skin = _summed(_skin_likelihood(small), margin)
    best = 0.0
    for share in WINDOW_SIDES:
        side = round(share * shorter)
        if side >= MIN_WINDOW_PX:
            best = max(best, _best_window(lightness, skin, side))
    return min(1.0, best / FULL_SCORE)


def _skin_likelihood(small: Surface) -> NDArray[np.float32]:
    hue = np.exp(-(((small.hue_deg - SKIN_HUE_DEG) / SKIN_HUE_SPREAD) ** 2) / 2)
    chroma = np.clip((small.chroma - 6) / 6, 0, 1)
    not_vivid = np.exp(-(np.maximum(small.chroma - 32, 0) ** 2) / 128)
    lit = np.clip((small.lightness - 30) / 15, 0, 1)
    return np.asarray(hue * chroma * not_vivid * lit, np.float32)


def _summed(plane: NDArray[np.float32], margin: int) -> NDArray[np.float64]:
    padded = cv2.copyMakeBorder(plane, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.integral(padded, sdepth=cv2.CV_64F), np.float64)


def _positions(length: int, side: int) -> NDArray[np.intp]:
    """Window starts, the same seen from either end, so that a mirrored picture scores alike."""
    room = length - side
    if room < 0:
        return np.zeros(0, np.intp)
    count = room // max(1, side // STEPS_PER_WINDOW) + 1
    near = np.floor(np.linspace(0, room, count) + 0.5)[: (count + 1) // 2].astype(np.intp)
    return np.unique(np.concatenate([near, room - near]))


def _best_window(lightness: NDArray[np.float64], skin: NDArray[np.float64], side: int) -> float:
    rows, columns = lightness.shape[0] - 1, lightness.shape[1] - 1
    ys, xs = np.meshgrid(_positions(rows, side), _positions(columns, side), indexing="ij")
    y, x = ys.ravel(), xs.ravel()
    if y.size == 0:
        return 0.0
    inner = _mean(skin, y, x, side, INNER)
    kept = inner > MIN_SKIN
    if not kept.any():
        return 0.0
    y, x, inner = y[kept], x[kept], inner[kept]
    # Most windows fail early: each contrast is taken only where the one before was there.
    left_eye, left_cheek = (_mean(lightness, y, x, side, p) for p in (LEFT_EYE, LEFT_CHEEK))
    kept = left_cheek > left_eye
    y, x, inner = y[kept], x[kept], inner[kept]
    left_eye, left_cheek = left_eye[kept], left_cheek[kept]
    right_eye, right_cheek = (_mean(lightness, y, x, side, p) for p in (RIGHT_EYE, RIGHT_CHEEK))
    eye_contrast = np.minimum(left_cheek - left_eye, right_cheek - right_eye)
    bridge_contrast = _mean(lightness, y, x, side, BRIDGE) - (left_eye + right_eye) / 2
    unevenness = np.abs(left_cheek - right_cheek) + np.abs(left_eye - right_eye)
    score = (
        inner
        * np.clip(eye_contrast / EYE_CONTRAST, 0, 1)
        * np.clip(bridge_contrast / BRIDGE_CONTRAST, 0, 1)
        * np.exp(-unevenness / 40)
    )
    kept = score > 0
    if not kept.any():
        return 0.0
    y, x, score = y[kept], x[kept], score[kept]
    sides = (_mean(skin, y, x, side, LEFT_SIDE) + _mean(skin, y, x, side, RIGHT_SIDE)) / 2
    above = _mean(skin, y, x, side, ABOVE)
    forehead = np.clip(_mean(skin, y, x, side, FOREHEAD) / inner[kept], 0, 1)
    score = score * (HAIR_ALLOWED + (1 - HAIR_ALLOWED) * forehead)
    return float((score * np.clip(1 - sides - above / 2, 0.05, 1)).max())


def _mean(
    summed: NDArray[np.float64],
    y: NDArray[np.intp],
    x: NDArray[np.intp],
    side: int,
    part: Rectangle,
) -> NDArray[np.float64]:
    """Mean over a part of each window; what lies outside the picture is left out."""
    rows, columns = summed.shape[0] - 1, summed.shape[1] - 1
    x0 = np.clip(x + round(part[0] * side), 0, columns)
    y0 = np.clip(y + round(part[1] * side), 0, rows)
    x1 = np.clip(x + side - round((1 - part[2]) * side), 0, columns)
    y1 = np.clip(y + round(part[3] * side), 0, rows)
    total = summed[y1, x1] - summed[y0, x1] - summed[y1, x0] + summed[y0, x0]
    return np.asarray(total / np.maximum((x1 - x0) * (y1 - y0), 1), np.float64)
