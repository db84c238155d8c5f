"""Opening a file's bytes with the one decoder that its first bytes name.

Belongs here: what differs between the decoders, and the one way in which they all refuse. Does not
belong here: what the samples mean (``samples``, ``colour``).
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
from animatize_assets.images.exif import ORIENTATION_TAG, read_orientation, valid_orientation
from animatize_assets.images.headers import tiff_page_count
from animatize_assets.images.integrity import check_container
from animatize_assets.images.models import ImageFormat
from animatize_assets.images.validation import UploadHeader

# The classes themselves rather than Image.open: exactly one decoder ever sees the bytes, and no
# other that a file names inside (MPO in a JPEG, for one) is started.
_DECODERS: dict[ImageFormat, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Opened:
    """A loaded picture, its samples still as the file has them."""

    image: Image.Image
    full_size: tuple[int, int]
    """Width and height of the whole picture as ``image`` lies, reduced or not."""
    orientation: int
    turn: int
    """The orientation that is still to be applied: Pillow turns a TIFF itself."""
    icc_profile: bytes | None
    frame_count: int
    source_mode: str


def open_content(content: bytes, header: UploadHeader, *, reduce_to: float = 1.0) -> Opened:
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
    return Opened(
        image=image,
        full_size=declared,
        orientation=orientation,
        turn=orientation,
        icc_profile=image.info.get("icc_profile") or None,
        frame_count=int(getattr(image, "n_frames", 1)),
        source_mode=source_mode,
    )


def _open_tiff(content: bytes, declared: tuple[int, int]) -> Opened:
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(content))
    orientation = valid_orientation(image.tag_v2.get(ORIENTATION_TAG))
    _require_size(image, declared[::-1] if orientation > 4 else declared)
    image.info.pop("xmp", None)  # Pillow would also turn by what XMP says; browsers do not
    source_mode = image.mode
    image.load()
    return Opened(
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
def refusing(image_format: ImageFormat) -> Iterator[None]:
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
