"""A finished clip and the recipe that makes it again.

Belongs here: the records. Does not belong here: encoding.
"""

from __future__ import annotations

from pydantic import Field

from animatize_assets.records import Measured, Record


class ClipRecord(Record):
    """A playable H.264 MP4 of the camera path, and its small animated preview."""

    path: str = Field(description="MP4, relative to the data folder")
    preview_path: str = Field(description="animated WebP, relative to the data folder")
    width: int = Field(gt=0, multiple_of=2)
    height: int = Field(gt=0, multiple_of=2)
    fps: int = Field(gt=0)
    frame_count: int = Field(gt=1)
    duration_s: Measured = Field(gt=0, description="frame_count / fps")
    codec: str = Field(description="h264")
    byte_count: int = Field(gt=0)
    recipe: dict[str, str | int | float] = Field(
        description="image key, path hash, seed and versions; also written into the file"
    )


class ClipFacts(Record):
    """What a clip file holds, as found by decoding it."""

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    fps: int = Field(gt=0)
    frame_count: int = Field(gt=0, description="decoded frames")
    duration_s: Measured = Field(gt=0, description="frame_count / fps")
    codec: str
    pixel_format: str = Field(description="yuv420p")
    byte_count: int = Field(gt=0)
    recipe: dict[str, str | int | float] = Field(description="as read from the file")
