"""One frame of a camera path at time t, over an image and its depth.

Belongs here: putting layers together to one frame. Does not belong here: where a pixel looks
(``projection``), what lies behind what (``layers``) or resampling (``texture``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.movement.models import CameraPath
from animatize_assets.rendering.coverage import Span
from animatize_assets.rendering.layers import Layer, cut_into_layers
from animatize_assets.rendering.projection import Box, Projection
from animatize_assets.rendering.scratch import Scratch
from animatize_assets.rendering.texture import Texture, at_frame_resolution, make_texture
from animatize_assets.rendering.video_planes import put_rows, to_video_colours
from animatize_assets.rendering.view import View

MIN_HIDDEN_PX = 128
"""Narrower hidden parts are drawn: cutting a strip into pieces costs more."""


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
        frame = np.empty((self.height, self.width, 3), np.uint8)
        for (top, bottom), drawn in self._strips(self._in_rgb, t):
            cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB, dst=frame[top:bottom])
        return frame

    def render_planes(self, t: float) -> NDArray[np.uint8]:
        """Return the frame at ``t`` as video: uint8, the 4:2:0 planes of BT.709 (``video_planes``).

        3/2 height x width: Y, and below it Cb and Cr at half the resolution.
        """
        planes = np.empty((self.height * 3 // 2, self.width), np.uint8)
        for (top, _), drawn in self._strips(self._in_video_colours, t):
            put_rows(drawn, planes, top, self._scratch)
        return planes

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
            texture = make_texture(
                picture, layer.alpha, self._image_size, box, self._projection.reach_px
            )
            return _Sheet(layer.depth, texture, box)

        # Side by side: nothing can be drawn, and so nothing encoded, before they are made.
        with ThreadPoolExecutor(len(self._layers), "textures") as making:
            made = [
                making.submit(sheet, layer, box)
                for layer, box in zip(self._layers, boxes, strict=True)
                if box is not None
            ]
            return [texture.result() for texture in made]

    def _strips(self, sheets: list[_Sheet], t: float) -> Iterator[tuple[Span, NDArray[np.uint8]]]:
        """Draw the frame at ``t`` strip by strip: ``(top, bottom)``, and its pixels x 4 channels.

        A strip is overwritten by the next one of this thread.
        """
        views = list(self._views(sheets, t))
        for rows in self._projection.strips:
            shape = (rows[1] - rows[0], self.width, 4)
            strip = self._scratch.take("strip", shape, np.uint8)
            hidings = [view.hiding(rows) for view in views]
            widths = [end - first for first, end in hidings]
            hider = int(np.argmax(widths))
            hidden = hidings[hider] if widths[hider] >= MIN_HIDDEN_PX else (0, 0)
            for index, view in enumerate(views):
                shown = view.showing(rows)
                if index > hider or hidden == (0, 0):
                    self._lay(view, rows, shown, strip, blended=index > 0)
                    continue
                self._lay(view, rows, (shown[0], min(shown[1], hidden[0])), strip, index > 0)
                self._lay(view, rows, (max(shown[0], hidden[1]), shown[1]), strip, index > 0)
                if index == hider:
                    self._lay(view, rows, hidden, strip, blended=False)
            yield rows, strip

    def _views(self, sheets: list[_Sheet], t: float) -> Iterator[View]:
        cell = self._projection.cell_px
        for index, sheet in enumerate(sheets):
            window = (0, 0, *self._projection.whole_cells)
            if index:
                window = self._projection.window_of(t, sheet.box, sheet.depths)
            if window[0] < window[2] and window[1] < window[3]:
                points = self._projection.points(t, sheet.depth, window)
                yield View(sheet.texture, window, cell, points)

    def _lay(
        self, view: View, rows: Span, columns: Span, strip: NDArray[np.uint8], blended: bool
    ) -> None:
        """Draw a part of ``view`` into ``strip``, which shows ``rows`` of the frame."""
        left, right = columns[0], min(columns[1], self.width)
        top, bottom = max(rows[0], view.window[1]), min(rows[1], view.window[3])
        if left >= right or top >= bottom:
            return
        under = strip[top - rows[0] : bottom - rows[0], left:right]
        if not blended:
            view.draw((left, top, right, bottom), under, self._scratch)
            return
        over = self._scratch.take("over", under.shape, np.uint8)
        view.draw((left, top, right, bottom), over, self._scratch)
        _lay_over(under, over, self._scratch)


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
    cv2.add(cv2.multiply(under, four, dst=four, scale=1 / 255), over, dst=under)


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
