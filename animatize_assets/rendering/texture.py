"""A layer's picture at the resolution from which frames are drawn.

Belongs here: resampling. Does not belong here: geometry.

Frames are drawn by bilinear interpolation, which is fast but blurs by a varying amount as a still
moves by parts of a pixel, and aliases when it reduces. Both are avoided beforehand, once per clip:
the picture is brought to about one pixel per frame pixel by area averaging (so nothing is left
that could alias), then enlarged :data:`OVERSAMPLING` times by bicubic interpolation. Between
pixels that close, bilinear interpolation is nearly exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.rendering.projection import Box, Plane, refined

OVERSAMPLING = 2.0
"""Pixels of the texture per pixel of the frame, along each side."""

MAX_PIXELS = 20_000_000
"""Bound of one texture: 80 MB. A larger one is oversampled less."""


@dataclass(frozen=True)
class Texture:
    """``rgba``: uint8; its left top corner is at ``(left, top)`` of the image, px."""

    rgba: NDArray[np.uint8]
    left: float
    top: float
    columns_per_px: float
    rows_per_px: float

    def draw(self, points: tuple[Plane, Plane], window: Box) -> NDArray[np.uint8]:
        """Return what ``window`` of the frame shows: uint8, rows x columns x RGBA.

        ``points``: as returned by ``Projection.points`` for that window.
        """
        x = (points[0] - np.float32(self.left)) * np.float32(self.columns_per_px) - np.float32(0.5)
        y = (points[1] - np.float32(self.top)) * np.float32(self.rows_per_px) - np.float32(0.5)
        drawn = cv2.remap(
            self.rgba,
            refined(x, window),
            refined(y, window),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(drawn, np.uint8)


def reduced(pixels: NDArray[np.uint8], step: float) -> NDArray[np.uint8]:
    """Return ``pixels`` with about one pixel per frame pixel: 1/``step`` of its size, or itself."""
    if step <= 1:
        return pixels
    rows, columns = pixels.shape[:2]
    size = (max(1, round(columns / step)), max(1, round(rows / step)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def make_texture(
    picture: NDArray[np.uint8], image_size: tuple[int, int], box: Box, step: float
) -> Texture:
    """Return the texture of the part ``box`` (image px) of a layer.

    ``picture``: uint8 RGBA of the whole image of ``image_size`` (width, height), at any size.
    ``step``: image pixels per frame pixel.
    """
    rows, columns = picture.shape[:2]
    across, down = columns / image_size[0], rows / image_size[1]
    left, top = int(box[0] * across), int(box[1] * down)
    right, bottom = min(columns, -int(-box[2] * across)), min(rows, -int(-box[3] * down))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    part = picture[top:bottom, left:right]
    factor = OVERSAMPLING / step
    wide, high = (right - left) / across * factor, (bottom - top) / down * factor
    fit = min(1.0, sqrt(MAX_PIXELS / (wide * high)))
    size = (max(1, round(wide * fit)), max(1, round(high * fit)))
    return Texture(
        rgba=np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), np.uint8),
        left=left / across,
        top=top / down,
        columns_per_px=size[0] / (right - left) * across,
        rows_per_px=size[1] / (bottom - top) * down,
    )
