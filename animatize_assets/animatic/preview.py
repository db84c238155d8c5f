"""A small animated WebP that shows a clip where no player is.

Belongs here: choosing frames, size and quality to fit a number of bytes. Does not belong here:
frames themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from animatize_assets.animatic.recipe import Recipe, from_text
from animatize_assets.errors import RenderingFailed

MAX_BYTES = 300_000
"""Bound of the preview file that is stored beside a clip."""

LONG_SIDE_PX = 320
FRAMES_PER_S = 6
"""Enough to see where a slow camera goes."""

_RECIPE_TAG = 0x010E  # EXIF ImageDescription

_ATTEMPTS = ((1.0, 1, 50), (1.0, 1, 35), (0.75, 2, 40), (0.5, 2, 35), (0.5, 4, 25), (0.3, 4, 20))
"""(share of the side, every n-th frame, WebP quality): the first that fits is taken."""


def encode_preview(
    frames: Sequence[NDArray[np.uint8]],
    max_bytes: int = MAX_BYTES,
    *,
    duration_s: float = 5.0,
    recipe_text: str | None = None,
) -> bytes:
    """Return a looping animated WebP of ``frames`` (RGB, all of one size) in ``max_bytes``.

    It plays for ``duration_s``. When the frames as they are do not fit, it has fewer, smaller and
    coarser ones.

    Raises:
        RenderingFailed: not even the coarsest fits.
    """
    for share, stride, quality in _ATTEMPTS:
        # Fewer frames, but always the last one: it is where the camera arrives.
        kept = [*frames[: len(frames) - 1 : stride], frames[-1]]
        content = _encoded(kept, share, quality, duration_s, recipe_text)
        if len(content) <= max_bytes:
            return content
    raise RenderingFailed(f"No animated preview fits in {max_bytes} bytes.")


def shrink_preview(preview: Path, max_bytes: int) -> bytes:
    """Return a stored preview again, without its recipe, in ``max_bytes``.

    Raises:
        RenderingFailed: the file is no animated picture, or nothing fits.
    """
    try:
        with Image.open(preview, formats=["WEBP"]) as animation:
            frames, milliseconds = [], 0
            for frame in ImageSequence.Iterator(animation):
                frames.append(np.asarray(frame.convert("RGB"), np.uint8))
                milliseconds += int(frame.info["duration"])
    except (UnidentifiedImageError, OSError, KeyError) as error:
        raise RenderingFailed(f"{preview.name} is no animated preview.") from error
    return encode_preview(frames, max_bytes, duration_s=milliseconds / 1000)


def read_recipe(preview: Path) -> Recipe:
    """Return the recipe that a preview file carries.

    Raises:
        RenderingFailed: it carries none.
    """
    try:
        with Image.open(preview, formats=["WEBP"]) as animation:
            text = animation.getexif().get(_RECIPE_TAG)
    except (UnidentifiedImageError, OSError) as error:
        raise RenderingFailed(f"{preview.name} is no animated preview.") from error
    return from_text(text)


def preview_size(width: int, height: int) -> tuple[int, int]:
    """Size of a preview's frames for a clip of ``width`` x ``height`` px."""
    share = min(1.0, LONG_SIDE_PX / max(width, height))
    return max(1, round(width * share)), max(1, round(height * share))


def _encoded(
    frames: Sequence[NDArray[np.uint8]],
    share: float,
    quality: int,
    duration_s: float,
    recipe_text: str | None,
) -> bytes:
    height, width = frames[0].shape[:2]
    size = (max(1, round(width * share)), max(1, round(height * share)))
    pictures = [
        Image.fromarray(
            frame if share == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        )
        for frame in frames
    ]
    exif = Image.Exif()
    if recipe_text is not None:
        exif[_RECIPE_TAG] = recipe_text
    buffer = BytesIO()
    pictures[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=_durations_ms(len(pictures), duration_s),
        loop=0,
        quality=quality,
        method=2,
        # No key frames after the first: nobody seeks in a preview, and libwebp encodes every
        # frame that could be one twice.
        kmin=0,
        kmax=0,
        exif=exif.tobytes() if recipe_text is not None else b"",
    )
    return buffer.getvalue()


def _durations_ms(count: int, duration_s: float) -> list[int]:
    """Whole milliseconds per frame whose sum is the duration, rounded once."""
    ends = [round(1000 * duration_s * (i + 1) / count) for i in range(count)]
    return [b - a for a, b in zip([0, *ends], ends, strict=False)]
