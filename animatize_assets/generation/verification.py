"""Whether a made picture is what was asked for.

Belongs here: the checks every provider's result must pass before it is stored. Does not belong
here: taste.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from animatize_assets.errors import ProviderError
from animatize_assets.generation.models import MadePicture, PictureRequest

MAX_BYTES = 50_000_000
"""Largest picture that is stored: far above an uncompressed 4K PNG."""

BLANK_SPREAD = 1.0
"""Standard deviation of all values, 0..255, below which nothing is to be seen."""

SOURCE_SPREAD = 4.0
"""A source flatter than this may rightly give a flat picture."""

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
_MAGIC = {
    "image/png": (b"\x89PNG\r\n\x1a\n", 0),
    "image/jpeg": (b"\xff\xd8\xff", 0),
    "image/webp": (b"WEBP", 8),
}


def verify_picture(made: MadePicture, request: PictureRequest) -> None:
    """Return when ``made`` is a whole picture of the asked size that shows something.

    Raises:
        ProviderError: it is not; ``reason`` is ``bad_output``, and asking again can help unless
            the provider is local.
    """
    problem = _problem(made, request)
    if problem is not None:
        raise ProviderError(
            f"{made.provider} returned a picture that cannot be used: {problem}.",
            reason="bad_output",
            retryable=made.provider != "local",
        )


def _problem(made: MadePicture, request: PictureRequest) -> str | None:
    if len(made.content) > MAX_BYTES:
        return f"it has {len(made.content)} bytes, more than {MAX_BYTES}"
    magic, offset = _MAGIC[made.media_type]
    if made.content[offset : offset + len(magic)] != magic:
        return f"its bytes are not {made.media_type}"
    asked = (request.width, request.height)
    try:
        with Image.open(BytesIO(made.content), formats=[_FORMATS[made.media_type]]) as picture:
            if picture.size != asked or (made.width, made.height) != asked:
                return f"it is {picture.width}x{picture.height} px, asked was {asked[0]}x{asked[1]}"
            pixels = np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"it does not decode ({error})"
    if pixels.std() < BLANK_SPREAD and request.source.std() >= SOURCE_SPREAD:
        return "it is blank"
    return None
