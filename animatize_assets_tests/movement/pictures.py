"""Pictures painted from a seed: every kind of scene that a movement rule may speak of.

Each seed takes one recipe (a view, a street, an interior, a portrait, an object, a graphic) and
varies what the rules measure: horizon, lines, subject, light, colour, softness and shape.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Canvas = NDArray[np.float64]
Random = np.random.Generator

SHAPES = ((640, 427), (640, 360), (640, 240), (360, 640), (420, 640), (500, 500))
SKIN = np.array([205.0, 150.0, 122.0])
GREEN = np.array([70.0, 115.0, 45.0])
BLUE = np.array([120.0, 165.0, 225.0])
WATER = np.array([60.0, 105.0, 135.0])
EARTH = np.array([140.0, 115.0, 85.0])
STONE = np.array([150.0, 145.0, 138.0])


def rough(rng: Random, shape: tuple[int, int], grain: float, amount: float) -> Canvas:
    """Fine texture around zero; ``grain`` px wide."""
    field = cv2.GaussianBlur(rng.normal(0, 1, shape), (0, 0), grain)
    return np.asarray(field / (field.std() + 1e-9) * amount)[..., None]


def blank(rng: Random, color: Canvas, shape: tuple[int, int]) -> Canvas:
    """A wash from the colour to a lighter one, downwards."""
    width, height = shape
    rise = np.linspace(0, rng.uniform(-20, 45), height)[:, None, None]
    return np.asarray(np.ones((height, width, 1)) * color + rise)


def fill(canvas: Canvas, points: list[tuple[float, float]], paint: Canvas) -> None:
    """Paint a polygon, given in fractions, with one colour or a whole canvas."""
    height, width = canvas.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    corners = np.array([[x * width, y * height] for x, y in points])
    cv2.fillPoly(mask, [np.int32(np.round(corners))], 1, cv2.LINE_8)
    canvas[mask > 0] = paint[mask > 0] if paint.ndim == 3 else paint


def ellipse(
    canvas: Canvas, center: tuple[float, float], radii: tuple[float, float], paint: Canvas
) -> None:
    height, width = canvas.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    dx, dy = (x / width - center[0]) / radii[0], (y / height - center[1]) / radii[1]
    inside = dx * dx + dy * dy < 1
    canvas[inside] = paint[inside] if paint.ndim == 3 else paint


def stroke(canvas: Canvas, a: tuple[float, float], b: tuple[float, float], shade: float) -> None:
    height, width = canvas.shape[:2]
    drawn = canvas.copy()
    ends = [(round(x * width), round(y * height)) for x, y in (a, b)]
    cv2.line(drawn, ends[0], ends[1], (shade, shade, shade), 3, cv2.LINE_AA)
    canvas[:] = drawn


def view(rng: Random, shape: tuple[int, int]) -> Canvas:
    """Sky over ground, water or meadow, with or without something small in it."""
    canvas = blank(rng, BLUE if rng.random() < 0.7 else np.array([205.0, 190.0, 170.0]), shape)
    size = canvas.shape[:2]
    y, lean = rng.uniform(0.15, 0.85), rng.uniform(-0.06, 0.06) * (rng.random() < 0.4)
    color = (GREEN, WATER, EARTH)[rng.integers(3)]
    ground = color + rough(rng, size, rng.uniform(1, 2.5), rng.uniform(12, 32))
    if color is WATER:
        rows = np.arange(size[0])[:, None, None]
        ground = color + 14 * np.sin(rows * 1.3) + 8 * np.sin(rows / 3) + np.zeros((*size, 3))
    fill(canvas, [(0, y + lean), (1, y - lean), (1, 1), (0, 1)], ground)
    if rng.random() < 0.4:
        slope = rng.uniform(0.2, 0.5) * rng.choice((-1, 1))
        bank = EARTH * 0.8 + rough(rng, size, 1.5, 25)
        fill(canvas, [(0.5 - slope, 1), (0.5, y), (0.5 + slope, y), (0.5 + slope, 1)], bank)
        for start in np.linspace(0.05, 0.9, 6):
            stroke(canvas, (start, 1), (start + slope, y), 40)
    if rng.random() < 0.5:
        thing(rng, canvas, (rng.uniform(0.1, 0.9), y), rng.uniform(0.03, 0.12))
    return canvas


def thing(rng: Random, canvas: Canvas, center: tuple[float, float], size: float) -> None:
    """Something that stands out: saturated, textured, round or upright."""
    color = rng.uniform(0, 255, 3)
    color[rng.integers(3)] = rng.choice((10.0, 250.0))
    paint = color + rough(rng, (canvas.shape[0], canvas.shape[1]), 1.2, 30)
    ellipse(canvas, center, (size, size * rng.uniform(0.8, 2.5)), paint)


def street(rng: Random, shape: tuple[int, int]) -> Canvas:
    """House fronts with windows, or a row of them running to a point."""
    canvas = blank(rng, BLUE, shape)
    roof = rng.uniform(0.02, 0.35)
    fill(canvas, [(0, roof), (1, roof), (1, 1), (0, 1)], STONE * rng.uniform(0.6, 1.3))
    if rng.random() < 0.5:
        x, y = rng.uniform(0.25, 0.75), rng.uniform(0.35, 0.6)
        for corner in ((0.0, roof), (1.0, roof), (0.0, 1.0), (1.0, 1.0)):
            for share in (0.0, 0.25, 0.5):
                start = (corner[0], corner[1] + share * (y - corner[1]))
                stroke(canvas, start, (x, y), 60)
        fill(canvas, [(0.1, 1), (x, y), (0.9, 1)], STONE * 0.55)
    for x in np.arange(rng.uniform(0.03, 0.1), 0.95, rng.uniform(0.08, 0.16)):
        stroke(canvas, (x, roof), (x, 1), 70)
        for y in np.arange(roof + 0.05, 0.85, 0.17):
            fill(
                canvas,
                [(x + 0.02, y), (x + 0.05, y), (x + 0.05, y + 0.1), (x + 0.02, y + 0.1)],
                STONE * 0.3,
            )
    return canvas


def interior(rng: Random, shape: tuple[int, int]) -> Canvas:
    """A room in one-point perspective with a window of light."""
    canvas = blank(rng, np.array([150.0, 120.0, 90.0]) * rng.uniform(0.4, 1.2), shape)
    x, y = rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.65)
    for corner in ((0, 0), (1, 0), (0, 1), (1, 1)):
        stroke(canvas, corner, (x, y), 40)
        for share in (0.2, 0.4):
            stroke(canvas, (corner[0], abs(corner[1] - share)), (x, y), 50)
    side = rng.choice((0.05, 0.75))
    light = np.array([255.0, 240.0, 205.0])
    fill(canvas, [(side, 0.2), (side + 0.2, 0.25), (side + 0.2, 0.6), (side, 0.65)], light)
    if rng.random() < 0.6:
        thing(rng, canvas, (rng.uniform(0.2, 0.8), 0.75), rng.uniform(0.06, 0.14))
    return canvas


def portrait(rng: Random, shape: tuple[int, int]) -> Canvas:
    """A face and shoulders before a soft ground."""
    canvas = blank(rng, rng.uniform(30, 200, 3), shape)
    x, size = rng.uniform(0.25, 0.75), rng.uniform(0.12, 0.3)
    fill(
        canvas,
        [(x - 2 * size, 1), (x - size, 0.7), (x + size, 0.7), (x + 2 * size, 1)],
        rng.uniform(20, 120, 3),
    )
    skin = SKIN * rng.uniform(0.7, 1.1) + rough(rng, (canvas.shape[0], canvas.shape[1]), 2, 6)
    ellipse(canvas, (x, 0.45), (size * 1.1, size * 1.7), np.array([50.0, 35.0, 25.0]))
    ellipse(canvas, (x, 0.48), (size * 0.9, size * 1.4), skin)
    for eye in (-0.35, 0.35):
        ellipse(
            canvas, (x + eye * size, 0.43), (size * 0.15, size * 0.12), np.array([30.0, 25.0, 25.0])
        )
    ellipse(canvas, (x, 0.62), (size * 0.35, size * 0.12), np.array([150.0, 70.0, 70.0]))
    return canvas


def close_view(rng: Random, shape: tuple[int, int]) -> Canvas:
    """One textured thing before a blurred ground."""
    canvas = blank(rng, GREEN if rng.random() < 0.5 else rng.uniform(30, 220, 3), shape)
    canvas += rough(rng, (canvas.shape[0], canvas.shape[1]), 25, 25)
    thing(rng, canvas, (rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.65)), rng.uniform(0.12, 0.3))
    return canvas


def graphic(rng: Random, shape: tuple[int, int]) -> Canvas:
    """Plain shapes and lines on a plain ground."""
    canvas = np.ones((shape[1], shape[0], 1)) * rng.choice((255.0, 240.0, 30.0)) * np.ones(3)
    for _ in range(rng.integers(1, 7)):
        x, y = rng.uniform(0.1, 0.9, 2)
        a, b = rng.uniform(0.03, 0.2, 2)
        fill(
            canvas,
            [(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)],
            rng.uniform(0, 255, 3),
        )
    for y in np.arange(0.1, 0.95, 0.06) if rng.random() < 0.5 else ():
        stroke(canvas, (0.1, y), (rng.uniform(0.5, 0.9), y), 20)
    return canvas


def jumble(rng: Random, shape: tuple[int, int]) -> Canvas:
    """Detail and colour everywhere, nothing that leads; sometimes along one diagonal."""
    canvas = blank(rng, rng.uniform(60, 200, 3), shape)
    slope = rng.choice((-1, 1)) * rng.uniform(0.3, 0.7)
    for _ in range(rng.integers(60, 200)):
        x, y = rng.uniform(0, 1, 2)
        length = rng.uniform(0.03, 0.2)
        if rng.random() < 0.5:
            ellipse(canvas, (x, y), (length / 4, length / 4), rng.uniform(0, 255, 3))
        else:
            stroke(canvas, (x, y), (x + length, y - slope * length), rng.uniform(0, 255))
    return canvas


RECIPES: tuple[Callable[[Random, tuple[int, int]], Canvas], ...] = (
    view,
    street,
    interior,
    portrait,
    close_view,
    graphic,
    view,
    jumble,
)


def lit(rng: Random, canvas: Canvas) -> Canvas:
    """Give a picture light from a side, a key, a tint, haze or less colour."""
    height, width = canvas.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle, strength = rng.uniform(0, 2 * np.pi), rng.choice((0.0, 0.0, 0.5, 0.9))
    canvas = canvas * (1 + strength * (x * np.cos(angle) + y * np.sin(angle)))[..., None]
    canvas = canvas * rng.choice((0.3, 0.55, 1.0, 1.0, 1.0, 1.35))
    tint = rng.choice((-0.25, 0.0, 0.0, 0.25))
    canvas = canvas * np.array([1 + tint, 1.0, 1 - tint])
    gray = canvas.mean(axis=2, keepdims=True)
    return np.asarray(gray + (canvas - gray) * rng.choice((0.0, 0.4, 1.0, 1.0, 1.6)))


def painted(seed: int) -> Pixels:
    """The picture of a seed: rows x columns x RGB, long side 640 px or less."""
    rng = np.random.default_rng(seed)
    shape = SHAPES[rng.integers(len(SHAPES))]
    canvas = lit(rng, RECIPES[seed % len(RECIPES)](rng, shape))
    if rng.random() < 0.25:
        half = canvas[:, : canvas.shape[1] // 2]
        canvas = np.hstack([half, half[:, ::-1]])
    canvas = cv2.GaussianBlur(canvas, (0, 0), rng.choice((0.7, 0.7, 1.0, 4.0)))
    canvas = canvas + rng.normal(0, 2.5, canvas.shape)
    return np.clip(canvas, 0, 255).astype(np.uint8)
