"""Colour and texture on a small copy: the planes that regions, subject and scene type share.

Belongs here: per-pixel colour and local texture at one fixed, small scale, so that an answer does
not depend on how large the image was. Does not belong here: what a colour or texture means.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.working_copy import WorkingCopy

SURFACE_LONG_SIDE_PX = 192
"""Long side of the small copy. At this scale sensor noise and JPEG blocks are averaged away while
a leaf canopy, a window front or a face still has texture; every plane costs well under 0.2 ms."""

TEXTURE_WINDOW_PX = 5
"""Side of the window for local texture: 1/38 of the long side."""

TAN_15 = 0.268

STRUCTURE_CELLS = 12
STRUCTURE_SHARE = (0.22, 0.30)
"""Share of the spread of colour that survives averaging over a twelfth of the picture: noise of
any grain up to 1/75 keeps 0.09 to 0.21, a drawing of many small things 0.35, most pictures 0.8."""

STRUCTURE_SPREAD = (0.5, 1.5)
"""CIELAB units of that spread: below a just noticeable difference there is nothing to see."""


@dataclass(frozen=True)
class Surface:
    """The small copy as CIELAB. ``lab``: float32 rows x columns x (L* 0..100, a*, b*).

    Exposed so that the brightest parts are white: what a surface is does not depend on how long
    the shutter was open. ``rgb``: the small copy as it is.
    """

    lab: NDArray[np.float32]
    rgb: NDArray[np.uint8]

    @classmethod
    def of(cls, copy: WorkingCopy) -> Surface:
        """Reduce a working copy (by area averaging; never enlarged)."""
        scale = SURFACE_LONG_SIDE_PX / max(copy.height, copy.width)
        # In two steps where there is room: halving is five times faster than an odd ratio.
        rgb = copy.half.rgb if scale <= 0.5 else copy.rgb
        if scale < 1:
            size = (max(4, round(copy.width * scale)), max(4, round(copy.height * scale)))
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        exposed = np.minimum(rgb.astype(np.float32) * np.float32(_gain(rgb) / 255), 1)
        lab = cv2.cvtColor(exposed, cv2.COLOR_RGB2LAB)
        return cls(lab=np.asarray(lab, np.float32), rgb=rgb)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return int(self.lab.shape[0]), int(self.lab.shape[1])

    @cached_property
    def lightness(self) -> NDArray[np.float32]:
        """CIE L*, 0..100."""
        return np.ascontiguousarray(self.lab[..., 0])

    @cached_property
    def chroma(self) -> NDArray[np.float32]:
        """CIE C*ab, 0 (grey) to about 130."""
        return np.asarray(cv2.magnitude(self.lab[..., 1], self.lab[..., 2]), np.float32)

    @cached_property
    def hue_deg(self) -> NDArray[np.float32]:
        """CIE h_ab in degrees, 0..360: red 40, yellow 100, green 135, sky blue 260."""
        hue = cv2.phase(self.lab[..., 1], self.lab[..., 2], angleInDegrees=True)
        return np.asarray(hue, np.float32)

    @cached_property
    def texture(self) -> NDArray[np.float32]:
        """Standard deviation of L* in a 5 x 5 window, in L* units."""
        window = (TEXTURE_WINDOW_PX, TEXTURE_WINDOW_PX)
        mean = cv2.boxFilter(self.lightness, -1, window)
        square = cv2.sqrBoxFilter(self.lightness, -1, window)
        return np.sqrt(np.maximum(square - mean * mean, 0)).astype(np.float32)

    @cached_property
    def slopes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Absolute Sobel derivatives of L* along x and along y."""
        along_x = cv2.Sobel(self.lightness, cv2.CV_32F, 1, 0)
        along_y = cv2.Sobel(self.lightness, cv2.CV_32F, 0, 1)
        return np.abs(along_x).astype(np.float32), np.abs(along_y).astype(np.float32)

    @cached_property
    def slope(self) -> NDArray[np.float32]:
        """Norm of the two derivatives."""
        return np.asarray(cv2.magnitude(*self.slopes), np.float32)

    @cached_property
    def is_straight(self) -> NDArray[np.bool_]:
        """Where the slope runs along or across the picture to within 15 degrees."""
        along_x, along_y = self.slopes
        return np.asarray(np.minimum(along_x, along_y) < TAN_15 * np.maximum(along_x, along_y))

    @cached_property
    def structure(self) -> float:
        """0 for a flat colour or noise, 1 for anything that a picture is of."""
        cells = cv2.resize(
            self.lab, (STRUCTURE_CELLS, STRUCTURE_CELLS), interpolation=cv2.INTER_AREA
        )
        coarse = float(cv2.norm(np.asarray(cv2.meanStdDev(cells)[1])))
        share = coarse / (float(cv2.norm(np.asarray(cv2.meanStdDev(self.lab)[1]))) + 0.1)
        return _between(coarse, STRUCTURE_SPREAD) * _between(share, STRUCTURE_SHARE)


def _between(value: float, bounds: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - bounds[0]) / (bounds[1] - bounds[0])))


BRIGHTEST = 0.99
MOST_GAIN = 1.6
"""A night is not made into a day. The gain is on sRGB values: 1.6 is about 1.4 stops of light."""


def _gain(rgb: NDArray[np.uint8]) -> float:
    """Find what brings the 99th percentile of the brightest channel to white; at least 1."""
    counts = np.bincount(rgb.max(axis=2).ravel(), minlength=256)
    brightest = int(np.searchsorted(counts.cumsum(), BRIGHTEST * counts.sum()))
    return min(MOST_GAIN, 255 / max(1, brightest))
