"""Painted scenes with known truth, for the tests of regions, subject and scene type."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
ROWS, COLUMNS = 400, 600
SKY = (120, 170, 230)
GRASS = (70, 120, 50)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain(colour: tuple[int, int, int], rows: int = ROWS, columns: int = COLUMNS) -> Picture:
    return np.full((rows, columns, 3), colour, np.uint8)


def textured(
    picture: Picture | NDArray[np.float64], amount: float, grain_px: int = 5, seed: int = 0
) -> Picture:
    """Add blotches of ``grain_px`` with a standard deviation of about ``amount`` levels."""
    rows, columns = picture.shape[:2]
    small = rng(seed).normal(0, amount, (rows // grain_px + 1, columns // grain_px + 1))
    noise = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + noise[..., None], 0, 255).astype(np.uint8)


def meadow(horizon: float = 0.5) -> Picture:
    """Smooth blue above, rough green below."""
    picture = textured(plain(GRASS), 30)
    picture[: round(ROWS * horizon)] = SKY
    return textured(picture, 1.5, 3, seed=1)


def lone_disc(centre_x: float, centre_y: float = 0.5, radius: float = 0.15) -> Picture:
    """One rough red disc on a smooth grey ground."""
    picture = textured(plain((150, 150, 150)), 1.5, 3)
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    middle = (round(centre_x * COLUMNS), round(centre_y * ROWS))
    cv2.circle(mask, middle, round(radius * ROWS), 255, -1)
    disc = textured(plain((200, 40, 40)), 35)
    picture[mask > 0] = disc[mask > 0]
    return picture


def on_the_left_third(numbers: np.random.Generator) -> Picture:
    """One thing of any colour, size, shape and roughness on an even ground, at x = 1/3."""
    ground = numbers.uniform(60, 200, 3)
    sign = np.where(ground > 130, -1, 1)  # away from the ground, so that it can be seen
    colour = ground + sign * numbers.permuted([70, numbers.uniform(0, 60), numbers.uniform(0, 60)])
    seeds = numbers.integers(1_000_000, size=2).tolist()
    picture = textured(np.full((ROWS, COLUMNS, 3), ground), numbers.uniform(1, 6), 3, seeds[0])
    thing = textured(np.full((ROWS, COLUMNS, 3), colour), numbers.uniform(5, 35), 5, seeds[1])
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    middle = (round(COLUMNS / 3), round(numbers.uniform(0.3, 0.7) * ROWS))
    radius = numbers.uniform(0.08, 0.2) * ROWS
    axes = (round(radius * numbers.uniform(0.6, 1)), round(radius))
    cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1)
    picture[mask > 0] = thing[mask > 0]
    return picture


def blue_car() -> Picture:
    """A smooth, sky-coloured body in mid-picture on rough ground under a brick wall."""
    picture = textured(plain((120, 90, 75)), 30)
    picture[ROWS // 2 :] = textured(plain((110, 108, 105), ROWS - ROWS // 2), 25, seed=2)
    cv2.rectangle(picture, (120, 170), (480, 300), SKY, -1)
    return picture


def mirrored(picture: Picture) -> Picture:
    return np.ascontiguousarray(picture[:, ::-1])
