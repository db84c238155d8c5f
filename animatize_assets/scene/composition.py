"""How the picture is laid out: where its weight lies, what mirrors, what stays empty.

Belongs here: the measurements of :class:`Composition`. Does not belong here: lines and horizon
(``lines``, ``horizon``), and what a layout suggests (``movement``).

Everything is computed so that a mirrored picture gives mirrored answers: weights depend on a
pixel's distance from the picture's middle, and no position is chosen among equals.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.fractions import as_share, percentiles, positions
from animatize_assets.scene.lines import (
    Segments,
    dominant_lines,
    find_vanishing_point,
    line_density,
)
from animatize_assets.scene.models import (
    Balance,
    Composition,
    Horizon,
    NegativeSpace,
    Symmetry,
    ThirdsEnergy,
)
from animatize_assets.scene.sums import dot, times
from animatize_assets.scene.working_copy import WorkingCopy

Floats = NDArray[np.float32]

POWER_POINT_RADIUS = 0.09
"""Standard deviation of the weight around a power point, in picture widths and heights."""

AXIS_OFF_MIDDLE = 0.03
"""The axis of symmetry may lie so far off the middle, as a share of the side."""

SLOW, FINE = 0.08, 0.01
"""Blurs, as shares of the long side: light and shade; what a mirror image may differ in."""

CLEAR_EDGE = 200.0
"""Sobel magnitude from which an edge counts as one: a white frame is no stronger than a grey."""

SENSOR_NOISE = 4.0
"""Variance (grey levels squared) that counts as nothing when a picture meets its mirror image."""

EDGE_FLOOR = 40.0
"""Sobel magnitude that is an edge in a picture of little contrast (a step of 10 grey levels)."""

EDGE_SHARE = 0.35
"""Otherwise an edge is this share of a step across the picture's own contrast."""

DETAIL_FLOOR = 2.5
"""Local gradient (grey levels per px) below which a place is empty: above what JPEG leaves."""

TEXTURE_FLOOR = 3.0
"""Local deviation (grey levels) of the finest detail at which half of a place is texture."""

BLUR_TAPS = 9
"""Length of the re-blurring filter (Crete et al. 2007, section 3)."""


def measure_composition(
    copy: WorkingCopy, segments: Segments, horizon: Horizon | None
) -> Composition:
    """Measure the layout of ``copy``, whose straight segments and horizon are known."""
    detail = _detail(copy)
    mass = _visual_mass(copy.quarter, detail)
    return Composition(
        thirds=_thirds(mass),
        symmetry=_symmetry(copy.quarter),
        balance=_balance(mass),
        negative_space=_negative_space(detail),
        edge_density=_edge_density(copy.half),
        texture=_texture(copy),
        sharpness=measure_sharpness(copy.gray),
        lines=dominant_lines(segments),
        line_density=line_density(segments),
        vanishing_point=find_vanishing_point(segments),
        horizon=horizon,
    )


def _detail(copy: WorkingCopy) -> Floats:
    """Sobel magnitude of the half copy, averaged to the size of the quarter copy.

    Computed on the quarter copy itself, fine texture would have been averaged away before.
    """
    size = (copy.quarter.width, copy.quarter.height)
    clear = np.minimum(copy.half.gradient_magnitude, CLEAR_EDGE)
    return np.asarray(cv2.resize(clear, size, interpolation=cv2.INTER_AREA), np.float32)


def _visual_mass(quarter: WorkingCopy, detail: Floats) -> Floats:
    """Weigh what draws the eye: local contrast and unusual colour.

    Each relative to its own mean over the picture, and squashed: twice the mean weighs 0.8, a
    third of it 0.1.
    """
    lab = quarter.lab.astype(np.float32)
    unusual = np.sqrt(((lab - lab.mean(axis=(0, 1), dtype=np.float64)) ** 2).sum(axis=2))
    scale = max(quarter.width, quarter.height) * 0.02
    mass = np.zeros(detail.shape, np.float32)
    for part, floor in ((detail, 8.0), (unusual, 4.0)):
        relative = (part / (float(part.mean(dtype=np.float64)) + floor)) ** 2
        mass += (relative / (1 + relative)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(mass, (0, 0), scale), np.float32)


def _thirds(mass: Floats) -> ThirdsEnergy:
    rows, columns = (
        [
            np.exp(-(((positions(count) - at) / POWER_POINT_RADIUS) ** 2) / 2)
            for at in (1 / 3, 2 / 3)
        ]
        for count in mass.shape
    )
    total = float(mass.sum(dtype=np.float64)) + 1e-9
    energy = [
        [as_share(dot(row, times(mass, column)) / total) for column in columns] for row in rows
    ]
    return ThirdsEnergy(
        top_left=energy[0][0],
        top_right=energy[0][1],
        bottom_left=energy[1][0],
        bottom_right=energy[1][1],
    )


def _balance(mass: Floats) -> Balance:
    total = float(mass.sum(dtype=np.float64))
    if total <= 1e-6:
        return Balance(center_x=0.5, center_y=0.5, offset=0)
    x = dot(mass.sum(axis=0, dtype=np.float64), positions(mass.shape[1])) / total
    y = dot(mass.sum(axis=1, dtype=np.float64), positions(mass.shape[0])) / total
    return Balance(
        center_x=x,
        center_y=y,
        offset=min(1.0, float(np.hypot(x - 0.5, y - 0.5) / np.hypot(0.5, 0.5))),
    )


def _symmetry(quarter: WorkingCopy) -> Symmetry:
    """Compare the picture with its mirror images, by its shapes and by its edges.

    Shapes are grey values without what varies slowly over the picture: light from one side does
    not make a face lopsided. On the labelled photographs shapes and edges together tell the
    symmetric ones best (area under the curve 0.95; plain grey values 0.85).
    """
    long_side = max(quarter.height, quarter.width)
    gray = quarter.gray.astype(np.float32)
    shapes = gray - cv2.GaussianBlur(gray, (0, 0), SLOW * long_side)
    edges = np.minimum(quarter.gradient_magnitude, CLEAR_EDGE)
    # After this blur every other pixel is as good, and four times as fast.
    size = ((quarter.width + 1) // 2, (quarter.height + 1) // 2)
    planes = [
        np.asarray(
            cv2.resize(
                cv2.GaussianBlur(plane, (0, 0), FINE * long_side),
                size,
                interpolation=cv2.INTER_AREA,
            ),
            np.float32,
        )
        for plane in (shapes, edges)
    ]
    return Symmetry(
        horizontal=_mirror_agreement(planes),
        vertical=_mirror_agreement([np.ascontiguousarray(plane.T) for plane in planes]),
    )


def _mirror_agreement(planes: list[Floats]) -> float:
    """How far the planes equal their left-right mirror images, 0..1, at the best axis.

    Correlation after taking away each row's mean: a sky over a meadow would otherwise count as
    symmetric. The axis may lie a little off the middle, as in a hand-held photograph or a crop.
    """
    columns = planes[0].shape[1]
    farthest = round(columns * AXIS_OFF_MIDDLE)
    best = 0.0
    for shift in range(-2 * farthest, 2 * farthest + 1):
        window = slice(max(0, shift), columns + min(0, shift))
        agreement = [_mirror_correlation(plane[:, window]) for plane in planes]
        best = max(best, sum(agreement) / len(agreement))
    return as_share(round(best, 9))


def _mirror_correlation(part: Floats) -> float:
    rest = part - part.mean(axis=1, keepdims=True)
    flat = rest.ravel()
    energy = dot(flat, flat)
    shared = dot(flat, rest[:, ::-1].ravel())
    return float(max(0.0, shared / (energy + SENSOR_NOISE * flat.size)))


def _negative_space(detail: Floats) -> NegativeSpace:
    gradient = np.asarray(detail / 8, np.float32)
    spread = max(1.0, max(gradient.shape) / 60)
    spread_out = cv2.GaussianBlur(gradient, (0, 0), spread)
    threshold = DETAIL_FLOOR + 0.3 * float(gradient.mean(dtype=np.float64))
    empty = 1 / (1 + (spread_out / threshold) ** 4)
    rows, columns = (_first_third(count) for count in empty.shape)
    across, down = empty.mean(axis=0, dtype=np.float64), empty.mean(axis=1, dtype=np.float64)
    return NegativeSpace(
        left=as_share(dot(across, columns)),
        right=as_share(dot(across, columns[::-1])),
        top=as_share(dot(down, rows)),
        bottom=as_share(dot(down, rows[::-1])),
    )


def _first_third(count: int) -> NDArray[np.float64]:
    """Weights, summing to 1, of the cells in the first third; a cell on the border in part."""
    weight = np.clip(count / 3 - np.arange(count), 0, 1)
    return np.asarray(weight / weight.sum())


def _edge_density(half: WorkingCopy) -> float:
    luma = half.gray
    low, high = percentiles(luma, 2, 98)
    threshold = max(EDGE_FLOOR, EDGE_SHARE * (high - low) * 2)
    magnitude = half.gradient_magnitude
    squared = (magnitude * np.float32(1 / threshold)) ** 2
    soft = squared * squared * squared
    return float((soft / (1 + soft)).mean(dtype=np.float64))


def _texture(copy: WorkingCopy) -> float:
    """Share of the area whose finest detail is spread out, not one edge."""
    gray = copy.gray
    fine = cv2.absdiff(gray, cv2.blur(gray, (3, 3)))
    cells = (max(1, gray.shape[1] // 16), max(1, gray.shape[0] // 16))
    level = cv2.resize(fine, cells, interpolation=cv2.INTER_AREA).astype(np.float64)
    strong = (level / TEXTURE_FLOOR) ** 2
    return float((strong / (1 + strong)).mean())


def measure_sharpness(gray: NDArray[np.uint8]) -> float:
    """``1 - blur effect``: how much a picture loses when it is blurred again, 0..1.

    Crete, Dolmiere, Ladret, Nicolas: The blur effect: perception and estimation with a new
    no-reference perceptual blur metric (2007). A flat picture has nothing to lose: 0.
    """
    losses = []
    for axis in (0, 1):
        if gray.shape[axis] < 3:
            continue
        taps = (1, BLUR_TAPS) if axis == 0 else (BLUR_TAPS, 1)
        blurred = np.asarray(cv2.blur(gray, taps), np.uint8)
        before, after = _variation(gray, axis), _variation(blurred, axis)
        lost = cv2.sumElems(cv2.subtract(before, after))[0]
        total = cv2.sumElems(before)[0]
        if total > 0.05 * gray.size:
            losses.append(lost / total)
    return float(np.clip(min(losses), 0, 1)) if losses else 0.0


def _variation(plane: NDArray[np.uint8], axis: int) -> NDArray[np.uint8]:
    following, previous = (plane[1:], plane[:-1]) if axis == 0 else (plane[:, 1:], plane[:, :-1])
    return np.asarray(cv2.absdiff(following, previous), np.uint8)
