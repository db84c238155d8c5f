"""Is a picture's body whole? Where decoders are forgiving, this is not.

- PNG: Pillow does not check the checksums of the picture data and does not miss the end chunk.
- WebP: the container says how long it is.
- JPEG: libjpeg decodes what is missing as grey and only warns, which Pillow does not pass on. A
  file that lost its end is noticed by Pillow; one that lost data before its end is not.

What no reader can tell: bytes changed inside a BMP, an uncompressed TIFF, a lossy WebP, or a JPEG
whose bookkeeping still adds up. These formats have no checksum. (512 bytes zeroed somewhere in a
200 KB JPEG: noticed in 49 of 60 trials.)

Belongs here: proofs about bytes. Does not belong here: making pixels (``decoding``).
"""

from __future__ import annotations

import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from animatize_assets.errors import InvalidImage
from animatize_assets.images.headers import PNG_SIGNATURE
from animatize_assets.images.jpeg_scans import damaged, read_scans
from animatize_assets.images.models import ImageFormat

# Bytes that end no segment (no 0xFF) and that no Huffman table decodes to "nothing more" for
# long. Fixed, so that the same file always gets the same verdict.
_PADDING = bytes(np.random.default_rng(20_100).integers(0, 255, 64, dtype=np.uint8))
_TAIL_BYTES = 16
_MOST_SCANS = 100
"""Encoders write about ten; each costs a pass over all coefficients, however few bytes it has."""
_NO_HUFFMAN_FRAMES = frozenset({0xC3, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Arithmetic coding, and the lossless frames, which have no coefficients."""


def check_container(content: bytes, image_format: ImageFormat) -> None:
    """Refuse what costs nothing to see, before anything is decoded.

    A PNG or WebP whose container is cut short or fails its checksums; a JPEG of so many passes
    that a small file would keep the decoder busy for minutes.

    Raises:
        InvalidImage: ``image_body_corrupt``.

    """
    if image_format == "png":
        _check_png(content)
    elif image_format == "webp":
        _check_webp(content)
    elif image_format == "jpeg" and content.count(b"\xff\xda") > _MOST_SCANS:
        raise damaged(f"it has more than {_MOST_SCANS} passes over its picture")


def _corrupt(image_format: str, why: str) -> InvalidImage:
    return InvalidImage(
        f"The {image_format} file is damaged: {why}; upload it again.", code="image_body_corrupt"
    )


def _check_png(content: bytes) -> None:
    at = len(PNG_SIGNATURE)
    while True:
        length = int.from_bytes(content[at : at + 4], "big")
        end = at + 12 + length
        if end > len(content):
            raise _corrupt("PNG", "it ends before its end chunk")
        kind = content[at + 4 : at + 8]
        stored = int.from_bytes(content[end - 4 : end], "big")
        if zlib.crc32(memoryview(content)[at + 4 : end - 4]) != stored:
            raise _corrupt("PNG", f"the checksum of chunk {kind!r} is wrong")
        if kind == b"IEND":
            return
        at = end


def _check_webp(content: bytes) -> None:
    declared = int.from_bytes(content[4:8], "little") + 8
    if declared > len(content):
        raise _corrupt("WebP", f"it declares {declared} bytes and has {len(content)}")


def check_jpeg_scans(content: bytes, decoded: NDArray[np.uint8]) -> None:
    """Refuse a JPEG that sends less than it announces, or whose coded data do not fit.

    ``decoded`` are the samples that the decoder makes of ``content``. Whole scans and restart
    intervals that are missing are counted. For the rest, arbitrary bytes are put behind each run
    of coded bytes and the picture is decoded again: a decoder that has all it needs skips them,
    one that ran out takes them for picture. For a sequential file the reverse is tried as well:
    when the last 16 coded bytes may be anything, the decoder lost its place before them.

    Raises:
        InvalidImage: ``image_body_corrupt``.

    """
    found = read_scans(content)
    if found.frame_marker in _NO_HUFFMAN_FRAMES:
        return  # arithmetic coding may leave out its last zeros, so bytes behind them do count
    if found.unsent():
        raise damaged("whole passes over its picture are missing")
    segments = [segment for scan in found.scans for segment in scan.segments]
    if len(segments) != sum(scan.expected_segments for scan in found.scans):
        raise damaged("pieces between its restart markers are missing")
    if not np.array_equal(_decode(_pad(content, segments)), decoded):
        raise damaged("its coded data end before its picture is complete")
    if len(segments) == 1 and not _needs_its_tail(content, segments[0], decoded):
        raise damaged("its coded data do not fit its picture")


def _needs_its_tail(content: bytes, segment: tuple[int, int], decoded: NDArray[np.uint8]) -> bool:
    start, end = segment
    cut = max(start, end - _TAIL_BYTES)
    if content[cut - 1] == 0xFF:  # what follows would make a marker of it
        cut -= 1
    if not content[cut:end].strip(b"\0"):
        return True  # some cameras fill up with zeros
    try:
        return not np.array_equal(_decode(content[:cut] + _PADDING + content[end:]), decoded)
    except OSError:
        return True


def _pad(content: bytes, segments: list[tuple[int, int]]) -> bytes:
    pieces, at = [], 0
    for _, end in segments:
        pieces += [content[at:end], _PADDING]
        at = end
    return b"".join([*pieces, content[at:]])


def _decode(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(JpegImagePlugin.JpegImageFile(io.BytesIO(content)), np.uint8)
