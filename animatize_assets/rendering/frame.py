"""One frame of a camera path at time t, over an image and its depth.

Belongs here: putting layers together to one frame. Does not belong here: where a pixel looks
(``projection``), or what lies behind what (``layers``).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.movement.models import CameraPath
from animatize_assets.rendering.projection import Projection


class FrameRenderer:
    """Draws the frames of ``path`` over an image.

    ``pixels``: uint8, rows x columns x RGB. ``depth``: float, rows x columns of the same aspect
    and any size, 1 = near. ``width`` and ``height`` are the frame's, px.

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
        self._projection = Projection(path, pixels.shape[1], pixels.shape[0], width, height)
        self._pixels = pixels
        self._depth = np.asarray(depth, np.float32)

    def render(self, t: float) -> NDArray[np.uint8]:
        """Return the frame at ``t`` in 0..1: uint8, height x width x RGB."""
        x, y = self._projection.points(t, self._depth)
        return np.asarray(
            cv2.remap(
                self._pixels, x - 0.5, y - 0.5, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )
