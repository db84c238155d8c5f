"""The pixels and depth of the image at work, opened when first used and once for all stages.

Belongs here: what several stages read of one image. Does not belong here: what they do with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animatize_assets.pipeline.workshop import Workshop


class OpenedImage:
    """One image while its stages run; let go of it and the memory is free."""

    def __init__(self, workshop: Workshop, image_key: str) -> None:
        self._workshop = workshop
        self._image_key = image_key
        self._pixels: NDArray[np.uint8] | None = None
        self._depth: tuple[str, NDArray[np.float32]] | None = None

    def pixels(self) -> NDArray[np.uint8]:
        """Return the whole normalised image: rows x columns x RGB."""
        if self._pixels is None:
            self._pixels = self._workshop.images.open_pixels(self._image_key)
        return self._pixels

    def depth(self, stored: str) -> NDArray[np.float32]:
        """Return the depth map stored at ``stored`` (relative to the data folder): 1 = near."""
        if self._depth is None or self._depth[0] != stored:
            import numpy as np  # noqa: PLC0415  # a code location that only loads needs none

            with self._workshop.artifacts.local(stored) as path:
                self._depth = (stored, np.load(path).astype(np.float32))
        return self._depth[1]
