"""From a file's bytes to 8-bit sRGB pixels, upright, on white: whole, or reduced and fast.

Both ways normalise alike, so a working copy looks the same as the full picture reduced. A body
that is truncated or corrupt is refused, never half-accepted.

Belongs here: the order of the steps, and reduction. Does not belong here: the other steps
(``opening``, ``integrity``, ``samples``, ``colour``, ``exif``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.images.colour import conversion_for, flatten_on_white, to_srgb
from animatize_assets.images.exif import turn_upright
from animatize_assets.images.integrity import check_jpeg_scans
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.opening import open_content, refusing
from animatize_assets.images.samples import read_samples
from animatize_assets.images.validation import Upload, UploadHeader, check_header, read_upload

WIDEST_LIMITS = ImageLimits(max_bytes=100_000_000, max_pixels=500_000_000, min_side_px=1)
"""What no setting may exceed; holds for files that were validated before under their own limits."""

_REDUCTION_MARGIN = 1.5
"""The decoder, or a box filter, reduces by whole factors down to at least this many times the asked
size; a Gaussian does the rest. So the last step, the same for all, decides how sharp the result
is, and one picture at 720p, 1080p and 4K, as JPEG or PNG, gives nearly one working copy: its
Laplacian variance then spreads by 7 %, by 17 % with area resampling alone
(10 photographs of 900 px, as they are and enlarged to the three sizes)."""

_SMOOTHING_PX = 0.5
"""Standard deviation of that Gaussian, in pixels of the result."""


@dataclass(frozen=True)
class DecodedImage:
    """A normalised picture and what was done to make it so."""

    pixels: NDArray[np.uint8]
    """Rows x columns x RGB, uint8, sRGB, upright."""
    source_mode: str
    exif_orientation: int
    has_icc_profile: bool
    flattened_alpha: bool
    frame_count: int
    is_plain: bool
    """Any viewer that opens the file sees exactly these pixels: nothing had to be normalised."""


def decode_normalized(path: Path) -> NDArray[np.uint8]:
    """Decode the picture at ``path``: rows x columns x RGB, uint8, full size, sRGB, upright.

    Raises:
        InvalidImage: the file cannot be read or decoded whole.

    """
    return decode_content(read_upload(path, WIDEST_LIMITS).content).pixels


def decode_content(content: bytes) -> DecodedImage:
    """As :func:`decode_normalized`, from bytes, with what was done.

    Raises:
        InvalidImage: the bytes cannot be decoded whole.

    """
    header = check_header(content, WIDEST_LIMITS)
    with refusing(header.format):
        return _decode(content, header)


def decode_strictly(upload: Upload) -> DecodedImage:
    """As :func:`decode_content`, after also proving that the body is whole.

    Used once, when a file is accepted: it costs further decodes of a JPEG, whose decoder
    otherwise fills what is missing with grey and says nothing.

    Raises:
        InvalidImage: ``image_body_corrupt`` or as :func:`decode_content`.

    """
    with refusing(upload.header.format):
        return _decode(upload.content, upload.header, strictly=True)


def load_working_copy(path: Path, long_side_px: int) -> NDArray[np.uint8]:
    """Decode the picture at ``path`` reduced to ``long_side_px``, normalised as the full one.

    A JPEG is decoded at 1/2, 1/4 or 1/8 where that leaves enough pixels. A smaller picture keeps
    its size: nothing is enlarged.

    Returns:
        Rows x columns x RGB, uint8, sRGB, upright; the same bytes give the same pixels.

    Raises:
        InvalidImage: the file cannot be read or decoded whole.

    """
    upload = read_upload(path, WIDEST_LIMITS)
    with refusing(upload.header.format):
        return _decode_reduced(upload.content, upload.header, long_side_px)


def _decode(content: bytes, header: UploadHeader, *, strictly: bool = False) -> DecodedImage:
    opened = open_content(content, header)
    if strictly and header.format == "jpeg":
        check_jpeg_scans(content, np.asarray(opened.image, np.uint8))
    samples = read_samples(opened.image, content)
    conversion = conversion_for(opened.icc_profile, samples.image.mode)
    rgb = to_srgb(samples.image, conversion)
    if samples.alpha is not None:
        rgb = flatten_on_white(rgb, samples.alpha)
    as_it_lies = (
        opened.source_mode in {"L", "RGB"}
        and opened.orientation == 1
        and opened.frame_count == 1
        and samples.alpha is None
        and (conversion is None or conversion.is_identity)
    )
    return DecodedImage(
        pixels=turn_upright(rgb, opened.turn),
        source_mode=opened.source_mode,
        exif_orientation=opened.orientation,
        has_icc_profile=opened.icc_profile is not None and conversion is not None,
        flattened_alpha=samples.alpha is not None,
        frame_count=opened.frame_count,
        is_plain=as_it_lies and header.format != "tiff" and not _is_deep_png(content, header),
    )


def _is_deep_png(content: bytes, header: UploadHeader) -> bool:
    return header.format == "png" and content[24] == 16


def _decode_reduced(content: bytes, header: UploadHeader, long_side_px: int) -> NDArray[np.uint8]:
    scale = min(1.0, long_side_px / max(header.width, header.height))
    opened = open_content(content, header, reduce_to=scale * _REDUCTION_MARGIN)
    samples = read_samples(opened.image, content)
    conversion = conversion_for(opened.icc_profile, samples.image.mode)
    if samples.alpha is None and samples.image.mode != "LAB":
        # Resampling first leaves fewer pixels to convert.
        small = _resample(np.asarray(samples.image, np.uint8), opened.full_size, scale)
        is_srgb = conversion is None or conversion.is_identity
        if samples.image.mode == "RGB" and is_srgb:
            rgb = small  # by far the most common case: nothing to convert, nothing to copy
        else:
            rgb = to_srgb(_as_image(small, samples.image.mode), conversion)
    else:
        rgb = to_srgb(samples.image, conversion)
        if samples.alpha is not None:
            rgb = flatten_on_white(rgb, samples.alpha)
        rgb = _resample(rgb, opened.full_size, scale)
    return turn_upright(rgb, opened.turn)


def _as_image(pixels: NDArray[np.uint8], mode: str) -> Image.Image:
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())


def _resample(
    pixels: NDArray[np.uint8], full_size: tuple[int, int], scale: float
) -> NDArray[np.uint8]:
    if scale >= 1.0:
        return pixels
    width, height = (max(1, round(side * scale)) for side in full_size)
    excess = max(pixels.shape[:2]) / max(width, height)
    if (factor := int(excess / _REDUCTION_MARGIN)) > 1:
        boxed = tuple(-(-side // factor) for side in pixels.shape[1::-1])
        pixels = np.asarray(cv2.resize(pixels, boxed, interpolation=cv2.INTER_AREA), np.uint8)
        excess = max(pixels.shape[:2]) / max(width, height)
    smooth = cv2.GaussianBlur(pixels, (0, 0), _SMOOTHING_PX * excess)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
