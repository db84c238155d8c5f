"""A relative depth map, from monocular cues or from a depth model.

Belongs here: joining the cues, refining the map at the picture's edges, and summing it up. Does
not belong here: the cues (``depth_cues``), loading a model (``optional_models``), or what depth
is good for (``rendering``, ``movement``).
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.depth_cues import Cue, find_cues
from animatize_assets.scene.fractions import percentiles
from animatize_assets.scene.models import Box, Composition, Depth, DepthCue
from animatize_assets.scene.optional_models import DepthModel
from animatize_assets.scene.sums import dot, times
from animatize_assets.scene.working_copy import WorkingCopy

Floats = NDArray[np.float32]

NEAR, FAR = 2 / 3, 1 / 3

GUIDE_RADIUS = 6
"""Window radius of the guided filter on the quarter copy: 4 % of its long side."""

GUIDE_SMOOTHNESS = 2e-3
"""Regularisation: edges of less than about 0.045 of the grey range are smoothed over."""

ENOUGH_WEIGHT = 0.5
"""Sum of cue weights from which the map may use its whole range; below, it shrinks to 0.5."""

MOST_STRETCH = 2.0
"""A mean of cues is flatter than any of them; its range is stretched by at most this."""


def measure_depth(
    copy: WorkingCopy, composition: Composition, model: DepthModel | None
) -> tuple[Depth, Floats]:
    """Measure relative depth: the record, and the map (float32, size of ``copy``, 1 = near).

    ``subject_separation`` is left None; :func:`separation` computes it once a subject is known.

    Raises:
        NotConfigured: ``model`` does not answer with a depth map.

    """
    if model is None:
        return _from_cues(copy, composition)
    return _from_model(copy, model)


def separation(depth: Floats, box: Box | None) -> float | None:
    """Mean depth inside the box minus outside; None without a box or without an outside."""
    if box is None:
        return None
    rows, columns = depth.shape
    across = _covered(columns, box[0], box[2])
    down = _covered(rows, box[1], box[3])
    inside = float(down.sum() * across.sum())
    outside = depth.size - inside
    if inside < 1 or outside < 1:
        return None
    total = float(depth.sum(dtype=np.float64))
    within = dot(down, times(depth, across))
    return within / inside - (total - within) / outside


def _covered(count: int, start: float, end: float) -> NDArray[np.float64]:
    """How much of each of ``count`` cells lies between two fractions of the side."""
    left = np.arange(count)
    overlap = np.minimum(left + 1, end * count) - np.maximum(left, start * count)
    return np.asarray(np.clip(overlap, 0, 1), np.float64)


def _from_cues(copy: WorkingCopy, composition: Composition) -> tuple[Depth, Floats]:
    cues = find_cues(copy, composition)
    joined, confidence = _joined(cues)
    depth = _applied_large(joined, copy)
    record = _record(
        depth,
        method="cues",
        model=None,
        cues=tuple(DepthCue(name=cue.name, weight=cue.weight) for cue in cues),
        confidence=confidence,
    )
    return record, depth


def _joined(cues: tuple[Cue, ...]) -> tuple[Floats, float]:
    """Join the cues by their weights, and tell how far they speak and agree."""
    total = sum(cue.weight for cue in cues)
    if total < 1e-3:
        return np.full_like(cues[0].near, 0.5), 0.0
    mean = np.zeros_like(cues[0].near)
    for cue in cues:
        mean += np.float32(cue.weight / total) * cue.near
    agreement = sum(cue.weight * max(0.0, _correlation(cue.near, mean)) for cue in cues) / total
    low, high = percentiles(mean, 2, 98)
    stretch = min(MOST_STRETCH, 1 / max(high - low, 1e-3)) * min(1.0, total / ENOUGH_WEIGHT)
    joined = np.clip(0.5 + (mean - (low + high) / 2) * stretch, 0, 1).astype(np.float32)
    return joined, float(agreement * (1 - np.exp(-total)))


def _correlation(a: Floats, b: Floats) -> float:
    one = a - a.mean(dtype=np.float64)
    other = b - b.mean(dtype=np.float64)
    scale = float(np.sqrt((one**2).mean() * (other**2).mean()))
    return 0.0 if scale < 1e-6 else float((one * other).mean() / scale)


def _applied_large(joined: Floats, copy: WorkingCopy) -> Floats:
    """Refine with the guided filter on the quarter copy, applied at full size.

    He, Sun, Tang: Guided image filtering (2013); He, Sun: Fast guided filter (2015).
    """
    window = (2 * GUIDE_RADIUS + 1,) * 2
    guide = copy.quarter.gray.astype(np.float32) / np.float32(255)
    mean_guide, mean_depth = cv2.blur(guide, window), cv2.blur(joined, window)
    shared = cv2.blur(guide * joined, window) - mean_guide * mean_depth
    variance = cv2.blur(guide * guide, window) - mean_guide * mean_guide
    slope = shared / (variance + np.float32(GUIDE_SMOOTHNESS))
    offset = mean_depth - slope * mean_guide
    size = (copy.width, copy.height)
    large_slope, large_offset = (
        cv2.resize(cv2.blur(part, window), size, interpolation=cv2.INTER_LINEAR)
        for part in (slope, offset)
    )
    # In place: at this size fresh arrays would take longer than the arithmetic.
    depth = np.multiply(copy.gray, np.float32(1 / 255), dtype=np.float32)
    depth *= large_slope
    depth += large_offset
    return np.clip(depth, 0, 1, out=depth)


def _from_model(copy: WorkingCopy, model: DepthModel) -> tuple[Depth, Floats]:
    inverse = model.estimate(copy.rgb)
    low, high = percentiles(inverse, 1, 99)
    if high - low < 1e-6:
        depth = np.full(copy.gray.shape, 0.5, np.float32)
        return _record(depth, method="onnx", model=model.name, cues=(), confidence=0.0), depth
    scaled = np.clip((inverse - low) / (high - low), 0, 1).astype(np.float32)
    large = cv2.resize(scaled, (copy.width, copy.height), interpolation=cv2.INTER_LINEAR)
    depth = np.asarray(large, np.float32)
    confidence = _edge_agreement(depth, copy)
    return _record(depth, method="onnx", model=model.name, cues=(), confidence=confidence), depth


def _edge_agreement(depth: Floats, copy: WorkingCopy) -> float:
    """How much stronger the picture's edges are where depth changes most: 0.5 = no stronger."""
    small = cv2.resize(
        depth, (copy.quarter.width, copy.quarter.height), interpolation=cv2.INTER_AREA
    )
    change = cv2.magnitude(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    edges = copy.quarter.gradient_magnitude.astype(np.float64)
    weight = change.astype(np.float64)
    there = float((edges * weight).sum() / max(float(weight.sum()), 1e-9))
    return there / (there + float(edges.mean()) + 1e-6)


def _record(
    depth: Floats,
    *,
    method: Literal["cues", "onnx"],
    model: str | None,
    cues: tuple[DepthCue, ...],
    confidence: float,
) -> Depth:
    size = ((depth.shape[1] + 3) // 4, (depth.shape[0] + 3) // 4)
    small = np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_AREA), np.float32)
    low, high = percentiles(small, 5, 95)
    return Depth(
        method=method,
        model=model,
        cues=cues,
        confidence=float(np.clip(confidence, 0, 1)),
        spread=float(np.clip(high - low, 0, 1)),
        near_share=_soft_share(small - NEAR),
        far_share=_soft_share(FAR - small),
        subject_separation=None,
    )


def _soft_share(beyond: Floats) -> float:
    """Share of pixels beyond a threshold; within 0.02 of it they count in part."""
    return float(np.clip(beyond * 25 + 0.5, 0, 1).mean(dtype=np.float64))
