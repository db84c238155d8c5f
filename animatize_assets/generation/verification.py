"""Whether a made picture is what was asked for.

Belongs here: the checks every provider's result must pass before it is stored. Does not belong
here: taste.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageStat

from animatize_assets.errors import ProviderError
from animatize_assets.generation.models import MadePicture, MediaType, PictureRequest

MAX_BYTES = 50_000_000
"""Largest picture that is stored: far above an uncompressed 4K PNG."""

MAX_PIXELS = 50_000_000
"""As for an upload: a small file can declare a picture that fills the memory."""

ASPECT_TOLERANCE = 0.05
"""Providers round the sides of a ratio to whole blocks of up to 64 px of about 1,024."""

BLANK_SPREAD = 1.0
"""Standard deviation of all values, 0..255, below which nothing is to be seen."""

SOURCE_SPREAD = 4.0
"""A source flatter than this may rightly give a flat picture."""

_FORMATS: dict[MediaType, str] = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
_MAGIC: dict[MediaType, tuple[bytes, int]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n", 0),
    "image/jpeg": (b"\xff\xd8\xff", 0),
    "image/webp": (b"WEBP", 8),
}


def verify_picture(made: MadePicture, request: PictureRequest) -> None:
    """Return when ``made`` is a whole picture of the asked size that shows something.

    The asked size is the request's, or the nearest that the provider makes when it says so; of a
    provider that takes only an aspect ratio, it is the ratio.

    Raises:
        ProviderError: it is not; the kind is ``bad_output``, and the call is counted as billed.
    """
    asked = (request.width, request.height)
    verify_against(made, asked, source_spread=lambda: float(request.source.std()))


def verify_against(
    made: MadePicture, asked: tuple[int, int], *, source_spread: Callable[[], float]
) -> None:
    """Return as :func:`verify_picture` does, where the request is not here any more.

    ``asked``: the request's width and height, px. ``source_spread`` gives the standard deviation of
    all values of the source image, 0..255; only of a flat picture it is asked.

    Raises:
        ProviderError: it is not what was asked for (``bad_output``).
    """
    problem = _problem(made, asked, source_spread)
    if problem is not None:
        raise ProviderError(
            f"{made.provider} returned a picture that cannot be used: {problem}.",
            kind="bad_output",
            remote_id=made.remote_id,
            billed_usd=made.cost_usd,
        )


def media_type_of(content: bytes) -> MediaType | None:
    """Tell what a file is from its first bytes; None when it is no picture that is kept."""
    for media_type, (magic, offset) in _MAGIC.items():
        if content[offset : offset + len(magic)] == magic:
            return media_type
    return None


def _problem(
    made: MadePicture, asked: tuple[int, int], source_spread: Callable[[], float]
) -> str | None:
    if len(made.content) > MAX_BYTES:
        return f"it has {len(made.content)} bytes, more than {MAX_BYTES}"
    if media_type_of(made.content) != made.media_type:
        return f"its bytes are not {made.media_type}"
    try:
        with Image.open(BytesIO(made.content), formats=[_FORMATS[made.media_type]]) as picture:
            if wrong := _wrong_size(picture.size, made, asked):
                return wrong
            spread = _spread(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"it does not decode ({error})"
    if spread < BLANK_SPREAD and source_spread() >= SOURCE_SPREAD:
        return "it is blank"
    return None


def _spread(picture: Image.Image) -> float:
    """Return the standard deviation of all values, 0..255, without a copy of them as floats."""
    told = ImageStat.Stat(picture)
    count = sum(told.count)
    mean = sum(told.sum) / count
    return math.sqrt(max(0.0, sum(told.sum2) / count - mean**2))


def _wrong_size(size: tuple[int, int], made: MadePicture, wanted: tuple[int, int]) -> str | None:
    """Say how the size of a picture differs from what was asked, before it is decoded."""
    asked = made.asked_size or wanted
    if size != (made.width, made.height):
        return f"it is {size[0]}x{size[1]} px, declared was {made.width}x{made.height}"
    if size[0] * size[1] > MAX_PIXELS:
        return f"it has {size[0]}x{size[1]} px, more than {MAX_PIXELS}"
    if made.aspect_only:
        ratio = size[0] * asked[1] / (size[1] * asked[0])
        if abs(ratio - 1) > ASPECT_TOLERANCE:
            return f"its aspect is {size[0]}:{size[1]}, asked was {asked[0]}:{asked[1]}"
        return None
    if size != asked:
        return f"it is {size[0]}x{size[1]} px, asked was {asked[0]}x{asked[1]}"
    return None
