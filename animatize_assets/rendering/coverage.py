"""Where a layer hides what lies behind it, and where it shows nothing.

Belongs here: telling both for a part of a frame without looking at every pixel. Does not belong
here: drawing. Most of a near layer is wholly opaque or wholly empty, and neither needs blending.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.rendering.projection import Plane

BLOCK_PX = 8
"""Side of the blocks of a layer in which alpha is summed up."""

Span = tuple[int, int]
"""``(first, end)``, end excluded; ``(0, 0)`` when empty."""


@dataclass(frozen=True)
class Coverage:
    """What is true of every pixel of a layer within its reach of a block.

    ``opaque``: all of them are; ``seen``: some are not empty. Both bool, block rows x columns, a
    block of ``texels`` texture pixels.
    """

    opaque: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    texels: int

    def at(self, columns: Plane, rows: Plane) -> CoveredNodes:
        """Return both at grid nodes with these texture coordinates."""
        column = np.clip(columns * np.float32(1 / self.texels), 0, self.opaque.shape[1] - 1)
        row = np.clip(rows * np.float32(1 / self.texels), 0, self.opaque.shape[0] - 1)
        block = row.astype(np.intp), column.astype(np.intp)
        return CoveredNodes(self.opaque[block], self.seen[block])


@dataclass(frozen=True)
class CoveredNodes:
    """Coverage at the nodes of a grid: bool, node rows x columns."""

    opaque: NDArray[np.bool_]
    seen: NDArray[np.bool_]

    def hiding(self, rows: Span) -> Span:
        """Return the longest run of node columns that are opaque in all of the node ``rows``."""
        whole = self.opaque[slice(*rows)].all(axis=0)
        steps = np.flatnonzero(np.diff(whole, prepend=False, append=False))
        if not steps.size:
            return (0, 0)
        starts, ends = steps[::2], steps[1::2]
        longest = int(np.argmax(ends - starts))
        return int(starts[longest]), int(ends[longest])

    def showing(self, rows: Span) -> Span:
        """Return the node columns from the first to the last that show anything in ``rows``."""
        columns = np.flatnonzero(self.seen[slice(*rows)].any(axis=0))
        return (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, 0)


def measure_coverage(alpha: NDArray[np.uint8], density: int, reach_px: float) -> Coverage:
    """Sum up ``alpha`` (uint8, rows x columns) of a layer.

    ``density``: texture pixels per pixel of it, each way. ``reach_px``: how far, in pixels of
    ``alpha``, from what a node sees a pixel of the frame can look that is nearest to that node.
    """
    rows, columns = (-(-side // BLOCK_PX) for side in alpha.shape)
    padded = cv2.copyMakeBorder(
        alpha,
        0,
        rows * BLOCK_PX - alpha.shape[0],
        0,
        columns * BLOCK_PX - alpha.shape[1],
        cv2.BORDER_REPLICATE,
    )
    blocks = padded.reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    # Along rows first: they lie together in memory.
    least, most = blocks.min(axis=1).min(axis=-1), blocks.max(axis=1).max(axis=-1)
    # The filter that doubles a texture reaches 4 px, bilinear interpolation one more.
    side = 2 * int(np.ceil((reach_px + 5) / BLOCK_PX)) + 1
    around = np.ones((side, side), np.uint8)
    return Coverage(
        opaque=np.asarray(cv2.erode(least, around) == 255, np.bool_),
        seen=np.asarray(cv2.dilate(most, around) > 0, np.bool_),
        texels=BLOCK_PX * density,
    )
