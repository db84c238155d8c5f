"""A layer's picture at the resolution from which frames are drawn.

Belongs here: resampling. Does not belong here: geometry.

Frames are drawn by bilinear interpolation, which is fast, but alone would alias where it reduces
and blur by a varying amount as a still moves by parts of a pixel. Both are avoided beforehand,
once per clip: a larger picture is brought to about one pixel per frame pixel by area averaging, so
that nothing is left which could alias, and every picture is then doubled by a Lanczos filter.
Between pixels that close, bilinear interpolation is nearly exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.rendering.coverage import Coverage, measure_coverage
from animatize_assets.rendering.projection import Box, Plane

Pixels = NDArray[np.uint8]

MIN_STEP = 0.5
"""A picture with fewer pixels per frame pixel is enlarged to this by bicubic interpolation."""

MAX_DOUBLED_PIXELS = 30_000_000
"""Bound of a doubled texture: 120 MB. One that would be larger is not doubled, but drawn by the
slower bicubic interpolation."""

_TAPS = np.arange(8) - 3.5
_HALF = np.sinc(_TAPS) * np.sinc(_TAPS / 4)
_HALF = (_HALF / _HALF.sum()).astype(np.float32)
"""Lanczos filter (a = 4) that gives the value half way between two pixels."""


@dataclass(frozen=True)
class Texture:
    """``pixels``: uint8, three colours times alpha, and alpha.

    The centre of its first pixel is at ``(left, top)`` of the image, px.
    """

    pixels: Pixels
    left: float
    top: float
    columns_per_px: float
    rows_per_px: float
    interpolation: int
    coverage: Coverage | None
    """None when all of it is opaque."""

    def coordinates(self, points: tuple[Plane, Plane]) -> tuple[Plane, Plane]:
        """Return image points, px, as columns and rows of this texture."""
        return (
            (points[0] - np.float32(self.left)) * np.float32(self.columns_per_px),
            (points[1] - np.float32(self.top)) * np.float32(self.rows_per_px),
        )

    def draw(self, columns: Plane, rows: Plane, into: Pixels) -> None:
        """Fill ``into`` (uint8, height x width x 4) with what is at ``columns`` and ``rows``."""
        cv2.remap(
            self.pixels,
            columns,
            rows,
            self.interpolation,
            dst=into,
            borderMode=cv2.BORDER_REPLICATE,
        )


def at_frame_resolution(pixels: Pixels, step: float) -> Pixels:
    """Return ``pixels`` of the size at which layers are cut and textures made.

    ``step``: image pixels per frame pixel. From 1 on, one pixel remains per frame pixel.
    """
    if MIN_STEP <= step <= 1:
        return pixels
    factor = max(step, 1.0) if step > 1 else step / MIN_STEP
    rows, columns = pixels.shape[:2]
    size = (max(1, round(columns / factor)), max(1, round(rows / factor)))
    how = cv2.INTER_AREA if step > 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def make_texture(
    picture: Pixels, alpha: Pixels, image_size: tuple[int, int], box: Box, reach_px: float
) -> Texture:
    """Return the texture of the part ``box`` (image px) of a layer.

    ``picture``: uint8, rows x columns x 3 in any colours, of the whole image of ``image_size``
    (width, height), at any size. ``alpha``: uint8, rows x columns. ``reach_px``: how far apart, in
    image pixels, a grid node and a pixel nearest to it can look.
    """
    rows, columns = picture.shape[:2]
    across, down = columns / image_size[0], rows / image_size[1]
    # A margin as wide as half the filter, so that it sees nothing but picture.
    left, top = max(0, int(box[0] * across) - 4), max(0, int(box[1] * down) - 4)
    right, bottom = int(box[2] * across) + 5, int(box[3] * down) + 5
    part, shown = picture[top:bottom, left:right], alpha[top:bottom, left:right]
    opaque = int(shown.min()) == 255
    if not opaque:
        part = np.asarray(cv2.multiply(part, cv2.merge([shown] * 3), scale=1 / 255), np.uint8)
    four = np.asarray(cv2.merge([*cv2.split(part), shown]), np.uint8)
    doubles = 4 * shown.size <= MAX_DOUBLED_PIXELS
    density = 2 if doubles else 1
    return Texture(
        pixels=_doubled(four) if doubles else four,
        coverage=None if opaque else measure_coverage(shown, density, reach_px * max(across, down)),
        left=(left + 0.5) / across,
        top=(top + 0.5) / down,
        columns_per_px=density * across,
        rows_per_px=density * down,
        interpolation=cv2.INTER_LINEAR if doubles else cv2.INTER_CUBIC,
    )


def _doubled(pixels: Pixels) -> Pixels:
    """Return ``pixels`` with a new pixel half way after each old one, along rows and columns.

    Old pixels stay exactly as they are: a still that does not move is not resampled at all.
    """
    one, border = np.ones(1, np.float32), cv2.BORDER_REPLICATE
    anchor = 3  # the tap of the pixel before the half way
    across = cv2.sepFilter2D(pixels, -1, _HALF, one, anchor=(anchor, 0), borderType=border)
    rows, columns = pixels.shape[:2]
    doubled = np.empty((2 * rows, 2 * columns, 4), np.uint8)
    words = doubled.view(np.uint32)[:, :, 0]  # a pixel as one word: a quarter of the copies
    for column, old in enumerate((pixels, np.asarray(across, np.uint8))):
        below = cv2.sepFilter2D(old, -1, one, _HALF, anchor=(0, anchor), borderType=border)
        words[::2, column::2] = old.view(np.uint32)[:, :, 0]
        words[1::2, column::2] = np.asarray(below, np.uint8).view(np.uint32)[:, :, 0]
    return doubled
