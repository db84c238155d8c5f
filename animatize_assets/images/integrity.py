"""Is a picture's body whole? Where decoders are forgiving, this is not.

- PNG: Pillow does not check the checksums of the picture data and does not miss the end chunk.
- WebP: the container says how long it is.
- JPEG: libjpeg decodes what is missing as grey and only warns, which Pillow does not pass on. A
  file that lost its end is noticed by Pillow; one that lost data before its end is not.

Belongs here: proofs about bytes. Does not belong here: making pixels (``decoding``).
"""

from __future__ import annotations

import io
import re
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from animatize_assets.errors import InvalidImage
from animatize_assets.images.headers import PNG_SIGNATURE
from animatize_assets.images.models import ImageFormat

# Bytes that end no segment (no 0xFF) and that no Huffman table decodes to "nothing more" for
# long. Fixed, so that the same file always gets the same verdict.
_PADDING = bytes(np.random.default_rng(20_100).integers(0, 255, 64, dtype=np.uint8))
_SEGMENT_END = re.compile(rb"\xff+[\x01-\xfe]")
_ARITHMETIC_FRAMES = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_START_OF_SCAN, _END_OF_IMAGE, _RESTART_INTERVAL = 0xDA, 0xD9, 0xDD
_RESTARTS = range(0xD0, 0xD8)


def check_container(content: bytes, image_format: ImageFormat) -> None:
    """Refuse a PNG or WebP whose container is cut short or fails its checksums.

    Raises:
        InvalidImage: ``image_body_corrupt``.

    """
    if image_format == "png":
        _check_png(content)
    elif image_format == "webp":
        _check_webp(content)


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
    """Refuse a JPEG whose coded data end before, or long after, its picture is complete.

    ``decoded`` is what :func:`decode_jpeg` makes of ``content``. Arbitrary bytes are put behind
    each coded segment and the picture is decoded again: a decoder that has all it needs skips
    them, one that ran out takes them for picture. For a sequential file the reverse is tried as
    well: when the last 64 coded bytes may be anything, the decoder lost its place before them.

    Raises:
        InvalidImage: ``image_body_corrupt``.

    """
    frame, segments = _coded_segments(content)
    if frame in _ARITHMETIC_FRAMES:
        return  # arithmetic coding ends where its zeros may be dropped, so bytes there do count
    padded = bytearray()
    at = 0
    for _, end in segments:
        padded += content[at:end] + _PADDING
        at = end
    padded += content[at:]
    if not np.array_equal(decode_jpeg(bytes(padded)), decoded):
        raise _corrupt("JPEG", "its coded data end before the picture is complete")
    if frame in {0xC0, 0xC1} and len(segments) == 1:
        start, end = segments[0]
        tail = content[max(start, end - len(_PADDING)) : end]
        if tail.strip(b"\0") and np.array_equal(
            decode_jpeg(content[: end - len(tail)] + _PADDING + content[end:]), decoded
        ):
            raise _corrupt("JPEG", "its coded data do not fit its picture")


def decode_jpeg(content: bytes) -> NDArray[np.uint8]:
    """Decode the samples of a JPEG as its decoder gives them, nothing converted.

    Raises:
        OSError: the file ends before its end marker, or libjpeg gives up.

    """
    return np.asarray(JpegImagePlugin.JpegImageFile(io.BytesIO(content)), np.uint8)


def _coded_segments(content: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Find the frame marker, and the [start, end) of each run of entropy-coded bytes."""
    frame, at, segments, expected = 0, 2, [], 0
    coded = False
    while match := _SEGMENT_END.search(content, at):
        marker = content[match.end() - 1]
        if coded:
            segments.append((at, match.start()))
        if marker in _RESTARTS and coded:
            if marker - 0xD0 != expected:
                raise _corrupt("JPEG", "a piece between two restart markers is missing")
            expected = (expected + 1) % 8
            at = match.end()
            continue
        if marker == _END_OF_IMAGE:
            return frame, segments
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            frame = marker
        length = int.from_bytes(content[match.end() : match.end() + 2], "big")
        at = match.end() + max(length, 2)
        coded = marker == _START_OF_SCAN
        expected = 0
    raise _corrupt("JPEG", "it ends before its end marker")
