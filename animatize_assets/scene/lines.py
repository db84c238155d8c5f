"""Straight lines, the directions they run in, and the point they agree to meet at.

Belongs here: segments, dominant directions, vanishing point. Does not belong here: the horizon
(a boundary between regions, not a line among others; ``horizon``).

Segments come from the line segment detector of Grompone von Gioi et al. (IPOL 2012), whose
a-contrario test accepts about one false segment per picture of noise; those are short and are
dropped here. Inside this module a point is (x, y) from the picture's centre, y downwards, in
units of the picture's diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.models import Line, VanishingPoint
from animatize_assets.scene.sums import times
from animatize_assets.scene.working_copy import WorkingCopy

Floats = NDArray[np.float64]

SHORTEST_SEGMENT = 0.035
"""Shorter segments (in diagonals) are texture, not lines: 13 px of a 384 px diagonal."""

SHORTEST_PX = 12.0
"""And shorter ones than this (pixels of the half copy) are noise in a tiny picture."""

DIRECTION_SPREAD_DEG = 6.0
"""Standard deviation of the kernel that joins segments into one direction: hand-held horizons and
perspective keep a direction together within about two of these."""

DIRECTIONS_APART_DEG = 20
"""Two dominant directions are at least this far apart."""

SHORT, LONG = 0.055, 0.085
"""A segment leads the eye when it is long: from nothing at the first to all of its length at the
second, in diagonals. An oblique one leads it more than one parallel to the frame, which nearly
every picture has: it counts twice. With both, the strongest direction is the rater's in 0.66 of
the labelled photographs that have one; without, in 0.55 (always "diagonal": 0.60)."""

MOST_DIRECTIONS = 4
WEAKEST_DIRECTION = 0.15
"""A direction with less of the line length than this is not dominant: an even spread gives a
window of this width (+-12 degrees) 0.13."""

DENSE_LINES = 6.0
"""Line length, in diagonals, at which ``line_density`` is 1 - 1/e."""

FAINTEST_LINES = 0.12
"""Less straight length than this (in diagonals) is no line at all."""


@dataclass(frozen=True)
class Segments:
    """Straight segments, longest first; all arrays have one entry (or row) per segment."""

    start: Floats
    end: Floats
    aspect: tuple[float, float]
    """Width and height of the picture in diagonals."""

    @property
    def middle(self) -> Floats:
        """Midpoints."""
        return (self.start + self.end) / 2

    @property
    def length(self) -> Floats:
        """Lengths in diagonals."""
        delta = self.end - self.start
        return np.hypot(delta[:, 0], delta[:, 1])

    @property
    def angle_deg(self) -> Floats:
        """Directions in -90..90, positive = rising to the right."""
        delta = self.end - self.start
        angle = np.degrees(np.arctan2(-delta[:, 1], delta[:, 0]))
        return (angle + 90) % 180 - 90


def find_segments(copy: WorkingCopy) -> Segments:
    """Straight segments of ``copy.half`` (320 px: four times faster than 640).

    The detector grows segments in reading order, so a mirror image would give slightly other
    ones. It is therefore always shown the side of the picture that is brighter on the right.
    """
    source = copy.half
    width, height = source.width, source.height
    diagonal = float(np.hypot(width, height))
    gray = source.gray
    brightness = gray.sum(axis=0, dtype=np.int64)
    mirrored = int((brightness * (2 * np.arange(width) - (width - 1))).sum()) < 0
    shown = np.ascontiguousarray(gray[:, ::-1]) if mirrored else gray
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE)
    found = detector.detect(shown)[0] if min(width, height) >= 8 else None
    rows = np.zeros((0, 4)) if found is None else np.asarray(found, np.float64).reshape(-1, 4)
    points = (rows.reshape(-1, 2, 2) - (width / 2, height / 2)) / diagonal
    if mirrored:
        points = points * (-1, 1)
    length = np.hypot(*(points[:, 1] - points[:, 0]).T)
    order = np.argsort(-length, kind="stable")
    points = points[order[length[order] >= max(SHORTEST_SEGMENT, SHORTEST_PX / diagonal)]]
    return Segments(points[:, 0], points[:, 1], (width / diagonal, height / diagonal))


def line_density(segments: Segments) -> float:
    """Straight-line length in diagonals, saturating: ``1 - exp(-length / DENSE_LINES)``."""
    return float(1 - np.exp(-segments.length.sum() / DENSE_LINES))


def dominant_lines(segments: Segments) -> tuple[Line, ...]:
    """Directions that hold most of the straight length, strongest first; may be ``()``."""
    weight = _prominence(segments)
    if weight.sum() < FAINTEST_LINES:
        return ()
    angle = segments.angle_deg
    candidates = np.arange(-90, 90)
    apart = np.abs((candidates[:, None] - angle[None, :] + 90) % 180 - 90)
    pull = times(np.exp(-((apart / DIRECTION_SPREAD_DEG) ** 2) / 2), weight)
    lines: list[Line] = []
    free = np.ones(candidates.size, bool)
    while free.any() and len(lines) < MOST_DIRECTIONS:
        best = int(np.argmax(np.where(free, np.round(pull, 9), -1)))
        line = _refined(float(candidates[best]), angle, weight)
        if line.strength < WEAKEST_DIRECTION:
            break
        lines.append(line)
        free &= np.abs((candidates - candidates[best] + 90) % 180 - 90) > DIRECTIONS_APART_DEG
    return tuple(sorted(lines, key=lambda line: (-line.strength, abs(line.angle_deg))))


def _prominence(segments: Segments) -> Floats:
    """How much of each segment's length counts: long ones fully, oblique ones twice."""
    length = segments.length
    long_enough = np.clip((length - SHORT) / (LONG - SHORT), 0, 1)
    off_axis = np.minimum(np.abs(segments.angle_deg), 90 - np.abs(segments.angle_deg))
    oblique = np.clip((off_axis - 5) / 10, 0, 1)
    return np.asarray(length * long_enough * (1 + oblique))


def _refined(direction: float, angle: Floats, length: Floats) -> Line:
    """Weighted mean direction of the segments within two kernel widths, and their share."""
    signed = (angle - direction + 90) % 180 - 90
    weight = length * (np.abs(signed) <= 2 * DIRECTION_SPREAD_DEG)
    if weight.sum() == 0:
        return Line(angle_deg=direction, strength=0)
    mean = direction + float((signed * weight).sum() / weight.sum())
    wrapped = (mean + 90) % 180 - 90
    vertical = 90.0 if abs(wrapped) > 89.95 else wrapped
    return Line(angle_deg=vertical, strength=float(np.clip(weight.sum() / length.sum(), 0, 1)))


VOTERS, PROPOSERS = 64, 28
"""The longest segments propose and support vanishing points; the rest are too short to aim. Any
two of the proposers propose where they meet."""

AIM_DEG = 2.0
"""A segment agrees with a point when it aims at it within about this angle; LSD's own angle error
on a segment of 13 px is about as large."""

LEVEL_DEG = 8.0
"""A segment this close to horizontal may be a horizon."""

FARTHEST = 0.75
"""A point farther from the centre than this (in diagonals) says 'parallel', not 'here'."""

DIRECTION_BIN_DEG = 8.0
FEWEST_DIRECTIONS = 3
"""Any two lines meet somewhere; agreement begins with a third direction."""

LEAST_AGREEMENT, FEW_LINES = 0.4, 0.8
"""Share of the oblique length that must agree: the first, plus the second divided by the
effective number of oblique segments. Among few segments much agrees by chance; among 30 or more
the best of all points gathers 0.15 at the median, 0.25 at the 95th percentile and 0.42 at most
(measured on the labelled photographs with their segments moved and turned at random)."""

LEAST_LENGTH = 0.5
"""Oblique straight length, in diagonals, below which nothing can be said."""


def find_vanishing_point(segments: Segments) -> VanishingPoint | None:
    """Where the lines agree to meet; None when they do not."""
    oblique = _obliqueness(segments.angle_deg)
    weight = segments.length[:VOTERS]
    converging = weight * oblique[:VOTERS]
    if converging.sum() < LEAST_LENGTH or segments.length.size < FEWEST_DIRECTIONS:
        return None
    middle = segments.middle[:VOTERS]
    heading = (segments.end - segments.start)[:VOTERS] / weight[:, None]
    most_oblique = np.argsort(-np.round(converging, 9), kind="stable")[:PROPOSERS]
    candidates = _intersections(middle[most_oblique], heading[most_oblique])
    if candidates.size == 0:
        return None
    agreement = _agreement(candidates, middle, heading, weight)
    votes = times(agreement, converging)
    point = candidates[int(np.argmax(np.round(votes, 9)))]
    for _ in range(4):
        point = _reweighted(point, middle, heading, weight, converging)
    agreed = _agreement(point[None], middle, heading, weight)[0]
    strength = float((agreed * converging).sum() / converging.sum())
    effective = converging.sum() ** 2 / (converging**2).sum()
    if strength < LEAST_AGREEMENT + FEW_LINES / effective or not np.hypot(*point) <= FARTHEST:
        return None
    if _distinct_directions(segments.angle_deg[:VOTERS], agreed * weight) < FEWEST_DIRECTIONS:
        return None
    width, height = segments.aspect
    return VanishingPoint(
        x=float(point[0] / width + 0.5), y=float(point[1] / height + 0.5), strength=strength
    )


def _obliqueness(angle_deg: Floats) -> Floats:
    """0 for horizontal and vertical segments (parallel to the picture), 1 from 8 degrees on."""
    off_axis = np.minimum(np.abs(angle_deg), 90 - np.abs(angle_deg))
    return np.asarray(np.clip((off_axis - 2) / 6, 0, 1))


def _intersections(middle: Floats, heading: Floats) -> Floats:
    """Points within reach where two segments' lines meet at more than a glancing angle."""
    first, second = np.triu_indices(middle.shape[0], 1)
    cross = _cross(heading[first], heading[second])
    useful = np.abs(cross) > np.sin(np.radians(DIRECTION_BIN_DEG))
    first, second, cross = first[useful], second[useful], cross[useful]
    along = _cross(middle[second] - middle[first], heading[second]) / cross
    points = middle[first] + along[:, None] * heading[first]
    return np.asarray(points[np.hypot(points[:, 0], points[:, 1]) <= FARTHEST])


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _agreement(points: Floats, middle: Floats, heading: Floats, length: Floats) -> Floats:
    """How well each segment (columns) aims at each point (rows), 0..1.

    A segment that passes through the point does not aim at it; one that ends there does. So the
    agreement fades when the point lies well within the segment's own length. A level one is
    excepted: a horizon passes through the vanishing points of everything on the ground.
    """
    to_point_x = points[:, None, 0] - middle[None, :, 0]
    to_point_y = points[:, None, 1] - middle[None, :, 1]
    squared = to_point_x**2 + to_point_y**2 + 1e-9
    miss = to_point_x * heading[None, :, 1] - to_point_y * heading[None, :, 0]
    sine = miss**2 / squared
    tolerance = np.sin(np.radians(AIM_DEG)) ** 2
    outside = np.clip(2 * np.sqrt(squared) / (length[None, :] / 2) - 0.6, 0, 1)
    level = np.abs(heading[None, :, 1]) < np.sin(np.radians(LEVEL_DEG))
    return np.asarray(np.exp(-sine / (2 * tolerance)) * np.where(level, 1, outside))


def _reweighted(
    point: Floats, middle: Floats, heading: Floats, length: Floats, converging: Floats
) -> Floats:
    """One step of iteratively reweighted least squares: the point nearest to the agreeing lines."""
    distance = np.hypot(point[0] - middle[:, 0], point[1] - middle[:, 1])
    agreed = _agreement(point[None], middle, heading, length)[0]
    weight = agreed * (converging + 0.1 * length) / (distance**2 + 1e-3)
    normal = np.stack([-heading[:, 1], heading[:, 0]], 1)
    offset = (normal * middle).sum(1)
    system = times((normal * weight[:, None]).T, normal)
    if np.linalg.det(system) < 1e-12 * np.trace(system) ** 2:
        return point
    return np.asarray(np.linalg.solve(system, (normal * (weight * offset)[:, None]).sum(0)))


def _distinct_directions(angle_deg: Floats, support: Floats) -> int:
    """Count directions, DIRECTION_BIN_DEG or more apart, with a fair part of the support."""
    remaining = np.round(support, 9)
    floor = 0.05 * remaining.sum()
    count = 0
    while remaining.any() and count < FEWEST_DIRECTIONS:
        best = int(np.argmax(remaining))
        near = np.abs((angle_deg - angle_deg[best] + 90) % 180 - 90) < DIRECTION_BIN_DEG
        count += bool(remaining[near].sum() >= floor)
        remaining[near] = 0
    return count
