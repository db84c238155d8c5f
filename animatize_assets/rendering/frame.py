"""One frame of a camera path at time t, over an image and its depth.

Belongs here: putting layers together to one frame. Does not belong here: where a pixel looks
(``projection``), what lies behind what (``layers``) or resampling (``texture``).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.movement.models import CameraPath
from animatize_assets.rendering.layers import Layer, cut_into_layers
from animatize_assets.rendering.projection import Box, Projection
from animatize_assets.rendering.scratch import Scratch
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
        self._scratch = Scratch()
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
        return to_planes(self._drawn(self._in_video_colours, t), self._scratch)

    @cached_property
    def _in_rgb(self) -> list[_Sheet]:
        return self._sheets(lambda rgb: rgb)

    @cached_property
    def _in_video_colours(self) -> list[_Sheet]:
        return self._sheets(to_video_colours)

    def _sheets(self, converted: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> list[_Sheet]:
        """Return the layers as textures, the farthest first; those never seen are left out."""
        extent = self._projection.extent
        boxes = [
            _overlap(extent, _occupied(layer.alpha, self._image_size)) if nearer else extent
            for nearer, layer in enumerate(self._layers)
        ]

        def sheet(layer: Layer, box: Box) -> _Sheet:
            picture = converted(layer.picture)
            return _Sheet(
                layer.depth, make_texture(picture, layer.alpha, self._image_size, box), box
            )

        # Side by side: nothing can be drawn, and so nothing encoded, before they are made.
        with ThreadPoolExecutor(len(self._layers), "textures") as making:
            made = [
                making.submit(sheet, layer, box)
                for layer, box in zip(self._layers, boxes, strict=True)
                if box is not None
            ]
            return [texture.result() for texture in made]

    def _drawn(self, sheets: list[_Sheet], t: float) -> NDArray[np.uint8]:
        """Return the frame with four channels; it is overwritten by this thread's next frame."""
        whole = (0, 0, self.width, self.height)
        far, *nearer = sheets
        frame = self._draw(far, t, whole)
        for sheet in nearer:
            left, top, right, bottom = self._projection.window_of(t, sheet.box, sheet.depths)
            if left < right and top < bottom:
                over = self._draw(sheet, t, (left, top, right, bottom))
                _lay_over(frame[top:bottom, left:right], over, self._scratch)
        return frame

    def _draw(self, sheet: _Sheet, t: float, window: Box) -> NDArray[np.uint8]:
        points = self._projection.points(t, sheet.depth, window)
        return sheet.texture.draw(points, self._projection.cell_px, window, self._scratch)


@dataclass(frozen=True)
class _Sheet:
    """A layer ready to be drawn: the texture covers ``box`` of the image, px."""

    depth: NDArray[np.float32]
    texture: Texture
    box: Box

    @cached_property
    def depths(self) -> tuple[float, float]:
        """Least and greatest depth."""
        return float(self.depth.min()), float(self.depth.max())


def _lay_over(under: NDArray[np.uint8], over: NDArray[np.uint8], scratch: Scratch) -> None:
    """Lay ``over``, whose colours are multiplied by its alpha, over ``under``, in place."""
    through = scratch.take("through", over.shape[:2], np.uint8)
    cv2.bitwise_not(cv2.extractChannel(over, 3, dst=through), dst=through)
    four = cv2.merge([through] * 4, dst=scratch.take("four", over.shape, np.uint8))
    cv2.add(cv2.multiply(under, four, dst=four, scale=1 / 255), over, dst=four)
    under[:] = four


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
