"""The small pictures beside results that are embedded in metadata.

Belongs here: how many bytes each may have, and making them. Does not belong here: previews that
are results of their own (``animatic.preview``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.animatic.preview import encode_preview
from animatize_assets.errors import RenderingFailed
from animatize_assets.images.artifacts import Draft
from animatize_assets.rendering.thumbnail import encode_thumbnail, reduce_to

THUMBNAIL = "thumbnail.webp"
"""File beside a result that shows it in few bytes."""
THUMBNAIL_BYTES = {
    "source_image": 2_500,
    "scene_analysis": 6_000,
    "generated_picture": 4_000,
    "animatic_clip": 9_500,
}
"""Together 22 000 bytes, 29 400 as base64: what is embedded of one image stays below 30 KB."""
THUMBNAIL_SIDE_PX = {
    "source_image": 160,
    "scene_analysis": 320,
    "generated_picture": 240,
    "animatic_clip": 128,
}
THUMBNAIL_FRAMES = 10
"""Of the animated one: enough to see where the camera goes."""


def write_thumbnail(draft: Draft, stage: str, pixels: NDArray[np.uint8]) -> None:
    """Show ``pixels`` (rows x columns x RGB) beside the result of ``stage``."""
    draft.path(THUMBNAIL).write_bytes(
        encode_thumbnail(
            pixels, long_side_px=THUMBNAIL_SIDE_PX[stage], max_bytes=THUMBNAIL_BYTES[stage]
        )
    )


def write_animated_thumbnail(draft: Draft, preview: Path, duration_s: float) -> None:
    """Reduce the clip's preview; a picture too detailed to be animated in few bytes stays still."""
    with Image.open(preview) as animation:
        last = getattr(animation, "n_frames", 1) - 1
        frames = []
        for number in range(THUMBNAIL_FRAMES):
            animation.seek(round(number * last / (THUMBNAIL_FRAMES - 1)))
            pixels = np.asarray(animation.convert("RGB"))
            frames.append(reduce_to(pixels, THUMBNAIL_SIDE_PX["animatic_clip"]))
    try:
        content = encode_preview(frames, THUMBNAIL_BYTES["animatic_clip"], duration_s=duration_s)
    except RenderingFailed:
        write_thumbnail(draft, "animatic_clip", frames[-1])
    else:
        draft.path(THUMBNAIL).write_bytes(content)
