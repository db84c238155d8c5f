"""Rows of images that benchmarks fill a database with.

Belongs here: the row. Does not belong here: how many, and what else is known of them.
"""

from __future__ import annotations

from datetime import datetime


def key_of(number: int) -> str:
    """Return the key of the image of that number."""
    return f"photo-{number:016x}"


def image_row(number: int, now: datetime) -> dict[str, object]:
    """Return a row of the table ``images``, registered at ``now``; it has no files."""
    return {
        "id": number,
        "sha256": f"{number:064x}",
        "image_key": key_of(number),
        "original_name": f"Photo {number}.jpg",
        "format": "jpeg",
        "byte_count": 1_000_000,
        "width": 1920,
        "height": 1080,
        "source_mode": "RGB",
        "exif_orientation": 1,
        "has_icc_profile": False,
        "flattened_alpha": False,
        "frame_count": 1,
        "original_path": "none",
        "normalized_path": "none",
        "registered_at": now,
    }
