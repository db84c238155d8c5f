"""A layer as one frame sees it, to be drawn part by part.

Belongs here: from grid nodes to pixels of a part of the frame. Does not belong here: where nodes
look (``projection``), or in which order layers are laid (``frame``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.rendering.coverage import CoveredNodes, Span
from animatize_assets.rendering.projection import Box, Plane
from animatize_assets.rendering.scratch import Scratch
from animatize_assets.rendering.texture import Texture


@dataclass(frozen=True)
class View:
    """``texture`` in ``window`` of the frame, px.

    ``points``: what the window's grid nodes see, image px (``Projection.points``), ``cell_px``
    apart: node j is at the centre of the pixels from ``(j - 1) x cell_px`` to ``j x cell_px`` of
    the window.
    """

    texture: Texture
    window: Box
    cell_px: int
    points: tuple[Plane, Plane]

    def draw(self, part: Box, into: NDArray[np.uint8], scratch: Scratch) -> None:
        """Fill ``into`` (uint8, height x width x 4) with ``part`` of the frame, in the window."""
        left, top, right, bottom = part
        self.texture.draw(*self._pixels(self._nodes, (left, right), (top, bottom), scratch), into)

    def showing(self, rows: Span) -> Span:
        """Return the columns of the frame in which anything is seen in ``rows``, px."""
        if self._covered is None:
            return self.window[0], self.window[2]
        rows = self._own(rows)
        return self._columns(self._covered.showing(self._around(rows, self.window[1])))

    def hiding(self, rows: Span) -> Span:
        """Return columns of the frame in which ``rows`` show nothing but this layer, px."""
        if self._covered is None or rows != self._own(rows):
            return (0, 0)
        return self._columns(self._covered.hiding(self._around(rows, self.window[1])))

    def _own(self, rows: Span) -> Span:
        """Return the part of ``rows`` that is in the window."""
        return max(rows[0], self.window[1]), min(rows[1], self.window[3])

    @cached_property
    def _nodes(self) -> tuple[Plane, Plane]:
        return self.texture.coordinates(self.points)

    @cached_property
    def _covered(self) -> CoveredNodes | None:
        coverage = self.texture.coverage
        return None if coverage is None else coverage.at(*self._nodes)

    def _columns(self, nodes: Span) -> Span:
        """Return the pixel columns that are nearest to some of the node columns."""
        if nodes[0] == nodes[1]:
            return (0, 0)
        left, _, right, _ = self.window
        first, end = left + (nodes[0] - 1) * self.cell_px, left + (nodes[1] - 1) * self.cell_px
        return max(left, first), min(right, end)

    def _around(self, pixels: Span, start: int) -> Span:
        """Return the nodes between which ``pixels`` lie, of a window that begins at ``start``."""
        first, end = ((pixel - start) / self.cell_px + 0.5 for pixel in pixels)
        return floor(first), ceil(end) + 1

    def _pixels(
        self, nodes: tuple[Plane, Plane], columns: Span, rows: Span, scratch: Scratch
    ) -> tuple[Plane, Plane]:
        """Return ``nodes`` as planes of pixels in ``scratch``: linear between the nodes."""
        left, top, _, _ = self.window
        across, down = self._around(columns, left), self._around(rows, top)
        skipped = (
            rows[0] - top - (down[0] - 1) * self.cell_px,
            columns[0] - left - (across[0] - 1) * self.cell_px,
        )
        shape = ((down[1] - down[0]) * self.cell_px, (across[1] - across[0]) * self.cell_px)
        x, y = (
            cv2.resize(
                plane[slice(*down), slice(*across)],
                shape[::-1],
                dst=scratch.take(name, shape, np.float32),
                interpolation=cv2.INTER_LINEAR,
            )[
                skipped[0] : skipped[0] + rows[1] - rows[0],
                skipped[1] : skipped[1] + columns[1] - columns[0],
            ]
            for name, plane in zip("xy", nodes, strict=True)
        )
        return np.asarray(x, np.float32), np.asarray(y, np.float32)
