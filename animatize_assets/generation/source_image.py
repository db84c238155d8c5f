"""The source image as a file for a provider that takes one.

Belongs here: shrinking and encoding. Does not belong here: sending it.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

JPEG_QUALITY = 95
"""Where the losses of JPEG are below those of any model that reads it."""


def encoded_source(
    source: NDArray[np.uint8], *, width: int, height: int, form: Literal["PNG", "JPEG"]
) -> bytes:
    """Return ``source`` (rows x columns x RGB) as a file, just large enough for width x height px.

    It keeps its aspect and covers the asked size; it is never enlarged. What a provider would throw
    away is not sent: some bill the megapixels of the input. Equal input gives equal bytes.
    """
    rows, columns = source.shape[:2]
    scale = min(1.0, max(width / columns, height / rows))
    picture = Image.fromarray(source)
    if scale < 1.0:
        size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = BytesIO()
    if form == "PNG":
        picture.save(buffer, "PNG", compress_level=4)
    else:
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def size_of(content: bytes) -> tuple[int, int] | None:
    """Return width and height that a picture's header declares; None when it has no such header."""
    try:
        with Image.open(BytesIO(content), formats=["PNG", "JPEG", "WEBP"]) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
