"""What lies in front of what: an image cut at its depth edges into layers that overlap.

Belongs here: where to cut, the soft edge of each layer, and what a layer holds behind a nearer
one. Does not belong here: where layers move (``projection``) or how they are drawn (``frame``).

The image is cut only where depth *jumps*. Each layer's depth is a smooth surface that goes on
behind the nearer layer, and so does its picture, by filling: when the near layer moves aside,
what appears was filled, not stretched. Where a cut crosses a surface without a jump, both layers
have the same picture and the same depth there, so the cut cannot be seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.rendering.filling import continue_picture, fill_unknown

PLAN_LONG_SIDE_PX = 320
"""Long side at which cuts and depth are planned."""

EDGE_LONG_SIDE_PX = 1280
"""Longest side at which the course of an edge is taken from the depth map."""

MEDIAN_PX = 11
"""Parts of the plan smaller than half of this have no depth of their own: measured depth follows
the texture of a wall, and a wall that is cut at its windows falls apart as it moves."""

MIN_PART = 0.01
"""A part of a layer smaller than this share of the image goes with what surrounds it."""

MIN_JUMP = 0.22
"""Difference of depth within :data:`EDGE_PX` that counts as an edge rather than a slope: a floor
that rises through the whole frame changes by about 0.04 in that distance."""

EDGE_PX = 3
"""Depth maps are soft at edges: a jump is what changes within this many pixels of the plan."""

MIN_EDGE_SHARE = 0.25
"""A cut is made only along edges at least this long, in shares of the plan's shorter side."""

MAX_LAYERS = 3
"""Far, middle and near: each costs a pass over its part of the frame."""

MAX_SHEAR = 0.5
"""Within a layer neighbouring points may move apart or together by this share of their distance.
Below 1 the picture cannot fold; at one half it is stretched by at most 2."""

MATTE_MARGIN_PX = 1.5
"""How far, in pixels of the picture, a near layer reaches beyond its depth edge: the row of mixed
pixels at a silhouette belongs to what is in front."""

FEATHER_PX = 3.0
"""Width of a layer's soft edge, in pixels of the picture."""

_BINS = 64


@dataclass(frozen=True)
class Layer:
    """One layer, to be drawn over those before it.

    ``picture``: uint8, rows x columns x RGB, defined beyond the layer's edge too. ``alpha``:
    uint8, rows x columns, the soft edge (255 everywhere in the farthest layer). ``depth``: float32
    in 0..1, 1 = near, defined everywhere, of any size.
    """

    picture: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    depth: NDArray[np.float32]


def cut_into_layers(
    pixels: NDArray[np.uint8], depth: NDArray[np.float32], *, drift_px: float
) -> tuple[Layer, ...]:
    """Cut an image into layers, the farthest first.

    ``pixels``: uint8 RGB. ``depth``: float32 of the same area, any size. ``drift_px``: how far
    depth 0 and depth 1 move apart at most, in pixels of ``pixels``; with less than a pixel there
    is nothing to cut.
    """
    fine = _reduced(depth, EDGE_LONG_SIDE_PX)
    plan = _calmed(_reduced(fine, PLAN_LONG_SIDE_PX))
    scale = pixels.shape[1] / plan.shape[1]
    drift = drift_px / scale
    opaque = np.full(pixels.shape[:2], 255, np.uint8)
    if drift_px < 1:
        flat = np.full((2, 2), plan.mean(), np.float32)
        return (Layer(pixels, opaque, flat),)
    near, far = _spread(plan)
    jumps = (near - far) > MIN_JUMP
    cuts = _cuts(near, far, jumps)
    reach = _soft_dilated(jumps, 2 * EDGE_PX + drift)
    layers = []
    alpha = opaque
    for index in range(len(cuts) + 1):
        low = cuts[index - 1] if index else 0.0
        high = cuts[index] if index < len(cuts) else 1.0
        surface = _surface(plan, (near, far, jumps), (low, high), reach)
        picture = pixels
        if index < len(cuts):
            front = _with_course_of(_whole_parts(plan > high), fine > high)
            hidden = _matte(front, pixels.shape[1], pixels.shape[0])
            picture = continue_picture(pixels, hidden, reach, depth_px=drift_px)
        layers.append(Layer(picture, alpha, _gentle(surface, drift)))
        if index < len(cuts):
            alpha = hidden
    return tuple(layers)


def _reduced(depth: NDArray[np.float32], long_side_px: int) -> NDArray[np.float32]:
    rows, columns = depth.shape
    share = min(1.0, long_side_px / max(rows, columns))
    if share < 1:
        size = (max(2, round(columns * share)), max(2, round(rows * share)))
        depth = np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.clip(depth, 0, 1).astype(np.float32)


def _calmed(plan: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the plan without small parts; a median keeps edges where they are."""
    levels = cv2.medianBlur((plan * 255 + 0.5).astype(np.uint8), MEDIAN_PX)
    return (levels * np.float32(1 / 255)).astype(np.float32)


def _whole_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``mask`` without its small islands and small holes."""
    whole = mask
    for _ in range(2):  # islands, then, of the inverse, holes
        _, labels, parts, _ = cv2.connectedComponentsWithStats(whole.astype(np.uint8))
        large = parts[:, cv2.CC_STAT_AREA] >= MIN_PART * mask.size
        whole = ~(whole & large[labels])
    return whole


def _with_course_of(coarse: NDArray[np.bool_], fine: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``coarse`` at the size of ``fine``, whose course it follows along its edges."""
    size = (fine.shape[1], fine.shape[0])
    inside = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    reach = max(1, round(EDGE_PX * fine.shape[1] / coarse.shape[1]))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near_edge = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, disc) > 0
    course = np.where(near_edge, fine, inside).astype(np.uint8) * 255
    return np.asarray(cv2.medianBlur(course, 2 * (reach // 2) + 3) > 0, np.bool_)


def _spread(plan: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the nearest and the farthest depth within :data:`EDGE_PX` of each point."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * EDGE_PX + 1, 2 * EDGE_PX + 1))
    return (
        np.asarray(cv2.dilate(plan, disc), np.float32),
        np.asarray(cv2.erode(plan, disc), np.float32),
    )


def _cuts(
    near: NDArray[np.float32], far: NDArray[np.float32], jumps: NDArray[np.bool_]
) -> list[float]:
    """Depths at which to cut: those that most jumps cross, each weighted by its height."""
    low, high = far[jumps], near[jumps]
    # An edge is seen by all points within EDGE_PX on both sides of it.
    enough = MIN_EDGE_SHARE * min(near.shape) * 2 * EDGE_PX
    cuts: list[float] = []
    while len(cuts) < MAX_LAYERS - 1 and low.size > enough:
        quarter = (high - low) / 4
        first = ((low + quarter) * _BINS).astype(np.int64)
        last = ((high - quarter) * _BINS).astype(np.int64)
        votes = np.bincount(first, high - low, _BINS + 2)[: _BINS + 2]
        votes = votes - np.bincount(last + 1, high - low, _BINS + 2)[: _BINS + 2]
        crossed = np.cumsum(votes)[:_BINS]
        best = np.flatnonzero(crossed >= crossed.max() - 1e-9)
        cut = (float(np.median(best)) + 0.5) / _BINS
        across = (low < cut) & (cut < high)
        if np.count_nonzero(across) <= enough:
            break
        cuts.append(cut)
        low, high = low[~across], high[~across]
    return sorted(cuts)


def _surface(
    plan: NDArray[np.float32],
    spread: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]],
    between: tuple[float, float],
    reach: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Depth of the layer ``between`` two cuts, continued beyond its own part.

    On a jump a layer takes the depth of its own side, as the ramp between is nobody's. Beyond a
    jump it is filled; beyond a cut without a jump it is the cut's depth, which joins smoothly.
    """
    near, far, jumps = spread
    low, high = between
    own = np.clip(plan, low, high)
    sided = np.where(jumps & (far < low) & (near <= high), near, plan)
    sided = np.where(jumps & (near > high) & (far >= low), far, sided)
    inside = (plan > low) & (plan <= high)
    filled = fill_unknown(np.clip(sided, low, high), inside.astype(np.float32))
    return np.asarray(own + reach * (filled - own), np.float32)


def _gentle(surface: NDArray[np.float32], drift: float) -> NDArray[np.float32]:
    """Smooth ``surface`` until neighbouring points drift apart by at most :data:`MAX_SHEAR`."""
    smooth, sigma = surface, 1.0
    while sigma < max(surface.shape):
        dx, dy = (
            cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8),
            cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8),
        )
        if drift * float(cv2.magnitude(dx, dy).max()) <= MAX_SHEAR:
            break
        smooth = np.asarray(
            cv2.GaussianBlur(surface, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32
        )
        sigma *= 1.5
    return smooth


def _soft_dilated(mask: NDArray[np.bool_], radius: float) -> NDArray[np.float32]:
    """Return 1 within ``radius`` of ``mask``, falling to 0 over the same distance again."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(np.clip(2 - away / radius, 0, 1), np.float32)


def _matte(mask: NDArray[np.bool_], width: int, height: int) -> NDArray[np.uint8]:
    """Soft edge of ``mask`` at ``width`` x ``height``: 255 inside, 0 outside."""
    inside = mask.astype(np.uint8)
    signed = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5) - cv2.distanceTransform(
        1 - inside, cv2.DIST_L2, cv2.DIST_MASK_5
    )
    # Half a pixel: the edge runs between the last pixel inside and the first outside, where both
    # distances are 1. Smoothing takes the staircase of the coarse mask away.
    smooth = cv2.GaussianBlur(np.asarray(signed, np.float32), (0, 0), 1.0)
    fine = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC)
    gain = 255 * width / mask.shape[1] / FEATHER_PX
    middle = 255 * (0.5 + MATTE_MARGIN_PX / FEATHER_PX)
    return np.asarray(cv2.addWeighted(fine, gain, fine, 0, middle, dtype=cv2.CV_8U), np.uint8)
