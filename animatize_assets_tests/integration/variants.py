"""The same picture in other files: sizes, formats, mirrored, brighter, cropped a little."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.images.decoding import decode_normalized

Pixels = NDArray[np.uint8]
Encoded = tuple[bytes, tuple[int, int]]
"""A file's bytes and the (width, height) of the picture in it."""

REFERENCE = "1080p.jpg"
LONG_SIDES = {"720p": 1280, "1080p": 1920, "4k": 3840}


def base_picture(path: Path) -> Pixels:
    """A file's picture, rows x columns x RGB."""
    return decode_normalized(path)


def encode(pixels: Pixels, suffix: str) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    assert done
    return data.tobytes()


def resized(pixels: Pixels, long_side_px: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = long_side_px / max(width, height)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def mirrored(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[:, ::-1])


def brighter(pixels: Pixels, factor: float) -> Pixels:
    return np.clip(pixels.astype(np.float32) * factor, 0, 255).astype(np.uint8)


def cropped(pixels: Pixels, share: float) -> Pixels:
    """Without ``share`` of each side."""
    rows, columns = (round(n * share) for n in pixels.shape[:2])
    return pixels[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns]


def _variant(
    change: Callable[[Pixels], Pixels], size: str, suffix: str
) -> Callable[[Pixels], Encoded]:
    def make(pixels: Pixels) -> Encoded:
        changed = change(resized(pixels, LONG_SIDES[size]))
        return encode(changed, suffix), (changed.shape[1], changed.shape[0])

    return make


def _same(pixels: Pixels) -> Pixels:
    return pixels


VARIANTS: dict[str, Callable[[Pixels], Encoded]] = {
    **{
        f"{size}{suffix}": _variant(_same, size, suffix)
        for size in LONG_SIDES
        for suffix in (".jpg", ".png")
    },
    "mirror": _variant(mirrored, "1080p", ".jpg"),
    "brighter": _variant(lambda p: brighter(p, 1.08), "1080p", ".jpg"),
    "darker": _variant(lambda p: brighter(p, 0.92), "1080p", ".jpg"),
    "cropped": _variant(lambda p: cropped(p, 0.015), "1080p", ".jpg"),
}
"""Name to what makes the file; ``REFERENCE`` is what the others are compared with."""
