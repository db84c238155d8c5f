"""What the first bytes of a file declare: its format and its dimensions, nothing decoded.

Belongs here: reading magic bytes and declared sizes out of bytes in memory. Does not belong here:
limits (``validation``) and pixels (``decoding``). Nothing here imports a decoder, so a file that
is refused has never met one.

Sources: ITU-T T.81 annex B (JPEG markers), PNG specification 3rd edition 11.2.1 (IHDR), RFC 9649
(WebP container), Microsoft BITMAPINFOHEADER family (BMP), TIFF 6.0 section 2 (image file
directory).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from animatize_assets.errors import InvalidImage
from animatize_assets.images.models import ImageFormat

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BMP_CORE_HEADER = 12
_BMP_INFO_HEADERS = frozenset({16, 40, 52, 56, 64, 108, 124})
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 256, 257, 322, 323
_TIFF_SHORT, _TIFF_LONG = 3, 4
_TIFF_MAX_TAGS = 4096  # far more than any writer emits; bounds the walk over a hostile directory
_TIFF_MAX_PAGES = 1000


def sniff_format(content: bytes) -> ImageFormat | None:
    """Tell the format that the first bytes announce, or None. The file's name is not asked."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(PNG_SIGNATURE):
        return "png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if content.startswith((b"II*\x00", b"MM\x00*")):
        return "tiff"
    if content.startswith(b"BM") and _is_bmp_header_size(content):
        return "bmp"
    return None


def _is_bmp_header_size(content: bytes) -> bool:
    # Two letters are weak evidence (much text starts with "BM"), so the header's size counts too.
    size = int.from_bytes(content[14:18], "little")
    return size == _BMP_CORE_HEADER or size in _BMP_INFO_HEADERS


def declared_size(content: bytes, image_format: ImageFormat) -> tuple[int, int]:
    """Read width and height in pixels as the header declares them, before any orientation.

    Raises:
        InvalidImage: ``image_header_corrupt`` when the header ends early or declares nothing
            usable; ``image_format_unsupported`` for a JPEG of other than 8 bits per sample.

    """
    try:
        width, height = _READERS[image_format](content)
    except (struct.error, IndexError) as error:
        raise _corrupt(image_format, "its header ends early") from error
    if width <= 0 or height <= 0:
        raise _corrupt(image_format, f"its header declares {width} x {height} pixels")
    return width, height


def _corrupt(image_format: str, why: str) -> InvalidImage:
    return InvalidImage(
        f"The {image_format.upper()} file cannot be read: {why}; save it again and retry.",
        code="image_header_corrupt",
    )


def _jpeg_size(content: bytes) -> tuple[int, int]:
    at = 2
    while True:
        at = content.find(b"\xff", at)
        if at < 0:
            raise _corrupt("jpeg", "it has no frame header")
        while content[at] == 0xFF:  # any number of fill bytes may precede a marker
            at += 1
        marker = content[at]
        at += 1
        if marker in _JPEG_FRAME_MARKERS:
            precision, height, width = struct.unpack_from(">BHH", content, at + 2)
            if precision != 8:
                raise InvalidImage(
                    f"JPEG with {precision} bits per sample is not supported; save it with 8.",
                    code="image_format_unsupported",
                )
            return width, height
        if marker in {0xD9, 0xDA}:
            raise _corrupt("jpeg", "its picture data comes before its frame header")
        if marker not in _JPEG_BARE_MARKERS and marker != 0:
            (length,) = struct.unpack_from(">H", content, at)
            at += length


def _png_size(content: bytes) -> tuple[int, int]:
    if content[12:16] != b"IHDR":
        raise _corrupt("png", "its first chunk is not IHDR")
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _webp_size(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        height = int.from_bytes(content[27:30], "little") + 1
        return (width, height) if len(content) >= 30 else (0, 0)
    if kind == b"VP8L":
        signature, bits = struct.unpack_from("<BI", content, 20)
        if signature != 0x2F:
            raise _corrupt("webp", "its lossless stream has no signature")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        if content[23:26] != b"\x9d\x01\x2a":
            raise _corrupt("webp", "its lossy stream has no key frame")
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise _corrupt("webp", "its first chunk is no picture")


def _bmp_size(content: bytes) -> tuple[int, int]:
    (header_size,) = struct.unpack_from("<I", content, 14)
    if header_size == _BMP_CORE_HEADER:
        width, height = struct.unpack_from("<HH", content, 18)
        return width, height
    width, height = struct.unpack_from("<ii", content, 18)
    return width, abs(height)  # a negative height means that rows go from top to bottom


def _tiff_size(content: bytes) -> tuple[int, int]:
    tags = tiff_first_directory(content)
    width, height = tags.get(_TIFF_WIDTH, 0), tags.get(_TIFF_HEIGHT, 0)
    # A decoder allocates whole tiles, so a tile counts as pixels that the file declares.
    tile_width, tile_height = tags.get(_TIFF_TILE_WIDTH, 0), tags.get(_TIFF_TILE_HEIGHT, 0)
    if tile_width * tile_height > 4 * max(width * height, 1 << 20):
        raise _corrupt("tiff", f"its tiles are {tile_width} x {tile_height} pixels")
    return width, height


def tiff_page_count(content: bytes) -> int:
    """Count the pages that a TIFF chains together, at least 1, at most 1,000."""
    order = "<" if content[:2] == b"II" else ">"
    pages, link = 0, 4
    seen: set[int] = set()
    try:
        while pages < _TIFF_MAX_PAGES:
            (at,) = struct.unpack_from(order + "I", content, link)
            if at == 0 or at in seen:
                break
            seen.add(at)
            (count,) = struct.unpack_from(order + "H", content, at)
            link = at + 2 + 12 * count
            pages += 1
    except struct.error:  # the chain leads out of the file; what came before it counts
        pass
    return max(1, pages)


def tiff_first_directory(content: bytes) -> dict[int, int]:
    """Read the tags of a TIFF's first directory that hold one SHORT or LONG, by tag number.

    Also reads the TIFF structure inside an EXIF block.

    Raises:
        struct.error: the structure ends early.
        InvalidImage: ``image_header_corrupt``, the directory is absurdly long.

    """
    order = "<" if content[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", content, 4)
    (count,) = struct.unpack_from(order + "H", content, at)
    if count > _TIFF_MAX_TAGS:
        raise _corrupt("tiff", f"its directory lists {count} tags")
    tags: dict[int, int] = {}
    for index in range(count):
        entry = at + 2 + 12 * index
        tag, kind, length = struct.unpack_from(order + "HHI", content, entry)
        if length == 1 and kind in {_TIFF_SHORT, _TIFF_LONG}:
            code = "H" if kind == _TIFF_SHORT else "I"
            (tags[tag],) = struct.unpack_from(order + code, content, entry + 8)
    return tags


_READERS: dict[ImageFormat, Callable[[bytes], tuple[int, int]]] = {
    "jpeg": _jpeg_size,
    "png": _png_size,
    "webp": _webp_size,
    "bmp": _bmp_size,
    "tiff": _tiff_size,
}
