"""Which point of the image each pixel of a frame shows, for a scene of given depth.

Belongs here: the geometry of a camera path over an image with depth. Does not belong here: how
paths are sampled or checked (``movement.camera_path``), nor any colour.

A frame pixel at ``x`` (from the frame's centre, px) shows, of a surface of depth ``d``, the point

    s = center(d) + R x k / (1 + dolly * d)

of the image: ``center(d)`` is where the path puts that layer's viewport, ``R`` the roll and ``k``
image pixels per frame pixel. As ``d`` is itself a function of ``s``, the equation is solved by
fixed-point iteration. It converges when depth varies slowly enough; :meth:`Projection.shear_px`
says how slowly, and ``layers`` smooths depth accordingly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.errors import ImpossibleCameraPath
from animatize_assets.movement.camera_path import layer_center, overshoot_px, sample, viewport
from animatize_assets.movement.models import CameraPath, Keyframe

CELL_PX = 8
"""Side of a cell of the grid on which points are solved; between its nodes they are linear."""

ITERATIONS = 8
"""With steps that at least halve (``layers.MAX_SHEAR``), 1/256 of the first error is left."""

SAMPLES = 9
"""Times at which the extent of a path is measured; its rectangle moves along straight lines."""

OVERSHOOT_TOLERANCE = 1e-3
"""Share of the longer side by which a layer's viewport may leave the image: rounding of sizes."""


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

    @property
    def is_flat(self) -> bool:
        """Whether all layers move alike, so depth does not matter."""
        return self.path.parallax == 0 and all(k.dolly == 0 for k in self.path.keyframes)

    def step(self, t: float) -> float:
        """Image pixels per frame pixel at time ``t``, at depth 0."""
        return self._step(sample(self.path, t))

    def _step(self, keyframe: Keyframe) -> float:
        _, _, w, h = viewport(self.path, keyframe, self.image_width, self.image_height)
        return min(w / self.width, h / self.height)

    def points(
        self, t: float, depth: NDArray[np.float32] | float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return ``(x, y)`` in image pixels for every pixel of the frame at time ``t``.

        ``depth``: depth of the surface at each point of the image, rows x columns of any size, or
        one number. Both results are float32, height x width; pixel edges are at whole numbers.
        """
        keyframe = sample(self.path, t)
        rays = self._rays(keyframe)
        d: NDArray[np.float32] | np.float32
        if isinstance(depth, float):
            d = np.float32(depth)
            x, y = self._seen(keyframe, rays, d)
        else:
            d = np.float32(depth.mean())
            columns, rows = depth.shape[1] / self.image_width, depth.shape[0] / self.image_height
            for _ in range(ITERATIONS):
                x, y = self._seen(keyframe, rays, d)
                d = np.asarray(
                    cv2.remap(
                        depth,
                        x * columns - 0.5,
                        y * rows - 0.5,
                        cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_REPLICATE,
                    ),
                    np.float32,
                )
            x, y = self._seen(keyframe, rays, d)
        return self._refined(x), self._refined(y)

    def shear_px(self) -> float:
        """How far, in image pixels, depth 0 and depth 1 drift apart at most during the path."""
        worst = 0.0
        for i in range(SAMPLES):
            keyframe = sample(self.path, i / (SAMPLES - 1))
            (fx, fy), (nx, ny) = self._center(keyframe, 0.0), self._center(keyframe, 1.0)
            corner = self._step(keyframe) * hypot(self.width, self.height) / 2
            magnified = corner * abs(keyframe.dolly) / (1 + max(0.0, keyframe.dolly))
            worst = max(worst, hypot(nx - fx, ny - fy) + magnified)
        return worst

    def extent(self) -> tuple[float, float, float, float]:
        """Return ``(x0, y0, x1, y1)``: the part of the image, px, that the path ever shows."""
        boxes = []
        for i in range(SAMPLES):
            keyframe = sample(self.path, i / (SAMPLES - 1))
            step = self._step(keyframe)
            w, h = step * self.width, step * self.height
            tilted = abs(sin(radians(keyframe.roll)))
            half_w, half_h = (w + h * tilted) / 2, (h + w * tilted) / 2
            for depth in (0.0, 1.0):
                cx, cy = self._center(keyframe, depth)
                boxes.append((cx - half_w, cy - half_h, cx + half_w, cy + half_h))
        x0, y0, x1, y1 = zip(*boxes, strict=True)
        return (
            max(0.0, min(x0)),
            max(0.0, min(y0)),
            min(float(self.image_width), max(x1)),
            min(float(self.image_height), max(y1)),
        )

    def _center(self, keyframe: Keyframe, depth: float) -> tuple[float, float]:
        return layer_center(self.path, keyframe, depth, self.image_width, self.image_height)

    def _rays(self, keyframe: Keyframe) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Displacement from the viewport's centre, image px at depth 0, at each grid node.

        Nodes are at the centres of cells; one cell is added on every side, so that the frame lies
        between nodes everywhere.
        """
        columns, rows = -(-self.width // CELL_PX) + 2, -(-self.height // CELL_PX) + 2
        x = (np.arange(columns) - 0.5) * CELL_PX - self.width / 2
        y = (np.arange(rows) - 0.5) * CELL_PX - self.height / 2
        step, angle = self._step(keyframe), radians(keyframe.roll)
        along, across = step * cos(angle), step * sin(angle)
        u = along * x[None, :] - across * y[:, None]
        v = across * x[None, :] + along * y[:, None]
        return u.astype(np.float32), v.astype(np.float32)

    def _seen(
        self,
        keyframe: Keyframe,
        rays: tuple[NDArray[np.float32], NDArray[np.float32]],
        d: NDArray[np.float32] | np.float32,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points at which ``rays`` meet a surface whose depth there is ``d``."""
        u, v = rays
        far, near = self._center(keyframe, 0.0), self._center(keyframe, 1.0)
        shrunk = 1 / (1 + np.float32(keyframe.dolly) * d)
        x = u * shrunk + d * np.float32(near[0] - far[0]) + np.float32(far[0])
        y = v * shrunk + d * np.float32(near[1] - far[1]) + np.float32(far[1])
        return x, y

    def _refined(self, nodes: NDArray[np.float32]) -> NDArray[np.float32]:
        size = (nodes.shape[1] * CELL_PX, nodes.shape[0] * CELL_PX)
        full = cv2.resize(nodes, size, interpolation=cv2.INTER_LINEAR)
        inner = full[CELL_PX : CELL_PX + self.height, CELL_PX : CELL_PX + self.width]
        return np.asarray(inner, np.float32)
