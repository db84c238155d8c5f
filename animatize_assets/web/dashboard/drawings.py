"""The composition of an image, drawn large enough to be read: made when it is first asked for.

What the runs keep is a thumbnail of a few kilobytes. The large drawing takes a tenth of a second or
two, so those that were looked at last stay in memory, within a stated number of bytes.

Belongs here: drawing and keeping them. Does not belong here: what is drawn
(``rendering.overlay``), HTTP.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import numpy as np
from cachetools import LRUCache

from animatize_assets.images.decoding import load_working_copy
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.web.service import Service

LONG_SIDE_PX: Final = 1280
"""Of the drawing, or that of the image where it is smaller."""

MOST_BYTES: Final = 400_000
"""Of one drawing: a detailed photograph of 1280 px as WebP of good quality."""

KEPT_BYTES: Final = 32_000_000
"""Of all drawings in memory, about a hundred."""

MEDIA_TYPE: Final = "image/webp"


@dataclass(frozen=True)
class Drawing:
    """An encoded picture, and the fingerprint of the analysis that it shows."""

    content: bytes
    fingerprint: str


class Drawings:
    """The drawings of one service. Threads may share it: one draws, the others wait for it."""

    def __init__(self, service: Service, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._kept: LRUCache[str, Drawing] = LRUCache(
            kept_bytes, getsizeof=lambda drawing: len(drawing.content)
        )

    def fingerprint(self, image_key: str) -> str | None:
        """Return what identifies the drawing of an image; None: it was not analysed yet.

        Raises:
            ImageNotFound: no accepted image has this key.

        """
        self._service.images.get(image_key)
        return self._service.artifacts.current_fingerprint("scene_analysis", image_key)

    def composition(self, image_key: str) -> Drawing | None:
        """Return the composition drawn over the image; None: it was not analysed yet.

        Raises:
            ImageNotFound: no accepted image has this key.
            StorageFailed: its upload or its analysis cannot be read.

        """
        fingerprint = self.fingerprint(image_key)
        if fingerprint is None:
            return None
        with self._lock:
            kept = self._kept.get(image_key)
            if kept is not None and kept.fingerprint == fingerprint:
                return kept
            content = self._drawn(image_key, fingerprint)
            if content is None:
                return None
            drawing = Drawing(content, fingerprint)
            if len(content) <= self._kept.maxsize:
                self._kept[image_key] = drawing
            return drawing

    def _drawn(self, image_key: str, fingerprint: str) -> bytes | None:
        from animatize_assets.rendering.overlay import draw_composition  # noqa: PLC0415  # OpenCV
        from animatize_assets.rendering.thumbnail import encode_thumbnail  # noqa: PLC0415

        artifacts = self._service.artifacts
        analysis = artifacts.find("scene_analysis", image_key, fingerprint, SceneAnalysis)
        if analysis is None:
            return None
        regions = None
        if analysis.arrays.regions is not None:
            with artifacts.local(analysis.arrays.regions) as path:
                regions = np.load(path)
        with self._service.images.local_original(image_key) as original:
            pixels = load_working_copy(original, LONG_SIDE_PX)
        drawn = draw_composition(pixels, analysis, regions)
        return encode_thumbnail(drawn, long_side_px=LONG_SIDE_PX, max_bytes=MOST_BYTES)
