"""From a file's bytes to 8-bit sRGB pixels, upright, on white: whole, or reduced and fast.

Both ways normalise alike, so a working copy looks the same as the full picture reduced. A body
that is truncated or corrupt is refused, never half-accepted.

Belongs here: opening with the one decoder that the first bytes name, and the order of the steps.
Does not belong here: the steps themselves (``samples``, ``colour``, ``exif``, ``integrity``).
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from animatize_assets.errors import InvalidImage
from animatize_assets.images.colour import conversion_for, flatten_on_white, to_srgb
from animatize_assets.images.exif import (
    ORIENTATION_TAG,
    read_orientation,
    turn_upright,
    valid_orientation,
)
from animatize_assets.images.headers import tiff_page_count
from animatize_assets.images.integrity import check_container, check_jpeg_scans
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.models import ImageFormat
from animatize_assets.images.samples import read_samples
from animatize_assets.images.validation import Upload, UploadHeader, check_header, read_upload

WIDEST_LIMITS = ImageLimits(max_bytes=100_000_000, max_pixels=500_000_000, min_side_px=1)
"""What no setting may exceed; holds for files that were validated before under their own limits."""

_REDUCTION_MARGIN = 1.5
"""The decoder, or a box filter, reduces by whole factors down to at least this many times the asked
size; a Gaussian does the rest. So the last step, the same for all, decides how sharp the result
is, and one picture at 720p, 1080p and 4K, as JPEG or PNG, gives nearly one working copy: its
Laplacian variance then spreads by 7 %, by 17 % with area resampling alone (31 photographs)."""

_SMOOTHING_PX = 0.5
"""Standard deviation of that Gaussian, in pixels of the result."""

# The classes themselves rather than Image.open: exactly one decoder ever sees the bytes, and no
# other that a file names inside (MPO in a JPEG, for one) is started.
_DECODERS: dict[ImageFormat, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}
_ONE_AT_A_TIME = threading.Lock()


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


@dataclass(frozen=True)
class _Opened:
    image: Image.Image
    full_size: tuple[int, int]
    """Width and height of the whole picture as ``image`` lies, reduced or not."""
    orientation: int
    turn: int
    """The orientation that is still to be applied: Pillow turns a TIFF itself."""
    icc_profile: bytes | None
    frame_count: int
    source_mode: str


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
    with _refusing(header.format):
        return _decode(content, header)


def decode_strictly(upload: Upload) -> DecodedImage:
    """As :func:`decode_content`, after also proving that the body is whole.

    Used once, when a file is accepted: it costs further decodes of a JPEG, whose decoder
    otherwise fills what is missing with grey and says nothing.

    Raises:
        InvalidImage: ``image_body_corrupt`` or as :func:`decode_content`.

    """
    with _refusing(upload.header.format):
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
    with _refusing(upload.header.format):
        return _decode_reduced(upload.content, upload.header, long_side_px)


def _decode(content: bytes, header: UploadHeader, *, strictly: bool = False) -> DecodedImage:
    opened = _open(content, header)
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
    opened = _open(content, header, reduce_to=scale * _REDUCTION_MARGIN)
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


def _open(content: bytes, header: UploadHeader, *, reduce_to: float = 1.0) -> _Opened:
    """Open and load ``content``; ``reduce_to`` is the smallest scale that a JPEG may be cut to."""
    check_container(content, header.format)
    declared = (header.width, header.height)
    image: ImageFile.ImageFile
    if header.format == "tiff":
        # Pillow warns about odd metadata of a TIFF. It is not ours to judge; the pixels are.
        with _without_warnings():
            return _open_tiff(content, declared)
    if header.format == "png":
        with _without_warnings():  # as above, about odd animations
            image = PngImagePlugin.PngImageFile(io.BytesIO(content))
            source_mode = image.mode
            _require_size(image, declared)
            image.load()
    else:
        image = _DECODERS[header.format](io.BytesIO(content))
        source_mode = image.mode
        _require_size(image, declared)
        if header.format == "jpeg" and reduce_to < 1.0:
            image.draft(
                None, (int(declared[0] * reduce_to) or 1, int(declared[1] * reduce_to) or 1)
            )
        image.load()
    orientation = read_orientation(image.info)
    return _Opened(
        image=image,
        full_size=declared,
        orientation=orientation,
        turn=orientation,
        icc_profile=image.info.get("icc_profile") or None,
        frame_count=int(getattr(image, "n_frames", 1)),
        source_mode=source_mode,
    )


def _open_tiff(content: bytes, declared: tuple[int, int]) -> _Opened:
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(content))
    orientation = valid_orientation(image.tag_v2.get(ORIENTATION_TAG))
    _require_size(image, declared[::-1] if orientation > 4 else declared)
    image.info.pop("xmp", None)  # Pillow would also turn by what XMP says; browsers do not
    source_mode = image.mode
    image.load()
    return _Opened(
        image=image,
        full_size=image.size,
        orientation=orientation,
        turn=1,
        icc_profile=image.info.get("icc_profile") or None,
        frame_count=tiff_page_count(content),
        source_mode=source_mode,
    )


def _require_size(image: Image.Image, declared: tuple[int, int]) -> None:
    if image.size != declared:
        raise InvalidImage(
            "The file declares two different sizes; save it again.", code="image_header_corrupt"
        )


@contextmanager
def _without_warnings() -> Iterator[None]:
    # The filters are the process's, so only one thread at a time may change them and back.
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _refusing(image_format: ImageFormat) -> Iterator[None]:
    """Whatever a decoder raises on hostile bytes means one thing: the body does not decode."""
    try:
        yield
    except (InvalidImage, MemoryError):
        raise
    except Exception as error:  # decoders promise no list of exceptions
        raise InvalidImage(
            f"The {image_format.upper()} file does not decode whole ({error}); upload it again.",
            code="image_body_corrupt",
        ) from error
