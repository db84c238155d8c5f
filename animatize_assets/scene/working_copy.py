"""The reduced picture that every analysis measures, with its planes computed once.

Belongs here: colour planes and gradients that more than one analysis needs. Does not belong here:
anything that only one analysis needs.

Planes are computed on first use and kept; reading one from several threads is safe
(:func:`functools.cached_property` holds a lock while it computes).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_LONG_SIDE_PX = 640
"""Long side of the working copy.

Measured with one thread on two JPEGs of 1080p (``cv2.imread``: 7.5 ms), decoding and analysing,
and on ten drawn roads whose painted lines are 0.1 % of the width:

====== ======= ============================== ==========================
px     ms      vanishing point off by         horizon off by
====== ======= ============================== ==========================
320    35      0.56 % of the diagonal         0.42 % of the height
480    42      0.27 %                         0.05 %
640    48      0.22 %                         0.05 %
960    87      0.14 %                         0.04 %
====== ======= ============================== ==========================

640 is the last step that is cheap: at 960 decoding alone takes three times as long. It also leaves
depth and region maps that are worth enlarging to a 1080p frame.
"""


@dataclass(frozen=True)
class WorkingCopy:
    """An image reduced for measurement. ``rgb``: uint8, rows x columns x RGB, read only."""

    rgb: NDArray[np.uint8]

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.rgb.shape[1])

    @cached_property
    def half(self) -> WorkingCopy:
        """This copy at half the size, by area averaging; a side is never below 1 px."""
        return WorkingCopy(_halved(self.rgb))

    @cached_property
    def quarter(self) -> WorkingCopy:
        """This copy at a quarter of the size, by area averaging; a side is never below 1 px."""
        return WorkingCopy(_halved(self.half.rgb))

    @cached_property
    def gray(self) -> NDArray[np.uint8]:
        """Rec. 601 luma, uint8."""
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def hsv(self) -> NDArray[np.uint8]:
        """OpenCV's 8-bit HSV: hue 0..179 (2 degrees each), saturation and value 0..255."""
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2HSV), np.uint8)

    @cached_property
    def lab(self) -> NDArray[np.uint8]:
        """OpenCV's 8-bit CIELAB: L* x 255/100, a* + 128, b* + 128."""
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2LAB), np.uint8)

    @cached_property
    def gradient(self) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Sobel derivatives of ``gray`` along x and y, int16."""
        dx, dy = cv2.spatialGradient(self.gray)
        return np.asarray(dx, np.int16), np.asarray(dy, np.int16)

    @cached_property
    def gradient_magnitude(self) -> NDArray[np.float32]:
        """Euclidean norm of ``gradient``, float32, 0..about 1442."""
        dx, dy = self.gradient
        return np.asarray(cv2.magnitude(dx.astype(np.float32), dy.astype(np.float32)), np.float32)


def _halved(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = rgb.shape[:2]
    size = (max(1, (columns + 1) // 2), max(1, (rows + 1) // 2))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
