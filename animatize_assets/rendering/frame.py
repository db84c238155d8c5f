"""One frame of a camera path at time t, over an image and its depth.

Belongs here: putting layers together to one frame. Does not belong here: where a pixel looks
(``projection``), what lies behind what (``layers``) or resampling (``texture``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.movement.models import CameraPath
from animatize_assets.rendering.layers import cut_into_layers
from animatize_assets.rendering.projection import Box, Projection
from animatize_assets.rendering.texture import Texture, at_frame_resolution, make_texture


class FrameRenderer:
    """Draws the frames of ``path`` over an image.

    ``pixels``: uint8, rows x columns x RGB. ``depth``: float, rows x columns of the same aspect
    and any size, 1 = near. ``width`` and ``height`` are the frame's, px. The same arguments give
    the same frames, whatever the number of threads.

    Raises:
        ImpossibleCameraPath: the path leaves this image.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        depth: NDArray[np.floating],
        path: CameraPath,
        width: int,
        height: int,
    ) -> None:
        self.width = width
        self.height = height
        image_size = pixels.shape[1], pixels.shape[0]
        self._projection = Projection(path, *image_size, width, height)
        nearest, widest = self._projection.steps
        step = sqrt(nearest * widest)
        working = at_frame_resolution(pixels, step)
        layers = cut_into_layers(
            working,
            np.asarray(depth, np.float32),
            drift_px=self._projection.drift_px * working.shape[1] / image_size[0],
        )
        far, *nearer = layers
        self._far = _Sheet(
            far.depth,
            make_texture(far.picture, image_size, self._projection.extent),
            self._projection.extent,
        )
        self._nearer = []
        for layer in nearer:
            box = _overlap(self._projection.extent, _occupied(layer.picture, image_size))
            if box is not None:
                texture = make_texture(_premultiplied(layer.picture), image_size, box)
                self._nearer.append(_Sheet(layer.depth, texture, box))

    def render(self, t: float) -> NDArray[np.uint8]:
        """Return the frame at ``t`` in 0..1: uint8, height x width x RGB."""
        whole = (0, 0, self.width, self.height)
        frame = self._drawn(self._far, t, whole)
        for sheet in self._nearer:
            left, top, right, bottom = self._projection.window_of(t, sheet.box)
            if left < right and top < bottom:
                over = self._drawn(sheet, t, (left, top, right, bottom))
                under = frame[top:bottom, left:right]
                under[:] = _laid_over(under, over)
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGBA2RGB), np.uint8)

    def _drawn(self, sheet: _Sheet, t: float, window: Box) -> NDArray[np.uint8]:
        return sheet.texture.draw(self._projection.points(t, sheet.depth, window), window)


@dataclass(frozen=True)
class _Sheet:
    """A layer ready to be drawn: the texture covers ``box`` of the image, px."""

    depth: NDArray[np.float32]
    texture: Texture
    box: Box


def _laid_over(under: NDArray[np.uint8], over: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``over``, whose colours are multiplied by its alpha, laid over ``under``."""
    through = cv2.bitwise_not(cv2.extractChannel(over, 3))
    seen = cv2.multiply(under, cv2.merge([through] * 4), scale=1 / 255)
    return np.asarray(cv2.add(seen, over), np.uint8)


def _premultiplied(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = cv2.extractChannel(rgba, 3)
    opaque = np.full_like(alpha, 255)
    return np.asarray(
        cv2.multiply(rgba, cv2.merge([alpha] * 3 + [opaque]), scale=1 / 255), np.uint8
    )


def _occupied(rgba: NDArray[np.uint8], image_size: tuple[int, int]) -> Box:
    """Return the box, image px, outside of which alpha is 0."""
    left, top, width, height = cv2.boundingRect(cv2.extractChannel(rgba, 3))
    across, down = image_size[0] / rgba.shape[1], image_size[1] / rgba.shape[0]
    return (
        floor(left * across),
        floor(top * down),
        ceil((left + width) * across),
        ceil((top + height) * down),
    )


def _overlap(a: Box, b: Box) -> Box | None:
    left, top, right, bottom = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return (left, top, right, bottom) if left < right and top < bottom else None
