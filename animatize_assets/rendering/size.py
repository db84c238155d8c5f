"""How large a frame is.

Belongs here: the size of frames and pictures. Does not belong here: which part of the image they
show (``movement.camera_path``).
"""

from __future__ import annotations

from animatize_assets.errors import RenderingFailed

MIN_SIDE_PX = 16
"""Shortest side of a frame: one macroblock of H.264."""

MAX_SIDE_PX = 4096
"""Longest side of a frame: what players of H.264 level 5.1 must take (ITU-T H.264, table A-1)."""


def output_size(
    image_width: int,
    image_height: int,
    *,
    size: tuple[int, int] | None = None,
    long_side_px: int = 1280,
) -> tuple[int, int]:
    """Return ``(width, height)`` of the frames, px, both even as 4:2:0 chroma needs.

    ``size`` is what a person asks for and is kept, rounded to even numbers; None means the image's
    own aspect with a long side of ``long_side_px``.

    Raises:
        RenderingFailed: a side of ``size`` or ``long_side_px`` is outside
            :data:`MIN_SIDE_PX` .. :data:`MAX_SIDE_PX`.
    """
    if size is not None:
        width, height = (_even(side) for side in size)
    else:
        scale = long_side_px / max(image_width, image_height)
        width = max(MIN_SIDE_PX, _even(image_width * scale))
        height = max(MIN_SIDE_PX, _even(image_height * scale))
    if min(width, height) < MIN_SIDE_PX or max(width, height) > MAX_SIDE_PX:
        raise RenderingFailed(
            f"Frames of {width}x{height} px cannot be made: each side must have {MIN_SIDE_PX} to "
            f"{MAX_SIDE_PX} px. Ask for another size."
        )
    return width, height


def _even(side: float) -> int:
    return 2 * round(side / 2)
