"""One frame of a camera path at time t, over an image and its depth.

Belongs here: putting layers together to one frame. Does not belong here: where a pixel looks
(``projection``), what lies behind what (``layers``) or resampling (``texture``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.movement.models import CameraPath
from animatize_assets.rendering.layers import cut_into_layers
from animatize_assets.rendering.projection import Box, Projection
from animatize_assets.rendering.texture import Texture, at_frame_resolution, make_texture
from animatize_assets.rendering.video_planes import to_planes, to_video_colours


class FrameRenderer:
    """Draws the frames of ``path`` over an image.

    ``pixels``: uint8, rows x columns x RGB. ``depth``: float, rows x columns of the same aspect
    and any size, 1 = near. ``width`` and ``height`` are the frame's, px. The same arguments give
    the same frames, whatever the number of threads; several threads may draw at once.

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
        self._image_size = pixels.shape[1], pixels.shape[0]
        self._projection = Projection(path, *self._image_size, width, height)
        nearest, widest = self._projection.steps
        working = at_frame_resolution(pixels, sqrt(nearest * widest))
        self._layers = cut_into_layers(
            working,
            np.asarray(depth, np.float32),
            drift_px=self._projection.drift_px * working.shape[1] / pixels.shape[1],
        )

    def render(self, t: float) -> NDArray[np.uint8]:
        """Return the frame at ``t`` in 0..1: uint8, height x width x RGB."""
        return np.asarray(cv2.cvtColor(self._drawn(self._in_rgb, t), cv2.COLOR_RGBA2RGB), np.uint8)

    def render_planes(self, t: float) -> NDArray[np.uint8]:
        """Return the frame at ``t`` as video: uint8, the 4:2:0 planes of BT.709 (``video_planes``).

        3/2 height x width: Y, and below it Cb and Cr at half the resolution.
        """
        return to_planes(self._drawn(self._in_video_colours, t))

    @cached_property
    def _in_rgb(self) -> list[_Sheet]:
        return self._sheets(lambda rgb: rgb)

    @cached_property
    def _in_video_colours(self) -> list[_Sheet]:
        return self._sheets(to_video_colours)

    def _sheets(self, converted: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> list[_Sheet]:
        """Return the layers as textures, the farthest first; those never seen are left out."""
        extent = self._projection.extent
        sheets: list[_Sheet] = []
        for layer in self._layers:
            box = _overlap(extent, _occupied(layer.alpha, self._image_size)) if sheets else extent
            if box is not None:
                picture = _premultiplied(converted(layer.picture), layer.alpha)
                texture = make_texture(picture, self._image_size, box)
                sheets.append(_Sheet(layer.depth, texture, box))
        return sheets

    def _drawn(self, sheets: list[_Sheet], t: float) -> NDArray[np.uint8]:
        whole = (0, 0, self.width, self.height)
        far, *nearer = sheets
        frame = far.texture.draw(self._projection.points(t, far.depth, whole), whole)
        for sheet in nearer:
            left, top, right, bottom = self._projection.window_of(t, sheet.box)
            if left < right and top < bottom:
                window = (left, top, right, bottom)
                points = self._projection.points(t, sheet.depth, window)
                under = frame[top:bottom, left:right]
                under[:] = _laid_over(under, sheet.texture.draw(points, window))
        return frame


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


def _premultiplied(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``colours`` (three channels) times ``alpha``, with ``alpha`` as the fourth."""
    scaled = cv2.multiply(colours, cv2.merge([alpha] * 3), scale=1 / 255)
    return np.asarray(cv2.merge([*cv2.split(scaled), alpha]), np.uint8)


def _occupied(alpha: NDArray[np.uint8], image_size: tuple[int, int]) -> Box:
    """Return the box, image px, outside of which ``alpha`` is 0."""
    left, top, width, height = cv2.boundingRect(alpha)
    across, down = image_size[0] / alpha.shape[1], image_size[1] / alpha.shape[0]
    return (
        floor(left * across),
        floor(top * down),
        ceil((left + width) * across),
        ceil((top + height) * down),
    )


def _overlap(a: Box, b: Box) -> Box | None:
    left, top, right, bottom = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return (left, top, right, bottom) if left < right and top < bottom else None
