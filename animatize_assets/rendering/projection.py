"""Which point of the image each pixel of a frame shows, for a scene of given depth.

Belongs here: the geometry of a camera path over an image with depth. Does not belong here: how
paths are sampled or checked (``movement.camera_path``), nor any colour.

A frame pixel at ``x`` (from the frame's centre, px) shows, of a surface of depth ``d``, the point

    s = center(d) + R x k / (1 + dolly * d)

of the image: ``center(d)`` is where the path puts that layer's viewport, ``R`` the roll and ``k``
image pixels per frame pixel. As ``d`` is itself a function of ``s``, the equation is solved by
fixed-point iteration. It converges when depth varies slowly enough; :attr:`Projection.drift_px`
says how slowly, and ``layers`` smooths depth accordingly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, cos, floor, hypot, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.errors import ImpossibleCameraPath
from animatize_assets.movement.camera_path import layer_center, overshoot_px, sample, viewport
from animatize_assets.movement.models import CameraPath, Keyframe

CELL_PX = 8
LARGE_CELL_PX = 16
"""Side of a cell of the grid on which points are solved; between its nodes they are linear.
Frames with a side of more than :data:`LARGE_FRAME_PX` get the larger cells."""

LARGE_FRAME_PX = 1000

STRIP_PX = 256
"""Rows of a frame that are drawn at a time: what a strip needs stays in the processor's cache,
where a whole frame's maps and layers (50 MB at 1080p) would be written to memory and read back."""

ITERATIONS = 8
"""With steps that at least halve (``layers.MAX_SHEAR``), 1/256 of the first error is left."""

SOLVED_PX = 1 / 64
"""A step that moves no point by more than this, in image pixels, is the last: what is left is at
most as much again, far below what bilinear interpolation can show."""

SAMPLES = 9
"""Times at which the extent of a path is measured; its rectangle moves along straight lines."""

OVERSHOOT_TOLERANCE = 1e-3
"""Share of the longer side by which a layer's viewport may leave the image: rounding of sizes."""

Plane = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""``(left, top, right, bottom)`` in whole pixels, right and bottom excluded."""


@dataclass(frozen=True)
class Projection:
    """A camera path over an image of ``image_width`` x ``image_height`` px, seen at a frame size.

    When the frame's aspect is not the path's, the frame shows the largest rectangle of its own
    aspect inside the path's viewport, so nothing is ever distorted or outside the image.
    """

    path: CameraPath
    image_width: int
    image_height: int
    width: int
    height: int

    def __post_init__(self) -> None:
        overshoot = overshoot_px(self.path, self.image_width, self.image_height)
        if overshoot > OVERSHOOT_TOLERANCE * max(self.image_width, self.image_height):
            raise ImpossibleCameraPath(
                f"The camera path '{self.path.move}' leaves this {self.image_width}x"
                f"{self.image_height} image by {overshoot:.1f} px. Plan it for this image."
            )

    def points(self, t: float, depth: Plane, window: Box) -> tuple[Plane, Plane]:
        """Return the image points ``(x, y)``, px, that a part of the frame shows at time ``t``.

        ``depth``: of the surface at each point of the image, rows x columns of any size.
        ``window``: the part of the frame, whole cells. The result is a grid of nodes, to be made a
        map of pixels by ``view``. Edges of pixels are at whole numbers.
        """
        keyframe = sample(self.path, t)
        rays = self._rays(keyframe, window)
        x, y = self._seen(keyframe, rays, np.float32(depth.mean()))
        if self.drift_px == 0:
            return x, y
        columns, rows = depth.shape[1] / self.image_width, depth.shape[0] / self.image_height
        for _ in range(ITERATIONS):
            here = cv2.remap(
                depth,
                x * np.float32(columns) - np.float32(0.5),
                y * np.float32(rows) - np.float32(0.5),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            before = x, y
            x, y = self._seen(keyframe, rays, np.asarray(here, np.float32))
            moved = max(cv2.norm(x, before[0], cv2.NORM_INF), cv2.norm(y, before[1], cv2.NORM_INF))
            if moved <= SOLVED_PX:
                break
        return x, y

    def window_of(self, t: float, box: Box, depths: tuple[float, float]) -> Box:
        """Return the part of the frame in which ``box`` of the image, px, can be seen at ``t``.

        ``depths``: between which its depth lies. The part has whole cells, so its right and bottom
        may lie up to a cell beyond the frame. Left is not less than right, or top than bottom, when
        it cannot be seen.
        """
        keyframe = sample(self.path, t)
        angle, step = radians(keyframe.roll), self._step(keyframe)
        xs, ys = [], []
        for depth in depths:
            cx, cy = self._center(keyframe, depth)
            scale = (1 + keyframe.dolly * depth) / step
            for x, y in ((x, y) for x in box[::2] for y in box[1::2]):
                xs.append(scale * (cos(angle) * (x - cx) + sin(angle) * (y - cy)))
                ys.append(scale * (cos(angle) * (y - cy) - sin(angle) * (x - cx)))
        half_w, half_h, cell = self.width / 2, self.height / 2, self.cell_px
        return (
            max(0, floor((min(xs) + half_w) / cell)) * cell,
            max(0, floor((min(ys) + half_h) / cell)) * cell,
            ceil(min(self.width, max(xs) + half_w) / cell) * cell,
            ceil(min(self.height, max(ys) + half_h) / cell) * cell,
        )

    @property
    def cell_px(self) -> int:
        """Side of a cell of the grid, px of the frame."""
        return LARGE_CELL_PX if max(self.width, self.height) > LARGE_FRAME_PX else CELL_PX

    @property
    def whole_cells(self) -> tuple[int, int]:
        """Width and height, px, of the cells that cover the frame."""
        cell = self.cell_px
        return -(-self.width // cell) * cell, -(-self.height // cell) * cell

    @cached_property
    def strips(self) -> list[tuple[int, int]]:
        """Rows of the frame, ``(top, bottom)``, to be drawn at a time.

        They begin at grid nodes, between which a plane is cheapest to refine; their number is even.
        """
        cell = self.cell_px
        ends = [*range(STRIP_PX - cell // 2, self.height, STRIP_PX), self.height]
        return list(pairwise([0, *ends]))

    @cached_property
    def drift_px(self) -> float:
        """How far, in image pixels, depth 0 and depth 1 move apart at most; 0 on a flat path."""
        worst = 0.0
        for keyframe in self._sampled:
            (fx, fy), (nx, ny) = self._center(keyframe, 0.0), self._center(keyframe, 1.0)
            corner = self._step(keyframe) * hypot(self.width, self.height) / 2
            worst = max(worst, hypot(nx - fx, ny - fy) + corner * abs(keyframe.dolly))
        return worst

    @cached_property
    def steps(self) -> tuple[float, float]:
        """Smallest and largest number of image pixels per frame pixel, at depth 0."""
        steps = [self._step(keyframe) for keyframe in self._sampled]
        return min(steps), max(steps)

    @property
    def reach_px(self) -> float:
        """How far apart, image px along each axis, a grid node and a pixel nearest to it can look.

        Half a cell both ways, each stretched at most twice, as depth moves points at most half as
        far apart as they are (``layers.MAX_SHEAR``), and turned by a roll.
        """
        return 2 * self.cell_px * self.steps[1]

    @cached_property
    def extent(self) -> Box:
        """The part of the image, px, that the path ever shows, and 2 px around it."""
        boxes = []
        for keyframe in self._sampled:
            step = self._step(keyframe)
            w, h = step * self.width, step * self.height
            tilted = abs(sin(radians(keyframe.roll)))
            half_w, half_h = (w + h * tilted) / 2 + 2, (h + w * tilted) / 2 + 2
            for depth in (0.0, 1.0):
                cx, cy = self._center(keyframe, depth)
                boxes.append((cx - half_w, cy - half_h, cx + half_w, cy + half_h))
        x0, y0, x1, y1 = zip(*boxes, strict=True)
        return (
            max(0, floor(min(x0))),
            max(0, floor(min(y0))),
            min(self.image_width, ceil(max(x1))),
            min(self.image_height, ceil(max(y1))),
        )

    @cached_property
    def _sampled(self) -> list[Keyframe]:
        between = [sample(self.path, i / (SAMPLES - 1)) for i in range(SAMPLES)]
        return [*between, *self.path.keyframes]

    def _step(self, keyframe: Keyframe) -> float:
        _, _, w, h = viewport(self.path, keyframe, self.image_width, self.image_height)
        return min(w / self.width, h / self.height)

    def _center(self, keyframe: Keyframe, depth: float) -> tuple[float, float]:
        return layer_center(self.path, keyframe, depth, self.image_width, self.image_height)

    def _rays(self, keyframe: Keyframe, window: Box) -> tuple[Plane, Plane]:
        """Displacement from the viewport's centre, image px at depth 0, at each grid node.

        Nodes are at the centres of cells; one cell is added on every side, so that the window lies
        between nodes everywhere.
        """
        left, top, right, bottom = window
        cell = self.cell_px
        columns, rows = -(-(right - left) // cell) + 2, -(-(bottom - top) // cell) + 2
        x = (np.arange(columns) - 0.5) * cell + left - self.width / 2
        y = (np.arange(rows) - 0.5) * cell + top - self.height / 2
        step, angle = self._step(keyframe), radians(keyframe.roll)
        along, across = step * cos(angle), step * sin(angle)
        u = along * x[None, :] - across * y[:, None]
        v = across * x[None, :] + along * y[:, None]
        return u.astype(np.float32), v.astype(np.float32)

    def _seen(
        self, keyframe: Keyframe, rays: tuple[Plane, Plane], d: Plane | np.float32
    ) -> tuple[Plane, Plane]:
        """Points at which ``rays`` meet a surface whose depth there is ``d``."""
        far, near = self._center(keyframe, 0.0), self._center(keyframe, 1.0)
        shrunk = 1 / (1 + np.float32(keyframe.dolly) * d)
        x = rays[0] * shrunk + d * np.float32(near[0] - far[0]) + np.float32(far[0])
        y = rays[1] * shrunk + d * np.float32(near[1] - far[1]) + np.float32(far[1])
        return x, y
