"""Synthetic pictures whose geometry is known, and the same with nothing in them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
WIDTH, HEIGHT = 640, 400


def textured(picture: NDArray[np.float64], rng: np.random.Generator, noise: float = 4.0) -> Picture:
    """As 8-bit, with sensor-like noise and the softness of a lens."""
    soft = cv2.GaussianBlur(picture, (0, 0), 0.8)
    return np.clip(soft + rng.normal(0, noise, soft.shape), 0, 255).astype(np.uint8)


def flat(value: tuple[int, int, int] = (120, 130, 140)) -> Picture:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def noise(rng: np.random.Generator, deviation: float = 40) -> Picture:
    return np.clip(rng.normal(128, deviation, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)


def grid(rng: np.random.Generator, step: int = 60) -> Picture:
    picture = np.full((HEIGHT, WIDTH, 3), 190.0)
    picture[20::step, :] = picture[21::step, :] = 40
    picture[:, 30::step] = picture[:, 31::step] = 40
    return textured(picture, rng)


def corridor(rng: np.random.Generator, x: float, y: float) -> Picture:
    """Floor, ceiling, walls and boards running to (x, y), with frames parallel to the picture."""
    picture = np.zeros((HEIGHT, WIDTH, 3))
    point = np.array([x * WIDTH, y * HEIGHT])
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], float)
    end = point + (corners - point) * 0.12
    for shade, (a, b) in zip((215, 150, 95, 165), ((0, 1), (1, 2), (2, 3), (3, 0)), strict=True):
        wall = np.array([corners[a], corners[b], end[b], end[a]])
        cv2.fillConvexPoly(picture, np.int32(np.round(wall)), (shade, shade * 0.95, shade * 0.9))
    cv2.fillConvexPoly(picture, np.int32(np.round(end)), (60, 62, 66))
    for share in rng.uniform(0.15, 0.85, 3):
        board = corners[3] + (corners[2] - corners[3]) * share
        inner = point + (board - point) * 0.12
        _line(picture, board, inner, 60)
    for scale in (0.7, 0.45, 0.28):
        frame = point + (corners - point) * scale
        _line(picture, frame[0], frame[3], 70)
        _line(picture, frame[1], frame[2], 70)
    return textured(picture, rng)


def road(rng: np.random.Generator, x: float, y: float) -> Picture:
    """A road with edges and a dashed middle line to (x, y) on the horizon, under a plain sky."""
    picture = sky_and_ground(rng, y, 0.0, noise=0).astype(float)
    point = np.array([x * WIDTH, y * HEIGHT])
    left, right = rng.uniform(-0.1, 0.2) * WIDTH, rng.uniform(0.8, 1.1) * WIDTH
    edges = np.array([[left, HEIGHT], [right, HEIGHT], point])
    cv2.fillConvexPoly(picture, np.int32(np.round(edges)), (95, 95, 98))
    _line(picture, edges[0], point, 230)
    _line(picture, edges[1], point, 230)
    middle = (edges[0] + edges[1]) / 2
    for start in (0.0, 0.25, 0.45, 0.62):
        _line(
            picture,
            middle + (point - middle) * start,
            middle + (point - middle) * (start + 0.14),
            235,
        )
    return textured(picture, rng)


def sky_and_ground(
    rng: np.random.Generator, y: float, angle_deg: float, *, noise: float = 4.0
) -> Picture:
    """A brighter, smooth sky over rough ground; the boundary crosses the middle column at y."""
    columns = np.arange(WIDTH) + 0.5
    boundary = y * HEIGHT - np.tan(np.radians(angle_deg)) * (columns - WIDTH / 2)
    rows = np.arange(HEIGHT)[:, None] + 0.5
    height = np.clip(rows / HEIGHT, 0, 1)[..., None]
    sky = np.array([120, 160, 220]) + height * np.array([70, 50, 20])
    rough = cv2.GaussianBlur(rng.normal(0, 60, (HEIGHT, WIDTH)), (0, 0), 1.5)[..., None]
    ground = np.array([80, 100, 50]) + rough * np.array([1, 1, 0.8])
    below = np.clip(rows - boundary[None, :] + 0.5, 0, 1)[..., None]
    return textured(sky * (1 - below) + ground * below, rng, noise)


def facade(rng: np.random.Generator) -> Picture:
    """A house front whose right half mirrors its left."""
    half = np.full((HEIGHT, WIDTH // 2, 3), rng.uniform(130, 190, 3))
    for _ in range(12):
        x, y = rng.integers(10, WIDTH // 2 - 60), rng.integers(20, HEIGHT - 90)
        width, height = rng.integers(20, 50), rng.integers(30, 80)
        half[y : y + height, x : x + width] = rng.uniform(20, 250, 3)
    return textured(np.hstack([half, half[:, ::-1]]), rng)


def scattered(rng: np.random.Generator) -> Picture:
    """The same kind of rectangles, without symmetry."""
    picture = np.full((HEIGHT, WIDTH, 3), rng.uniform(130, 190, 3))
    for _ in range(24):
        x, y = rng.integers(10, WIDTH - 60), rng.integers(20, HEIGHT - 90)
        width, height = rng.integers(20, 50), rng.integers(30, 80)
        picture[y : y + height, x : x + width] = rng.uniform(20, 250, 3)
    return textured(picture, rng)


def _line(
    picture: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64], shade: int
) -> None:
    points = [tuple(int(v) for v in np.round(p * 16)) for p in (a, b)]
    canvas = np.ascontiguousarray(picture.astype(np.uint8))
    cv2.line(canvas, points[0], points[1], (shade,) * 3, 2, cv2.LINE_AA, 4)
    picture[:] = canvas


def layers(rng: np.random.Generator, boundaries: tuple[float, float]) -> Picture:
    """Three ridges: far ones paler, bluer and smoother; each begins at its boundary (fractions)."""
    rows = np.arange(HEIGHT)[:, None] + 0.5
    columns = np.arange(WIDTH)[None, :]
    picture = np.full((HEIGHT, WIDTH, 3), (205.0, 218.0, 235.0))
    depths = (((150, 170, 195), 4.0), ((95, 120, 115), 14.0), ((45, 60, 25), 30.0))
    starts = (boundaries[0] - 0.15, *boundaries)
    for (color, roughness), start in zip(depths, starts, strict=True):
        wave = np.sin(columns / rng.uniform(40, 90) + rng.uniform(0, 6)) * 0.03 * HEIGHT
        below = np.clip(rows - (start * HEIGHT + wave), 0, 1)[..., None]
        rough = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 1.2)
        ridge = np.array(color) + (rough / rough.std() * roughness)[..., None]
        picture = picture * (1 - below) + ridge * below
    return textured(picture, rng, 1.5)


def focused(rng: np.random.Generator, x: float, y: float, radius: float) -> Picture:
    """A sharp, richly textured disc before a blurred background; in fractions of the height."""
    rough = rng.normal(0, 1, (HEIGHT, WIDTH, 1))
    fine = cv2.GaussianBlur(rough, (0, 0), 0.7)[..., None]
    coarse = cv2.GaussianBlur(rough, (0, 0), 12)[..., None]
    background = np.array([90, 120, 100]) + coarse / coarse.std() * 25
    disc = np.array([150, 110, 90]) + fine / fine.std() * 30
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(columns - x * WIDTH, rows - y * HEIGHT)
    inside = np.clip(radius * HEIGHT - distance, 0, 1)[..., None]
    picture = background * (1 - inside) + disc * inside
    return np.clip(picture + rng.normal(0, 1, picture.shape), 0, 255).astype(np.uint8)


def parallels(rng: np.random.Generator, angle_deg: float | None = None) -> Picture:
    """Straight dark lines that all run in one direction."""
    angle = rng.uniform(-80, 80) if angle_deg is None else angle_deg
    picture = np.full((HEIGHT, WIDTH, 3), 200.0)
    along = np.array([np.cos(np.radians(angle)), -np.sin(np.radians(angle))])
    across = np.array([along[1], -along[0]])
    middle = np.array([WIDTH, HEIGHT]) / 2
    for offset in np.arange(-400, 401, 50) + rng.uniform(-10, 10):
        start = middle + across * offset
        _line(picture, start - along * 500, start + along * 500, 50)
    return textured(picture, rng)
