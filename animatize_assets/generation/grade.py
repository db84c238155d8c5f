"""Light and colour that a prompt asks for, applied to a picture.

Belongs here: what the numbers of ``MotionPrompt.grade`` do to pixels. Does not belong here: which
numbers a scene or a style gets (``prompts``).

Every number is in -1..1 and 0 changes nothing:

- ``brightness``: exponent ``2^-b`` on the values, so black and white stay;
- ``contrast``: about middle grey, by the factor ``1 + c / 2``;
- ``saturation``: distance from luma (BT.709), by the factor ``1 + s``;
- ``temperature``: red and blue gain by ``1 +- t / 5``, luma kept; positive is warmer.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.errors import RenderingFailed

GRADE_KEYS = frozenset({"temperature", "contrast", "saturation", "brightness"})
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # BT.709


def apply_grade(pixels: NDArray[np.uint8], grade: Mapping[str, str | float]) -> NDArray[np.uint8]:
    """Return ``pixels`` (uint8 RGB) with ``grade`` applied; missing numbers are 0.

    Raises:
        RenderingFailed: a key is none of :data:`GRADE_KEYS`, or a value is no number in -1..1.
    """
    values = _checked(grade)
    if not any(values.values()):
        return pixels
    tone = np.arange(256, dtype=np.float64) / 255
    tone = tone ** (2.0 ** -values["brightness"])
    tone = 0.5 + (tone - 0.5) * (1 + values["contrast"] / 2)
    table = np.clip(np.rint(tone * 255), 0, 255).astype(np.uint8)
    toned = cv2.LUT(pixels, table)
    return np.asarray(cv2.transform(toned, _colour_matrix(values)), np.uint8)


def _colour_matrix(values: Mapping[str, float]) -> NDArray[np.float32]:
    """Saturation, then temperature, as one 3x3 matrix on RGB; grey of any level keeps its luma."""
    saturation = 1 + values["saturation"]
    saturate = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    warmth = values["temperature"] / 5
    gains = np.array([1 + warmth, 1.0, 1 - warmth], np.float32)
    gains /= float(_LUMA @ gains)
    return np.asarray(np.diag(gains) @ saturate, np.float32)


def _checked(grade: Mapping[str, str | float]) -> dict[str, float]:
    values = dict.fromkeys(sorted(GRADE_KEYS), 0.0)
    for key, value in grade.items():
        if key not in GRADE_KEYS:
            raise RenderingFailed(
                f"'{key}' is no grade; known are {', '.join(sorted(GRADE_KEYS))}."
            )
        if not isinstance(value, int | float) or not -1 <= value <= 1:
            raise RenderingFailed(f"The grade {key}={value!r} is no number from -1 to 1.")
        values[key] = float(value)
    return values
