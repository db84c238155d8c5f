"""A small picture of a stated size in a stated number of bytes.

Belongs here: reducing and encoding for previews. Does not belong here: what is drawn on them
(``overlay``), or pictures that are results (``generation``).
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.errors import RenderingFailed

QUALITIES = (82, 72, 60, 48, 36, 24)
"""WebP qualities that are tried, best first; below the last the picture is made smaller instead."""

SHRINK = 0.8
"""Factor of the side from one size that is tried to the next."""

SMALLEST_SIDE_PX = 32
"""Long side below which a preview shows nothing any more."""


def encode_thumbnail(pixels: NDArray[np.uint8], *, long_side_px: int, max_bytes: int) -> bytes:
    """Encode ``pixels`` (rows x columns x RGB) as a WebP of at most ``max_bytes``.

    The long side is ``long_side_px`` or that of ``pixels``, whichever is smaller; when even the
    lowest quality is too large it shrinks step by step. The same pixels give the same bytes.

    Raises:
        RenderingFailed: nothing of at least 32 px fits the budget.

    """
    side = min(long_side_px, max(pixels.shape[:2]))
    smallest = min(SMALLEST_SIDE_PX, side)
    while side >= smallest:
        encoded = _best_within(Image.fromarray(reduce_to(pixels, side)), max_bytes)
        if encoded is not None:
            return encoded
        side = int(side * SHRINK)
    raise RenderingFailed(
        f"No preview of {smallest} px or more fits in {max_bytes} bytes: allow more bytes."
    )


def _best_within(picture: Image.Image, max_bytes: int) -> bytes | None:
    """Return the best quality that fits, by bisection; None when the lowest does not."""
    content = _encoded(picture, QUALITIES[0])
    if len(content) <= max_bytes:
        return content
    best = None
    low, high = 1, len(QUALITIES) - 1
    while low <= high:
        middle = (low + high) // 2
        content = _encoded(picture, QUALITIES[middle])
        if len(content) <= max_bytes:
            best, high = content, middle - 1
        else:
            low = middle + 1
    return best


def _encoded(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def reduce_to(pixels: NDArray[np.uint8], long_side_px: int) -> NDArray[np.uint8]:
    """Return ``pixels`` with the given long side, by area averaging; never enlarged."""
    height, width = pixels.shape[:2]
    scale = long_side_px / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
