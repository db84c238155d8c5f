"""A sign for each camera move, and the move drawn over its source picture.

Belongs here: arrows and viewport outlines. Does not belong here: the path's arithmetic
(``movement.camera_path``).
"""

from __future__ import annotations

from math import atan2, cos, hypot, pi, radians, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from animatize_assets.movement.camera_path import viewport
from animatize_assets.movement.models import CameraMove, CameraPath, Direction, Keyframe

SUPERSAMPLING = 3
Point = tuple[float, float]
Color = tuple[int, int, int]

FIRST: Color = (255, 255, 255)
LAST: Color = (255, 176, 46)

_VECTORS: dict[str, Point] = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def glyph(
    move: CameraMove, direction: Direction | None, size_px: int, *, color: Color, ground: Color
) -> Image.Image:
    """Draw an RGBA sign of ``size_px`` squared on a disc: where the move goes."""
    side = size_px * SUPERSAMPLING
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((0, 0, side - 1, side - 1), fill=ground)
    stroke = max(2, round(side * 0.065))
    c, r = side / 2, side * 0.29
    if move == "static":
        draw.rounded_rectangle(
            (c - r, c - r * 0.7, c + r, c + r * 0.7), radius=r * 0.15, outline=color, width=stroke
        )
        dot = stroke
        draw.ellipse((c - dot, c - dot, c + dot, c + dot), fill=color)
    elif move in ("zoom_in", "push_in", "zoom_out", "pull_out"):
        inwards = move in ("zoom_in", "push_in")
        for dx in (-1, 1):
            for dy in (-1, 1):
                far, near = (c + dx * r, c + dy * r), (c + dx * r * 0.3, c + dy * r * 0.3)
                arrow(draw, *((far, near) if inwards else (near, far)), color, stroke)
    elif move == "roll":
        _arc_arrow(draw, (c, c), r, color, stroke, clockwise=direction != "counterclockwise")
    elif move == "orbit":
        _orbit_arrow(draw, (c, c), r, color, stroke, sign=-1 if direction == "left" else 1)
    else:
        x, y = _VECTORS.get(direction or "right", (1, 0))
        arrow(draw, (c - x * r, c - y * r), (c + x * r, c + y * r), color, stroke)
    return image.resize((size_px, size_px), Image.Resampling.BOX)


def arrow(draw: ImageDraw.ImageDraw, start: Point, end: Point, color: Color, stroke: int) -> None:
    """Draw a straight arrow with a filled head; only a head when it is very short."""
    length = hypot(end[0] - start[0], end[1] - start[1])
    if length == 0:
        return
    angle = atan2(end[1] - start[1], end[0] - start[0])
    head = min(stroke * 3.4, length)
    neck = (end[0] - cos(angle) * head * 0.8, end[1] - sin(angle) * head * 0.8)
    draw.line((*start, *neck), fill=color, width=stroke)
    draw.polygon(
        [end, *(_polar(end, angle + pi + side * 0.48, head) for side in (-1, 1))], fill=color
    )


def _polar(center: Point, angle: float, length: float) -> Point:
    return center[0] + cos(angle) * length, center[1] + sin(angle) * length


def _arc_arrow(
    draw: ImageDraw.ImageDraw,
    center: Point,
    r: float,
    color: Color,
    stroke: int,
    *,
    clockwise: bool,
) -> None:
    x, y = center
    draw.arc((x - r, y - r, x + r, y + r), 150, 390, fill=color, width=stroke)
    # Angles grow clockwise on the screen: the arc ends at 390 degrees, begins at 150.
    end, tangent = (390, 1) if clockwise else (150, -1)
    tip = _polar(center, radians(end), r - stroke / 2)
    heading = radians(end) + tangent * pi / 2
    arrow(draw, _polar(tip, heading + pi, 1), _polar(tip, heading, stroke * 3), color, stroke)


def _orbit_arrow(
    draw: ImageDraw.ImageDraw, center: Point, r: float, color: Color, stroke: int, *, sign: int
) -> None:
    x, y = center
    box = (x - r, y - r * 0.5, x + r, y + r * 0.75)
    draw.arc(box, 0, 180, fill=color, width=stroke)
    tip = (x + sign * (r - stroke / 2), y + r * 0.12)
    arrow(draw, (tip[0], tip[1] + stroke), (tip[0], tip[1] - stroke * 2.6), color, stroke)
    dot = stroke * 1.1
    draw.ellipse((x - dot, y - dot - r * 0.3, x + dot, y + dot - r * 0.3), fill=color)


def draw_path(pixels: NDArray[np.uint8], path: CameraPath) -> NDArray[np.uint8]:
    """Outline what the camera sees first (white) and last (amber) over ``pixels``.

    What neither of the two shows is darkened; an arrow joins their centres.
    """
    height, width = pixels.shape[:2]
    scale = 2
    first, last = (_corners(path, path.keyframes[i], width, height, scale) for i in (0, -1))
    seen = Image.new("L", (width * scale, height * scale), 120)
    for corners in (first, last):
        ImageDraw.Draw(seen).polygon(corners, fill=255)
    light = np.asarray(seen.resize((width, height), Image.Resampling.BOX), np.float32) / 255
    base = pixels.astype(np.float32) * light[..., None]

    layer = Image.new("RGBA", (width * scale, height * scale), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    stroke = max(2, round(scale * max(width, height) / 220))
    inset = stroke / 2
    for corners, color in ((first, FIRST), (last, LAST)):
        ring = [_inset(corner, corners, inset) for corner in corners]
        draw.line([*ring, ring[0], ring[1]], fill=(0, 0, 0, 120), width=stroke * 2, joint="curve")
        draw.line([*ring, ring[0], ring[1]], fill=color, width=stroke, joint="curve")
    _draw_travel(draw, first, last, stroke)
    drawn = np.asarray(layer.resize((width, height), Image.Resampling.BOX), np.float32)
    alpha = drawn[..., 3:] / 255
    return np.clip(base * (1 - alpha) + drawn[..., :3] * alpha + 0.5, 0, 255).astype(np.uint8)


def _draw_travel(
    draw: ImageDraw.ImageDraw, first: list[Point], last: list[Point], stroke: int
) -> None:
    """One arrow from centre to centre, or from corner to corner when only the size changes."""
    (ax, ay), (bx, by) = _center(first), _center(last)
    if hypot(bx - ax, by - ay) >= stroke * 6:
        arrow(draw, (ax, ay), (bx, by), LAST, stroke)
        return
    for a, b in zip(first, last, strict=True):
        if hypot(b[0] - a[0], b[1] - a[1]) >= stroke * 6:
            arrow(draw, a, b, LAST, max(2, stroke * 2 // 3))


def _corners(
    path: CameraPath, keyframe: Keyframe, width: int, height: int, scale: int
) -> list[Point]:
    cx, cy, w, h = viewport(path, keyframe, width * scale, height * scale)
    # Travel into the picture narrows what is seen; the middle depth stands for all.
    w, h = w / (1 + keyframe.dolly / 2), h / (1 + keyframe.dolly / 2)
    turn = radians(keyframe.roll)
    return [
        (cx + dx * cos(turn) - dy * sin(turn), cy + dx * sin(turn) + dy * cos(turn))
        for dx, dy in ((-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2))
    ]


def _center(corners: list[Point]) -> Point:
    return sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4


def _inset(corner: Point, corners: list[Point], by: float) -> Point:
    cx, cy = _center(corners)
    return (
        corner[0] + (by if corner[0] < cx else -by),
        corner[1] + (by if corner[1] < cy else -by),
    )
