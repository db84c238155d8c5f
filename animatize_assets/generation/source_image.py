"""Pictures as files on their way: the source to a provider, and the size of what comes back.

Belongs here: shrinking, encoding, reading a header. Does not belong here: sending, and whether a
picture is what was asked for (``verification``).
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from animatize_assets.errors import InvalidImage
from animatize_assets.generation.sizes import Size
from animatize_assets.images.headers import declared_size, sniff_format

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
    picture = Image.fromarray(source)
    size = sent_size((columns, rows), (width, height))
    if size != (columns, rows):
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = BytesIO()
    if form == "PNG":
        picture.save(buffer, "PNG", compress_level=4)
    else:
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def sent_size(source: Size, asked: Size) -> Size:
    """Return width and height, px, at which a source of that size is sent for a picture."""
    scale = min(1.0, max(asked[0] / source[0], asked[1] / source[1]))
    return max(1, round(source[0] * scale)), max(1, round(source[1] * scale))


def size_of(content: bytes) -> tuple[int, int] | None:
    """Return width and height that a made picture's header declares; None when it declares none.

    Nothing is decoded: a small file can declare a picture that fills the memory.
    """
    form = sniff_format(content)
    if form is None:
        return None
    try:
        return declared_size(content, form)
    except InvalidImage:
        return None
