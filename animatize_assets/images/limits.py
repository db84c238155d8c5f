"""How large and how small an upload may be.

Belongs here: the three numbers. Does not belong here: where they come from (``settings``) or how
they are enforced (``validation``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageLimits:
    """What an upload may be at most, and at least, before anything of it is decoded."""

    max_bytes: int = 10_000_000
    """Largest file, bytes."""
    max_pixels: int = 50_000_000
    """Largest declared width x height, pixels."""
    min_side_px: int = 16
    """Shortest declared side, pixels."""
