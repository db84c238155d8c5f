"""What the analysis saw, drawn over the picture: to be understood at a glance, also when small.

Belongs here: lines, boxes and tints on one picture. Does not belong here: sheets of several
pictures (``contact_sheet``), encoding (``thumbnail``).

Every stroke is a share of the long side, so the drawing survives being reduced to a thumbnail.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import cos, hypot, radians, sin, tan

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from animatize_assets.rendering.thumbnail import reduce_to
from animatize_assets.scene.models import REGION_NAMES, Box, SceneAnalysis

LONG_SIDE_PX = 1280
"""Long side of the drawing; a larger picture is reduced to it first."""

SUPERSAMPLING = 2
"""The strokes are drawn this much larger and reduced, which smooths their edges."""

Color = tuple[int, int, int]
GRID: Color = (255, 255, 255)
SUBJECT: Color = (255, 176, 46)
PERSON: Color = (255, 240, 200)
HORIZON: Color = (84, 214, 255)
VANISHING: Color = (255, 96, 128)
EMPTY: Color = (176, 140, 255)
LINES: Color = (160, 235, 120)
REGION_TINTS: dict[str, Color] = {
    "sky": (70, 150, 255),
    "vegetation": (70, 200, 90),
    "water": (0, 200, 200),
    "ground": (190, 140, 80),
    "built": (230, 90, 90),
    "skin": (255, 170, 140),
}

DIMMED = 0.78
"""Brightness of the picture under the drawing."""

EMPTY_FROM = 0.6
"""A side with at least this share of negative space gets a bar."""

TINT_OPACITY = 0.28

DIRECTIONS_AT_MOST = 3


def draw_composition(
    pixels: NDArray[np.uint8],
    analysis: SceneAnalysis,
    regions: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Draw the measured composition over ``pixels`` (rows x columns x RGB).

    Thirds with the energy at their power points (white), the subject's box (amber), people
    (cream), the horizon (cyan), the vanishing point with the rays that meet there (rose), the
    main directions of lines (green, in a dial), empty sides (violet bars), and with ``regions``
    (uint8 of any size, bit i = ``REGION_NAMES[i]``) a tint for each kind of surface. The long
    side of the result is at most 1280 px.
    """
    shown = reduce_to(pixels, LONG_SIDE_PX)
    base = np.asarray(cv2.convertScaleAbs(shown, alpha=DIMMED), np.uint8)
    if regions is not None:
        base = _tinted(base, regions)
    picture = Image.fromarray(base)
    scale = SUPERSAMPLING
    layer = Image.new("RGBA", (picture.width * scale, picture.height * scale), (0, 0, 0, 0))
    pen = _Pen(layer)
    _draw_thirds(pen, analysis)
    _draw_empty_sides(pen, analysis)
    _draw_horizon(pen, analysis)
    _draw_vanishing_point(pen, analysis)
    _draw_directions(pen, analysis)
    for person in analysis.subject.people:
        pen.box(person.bbox, PERSON, 0.8)
    if analysis.subject.bbox is not None:
        pen.brackets(analysis.subject.bbox, SUBJECT)
    smoothed = layer.reduce(scale)
    picture.paste(smoothed, mask=smoothed)
    return np.asarray(picture, np.uint8)


def draw_depth(depth: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour a depth map (rows x columns, 0 far .. 1 near): violet-black far, yellow near."""
    levels = np.clip(depth.astype(np.float32) * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(
        cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB), np.uint8
    )


class _Pen:
    """Draws in fractions of the picture, with strokes that are shares of its long side."""

    def __init__(self, layer: Image.Image) -> None:
        self._draw = ImageDraw.Draw(layer)
        self.width, self.height = layer.size
        self.unit = max(layer.size) / 360

    def at(self, x: float, y: float) -> tuple[float, float]:
        return x * (self.width - 1), y * (self.height - 1)

    def line(
        self, a: tuple[float, float], b: tuple[float, float], color: Color, stroke: float,
        opacity: float = 1.0,
    ) -> None:  # fmt: skip
        """Draw a stroke in pixels, with a dark edge so that it reads on light and dark alike."""
        width = max(1, round(stroke * self.unit))
        edge = (0, 0, 0, round(110 * opacity))
        self._draw.line((*a, *b), edge, width + max(1, round(0.8 * self.unit)))
        self._draw.line((*a, *b), (*color, round(255 * opacity)), width)

    def box(self, box: Box, color: Color, stroke: float) -> None:
        (x0, y0), (x1, y1) = self.at(*box[:2]), self.at(*box[2:])
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
        for a, b in pairwise(corners):
            self.line(a, b, color, stroke)

    def brackets(self, box: Box, color: Color) -> None:
        """Corner marks as in a viewfinder, over a faint full outline."""
        (x0, y0), (x1, y1) = self.at(*box[:2]), self.at(*box[2:])
        self._draw.rectangle((x0, y0, x1, y1), outline=(*color, 130), width=round(self.unit))
        arm = max(4 * self.unit, min(x1 - x0, y1 - y0) * 0.22)
        arm_x, arm_y = min(arm, (x1 - x0) / 2), min(arm, (y1 - y0) / 2)
        half = self.unit
        for x, inward_x in ((x0, 1), (x1, -1)):
            for y, inward_y in ((y0, 1), (y1, -1)):
                self.line((x - half * inward_x, y), (x + arm_x * inward_x, y), color, 2.2)
                self.line((x, y - half * inward_y), (x, y + arm_y * inward_y), color, 2.2)

    def ring(self, center: tuple[float, float], radius: float, color: Color) -> None:
        x, y = center
        r = radius * self.unit
        outer = r + 0.5 * self.unit
        self._draw.ellipse((x - outer, y - outer, x + outer, y + outer), fill=(0, 0, 0, 110))
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=(*color, 235))


def _tinted(base: NDArray[np.uint8], regions: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Move each pixel towards the mean tint of the surfaces that it belongs to."""
    height, width = base.shape[:2]
    bits = cv2.resize(regions, (width, height), interpolation=cv2.INTER_NEAREST)
    tint = cv2.LUT(cv2.merge([bits, bits, bits]), _tint_table())
    mixed = cv2.addWeighted(base, 1 - TINT_OPACITY, tint, TINT_OPACITY, 0)
    return np.asarray(np.where(bits[..., None] > 0, mixed, base), np.uint8)


@cache
def _tint_table() -> NDArray[np.uint8]:
    """RGB tint of every combination of surfaces, 256 x 1 x 3."""
    table = np.zeros((256, 1, 3), np.uint8)
    for bits in range(256):
        own = [REGION_TINTS[name] for bit, name in enumerate(REGION_NAMES) if bits >> bit & 1]
        if own:
            table[bits] = np.mean(own, axis=0)
    return table


def _draw_thirds(pen: _Pen, analysis: SceneAnalysis) -> None:
    for third in (1 / 3, 2 / 3):
        pen.line(pen.at(third, 0), pen.at(third, 1), GRID, 0.6, 0.45)
        pen.line(pen.at(0, third), pen.at(1, third), GRID, 0.6, 0.45)
    thirds = analysis.composition.thirds
    points = {
        (1 / 3, 1 / 3): thirds.top_left,
        (2 / 3, 1 / 3): thirds.top_right,
        (1 / 3, 2 / 3): thirds.bottom_left,
        (2 / 3, 2 / 3): thirds.bottom_right,
    }
    for (x, y), energy in points.items():
        pen.ring(pen.at(x, y), 1.0 + 5 * min(1.0, energy) ** 0.5, GRID)


def _draw_empty_sides(pen: _Pen, analysis: SceneAnalysis) -> None:
    space = analysis.composition.negative_space
    inset_x, inset_y = 4 * pen.unit / pen.width, 4 * pen.unit / pen.height
    sides = {
        "left": ((inset_x, 0.5), (0.0, 1.0), space.left),
        "right": ((1 - inset_x, 0.5), (0.0, 1.0), space.right),
        "top": ((0.5, inset_y), (1.0, 0.0), space.top),
        "bottom": ((0.5, 1 - inset_y), (1.0, 0.0), space.bottom),
    }
    for (x, y), (along_x, along_y), share in sides.values():
        if share >= EMPTY_FROM:
            reach = 0.42 * share
            pen.line(
                pen.at(x - along_x * reach, y - along_y * reach),
                pen.at(x + along_x * reach, y + along_y * reach),
                EMPTY,
                2.6,
                0.9,
            )


def _draw_horizon(pen: _Pen, analysis: SceneAnalysis) -> None:
    horizon = analysis.composition.horizon
    if horizon is None:
        return
    x, y = pen.at(0.5, horizon.y)
    rise = tan(radians(horizon.angle_deg)) * x
    pen.line((0, y + rise), (2 * x, y - rise), HORIZON, 1.6)


def _draw_directions(pen: _Pen, analysis: SceneAnalysis) -> None:
    """Draw a dial in the lower left corner: each direction is as long as it is strong."""
    lines = analysis.composition.lines[:DIRECTIONS_AT_MOST]
    if not lines:
        return
    radius = 9.0
    reach = radius * pen.unit
    x, y = 14 * pen.unit, pen.height - 14 * pen.unit
    pen.ring((x, y), radius + 2, (24, 26, 30))
    strongest = max(line.strength for line in lines)
    for line in lines:
        length = reach * (0.35 + 0.65 * line.strength / strongest if strongest else 1.0)
        dx, dy = cos(radians(line.angle_deg)) * length, -sin(radians(line.angle_deg)) * length
        pen.line((x - dx, y - dy), (x + dx, y + dy), LINES, 1.4)


def _draw_vanishing_point(pen: _Pen, analysis: SceneAnalysis) -> None:
    point = analysis.composition.vanishing_point
    if point is None:
        return
    x, y = pen.at(point.x, point.y)
    longest = hypot(pen.width, pen.height) + hypot(x - pen.width / 2, y - pen.height / 2)
    for angle in range(18, 360, 36):
        dx, dy = cos(radians(angle)), sin(radians(angle))
        pen.line(
            (x + dx * 7 * pen.unit, y + dy * 7 * pen.unit),
            (x + dx * longest, y + dy * longest),
            VANISHING,
            0.5,
            0.35,
        )
    if 0 <= point.x <= 1 and 0 <= point.y <= 1:
        pen.ring((x, y), 3.4, VANISHING)
