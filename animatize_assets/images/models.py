"""What is known of an accepted image, and what became of each file that was offered.

Belongs here: the records. Does not belong here: validation, decoding or storage.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from animatize_assets.records import Record

ImageFormat = Literal["jpeg", "png", "webp", "bmp", "tiff"]


class ImageRecord(Record):
    """An accepted image: 8-bit sRGB, upright."""

    image_key: str = Field(description="partition key: <slug>-<first 16 hex of sha256>")
    sha256: str = Field(description="SHA-256 of the uploaded bytes, 64 hex; the identity")
    original_name: str = Field(description="file name of the first upload")
    aliases: tuple[str, ...] = Field(default=(), description="other names of the same bytes")
    format: ImageFormat = Field(description="format told by the first bytes")
    byte_count: int = Field(gt=0, description="size of the uploaded file, bytes")
    width: int = Field(gt=0, description="width after normalisation, px")
    height: int = Field(gt=0, description="height after normalisation, px")
    source_mode: str = Field(description="colour mode of the upload, in Pillow's word: CMYK, I;16")
    exif_orientation: int = Field(ge=1, le=8, description="orientation that was applied; 1 = none")
    has_icc_profile: bool = Field(description="an ICC profile was present and was converted")
    flattened_alpha: bool = Field(description="transparency was flattened on white")
    frame_count: int = Field(ge=1, description="pages or frames in the file; the first is used")
    original_path: str = Field(description="the uploaded bytes, relative to the data folder")
    normalized_path: str = Field(
        description="the normalised pixels, relative to the data folder; equals original_path "
        "when decoding the original already gives them"
    )
    registered_at: AwareDatetime = Field(description="first acceptance, UTC")


class IngestOutcome(Record):
    """What became of one offered file."""

    file: str
    status: Literal["accepted", "duplicate", "rejected"]
    image_key: str | None = None
    code: str | None = Field(default=None, description="a key of errors.IMAGE_REFUSALS")
    reason: str | None = None
