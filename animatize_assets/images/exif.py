"""How an image is to be turned to stand upright.

Belongs here: reading the orientation tag and applying it. Does not belong here: any other EXIF
tag; none is needed. Pillow's own reader is not used because it warns instead of answering when
a block is damaged, and because it takes an orientation from XMP, which browsers do not.

Source: CIPA DC-008 (EXIF 2.32) 4.6.4 A, tag 274.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.errors import InvalidImage
from animatize_assets.images.headers import tiff_first_directory

ORIENTATION_TAG = 274
UPRIGHT = 1

_LEFT_RIGHT, _UP_DOWN, _BOTH = 1, 0, -1
# Orientation: (rows and columns change places first, then OpenCV's flip code).
_TURNS: dict[int, tuple[bool, int | None]] = {
    1: (False, None),
    2: (False, _LEFT_RIGHT),
    3: (False, _BOTH),
    4: (False, _UP_DOWN),
    5: (True, None),
    6: (True, _LEFT_RIGHT),
    7: (True, _BOTH),
    8: (True, _UP_DOWN),
}


def read_orientation(info: Mapping[str | tuple[int, int], object]) -> int:
    """Find the orientation in Pillow's ``info`` of a JPEG, PNG or WebP; 1 when none or damaged."""
    block = info.get("exif")
    if block is None:
        # How ImageMagick wrote EXIF into PNG before the format had a chunk for it: in hexadecimal.
        text = info.get("Raw profile type exif")
        block = _unhexlify(text) if isinstance(text, str) else None
    if not isinstance(block, bytes):
        return UPRIGHT
    block = block.removeprefix(b"Exif\0\0")
    if not block.startswith((b"II*\0", b"MM\0*")):
        return UPRIGHT
    try:
        return valid_orientation(tiff_first_directory(block).get(ORIENTATION_TAG))
    except (struct.error, InvalidImage):
        return UPRIGHT


def _unhexlify(text: str) -> bytes | None:
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return None


def valid_orientation(value: object) -> int:
    """Return ``value`` when it is one of 1..8, else 1: an unknown orientation turns nothing."""
    return value if isinstance(value, int) and 1 <= value <= 8 else UPRIGHT


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn ``pixels`` (rows x columns x channels) as the tag's value asks; contiguous."""
    swaps_axes, flip = _TURNS[orientation]
    turned = cv2.transpose(pixels) if swaps_axes else pixels
    return np.asarray(turned if flip is None else cv2.flip(turned, flip), np.uint8)
