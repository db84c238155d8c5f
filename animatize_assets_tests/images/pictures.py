"""Small pictures, and their bytes in every format and mode that the tests offer."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 75, 53


def picture(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """No symmetry, smooth and rough parts: every turn and every loss shows."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 3 % 256, y * 4 % 256, (x + y) * 2 % 256], axis=-1).astype(np.uint8)
    rough = np.random.default_rng(1).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    pixels[10:30, 20:40] = rough[: max(0, height - 10), : max(0, width - 20)]
    return pixels


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


@dataclass(frozen=True)
class Encoded:
    """A whole file and what it must become."""

    name: str
    content: bytes
    expected: NDArray[np.uint8]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG made by hand: Pillow cannot write every depth. ``rows``: each with its filter byte."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = b"".join(extra) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def _unfiltered(samples: NDArray[Any]) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in samples)


def _sixteen(pixels: NDArray[np.uint8]) -> NDArray[Any]:
    # The high byte is the picture, the low byte is noise: rounding the wrong way shows.
    low = np.random.default_rng(2).integers(0, 256, pixels.shape)
    return (pixels.astype(np.uint16) * 256 + low.astype(np.uint16)).astype(">u2")


def on_white(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """By the definition: each channel between its value and white, rounded to nearest."""
    share = alpha[..., None].astype(np.float64) / 255
    return np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)


def decoded_by_pillow(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@cache
def whole_files() -> tuple[Encoded, ...]:
    """One file of each format and mode, with the pixels that it must give."""
    rgb = picture()
    image = Image.fromarray(rgb)
    gray = image.convert("L")
    grays = np.repeat(np.asarray(gray)[..., None], 3, axis=-1)
    bits = image.convert("1")
    palette = image.quantize(64)
    _, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    alpha = (x * 7 % 256).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    see_through = palette.copy()
    palette_rgb = np.asarray(palette.convert("RGB"))
    clear = np.where((np.asarray(palette) == 5)[..., None], 255, palette_rgb).astype(np.uint8)
    files = [
        Encoded(name, content, decoded_by_pillow(content))
        for name, content in {
            "jpeg": encode(image, "JPEG", quality=90),
            "jpeg-444": encode(image, "JPEG", quality=90, subsampling=0),
            "jpeg-progressive": encode(image, "JPEG", quality=90, progressive=True),
            "jpeg-restarts": encode(image, "JPEG", quality=90, restart_marker_blocks=2),
            "jpeg-gray": encode(gray, "JPEG", quality=90),
            "jpeg-cmyk": encode(image.convert("CMYK"), "JPEG", quality=95),
            "webp-lossy": encode(image, "WEBP", quality=90),
            "tiff-jpeg": encode(image, "TIFF", compression="jpeg"),
        }.items()
    ]
    exact: list[tuple[str, bytes, NDArray[np.uint8]]] = [
        ("png", encode(image, "PNG"), rgb),
        ("png-gray", encode(gray, "PNG"), grays),
        ("png-bits", encode(bits, "PNG"), np.asarray(bits.convert("RGB"))),
        ("png-palette", encode(palette, "PNG"), palette_rgb),
        ("png-palette-clear", encode(see_through, "PNG", transparency=5), clear),
        ("png-alpha", encode(rgba, "PNG"), on_white(rgb, alpha)),
        ("png-gray-alpha", encode(rgba.convert("LA"), "PNG"), on_white(grays, alpha)),
        ("png-16-gray", png(WIDTH, HEIGHT, 16, 0, _unfiltered(_sixteen(grays[..., 0]))), grays),
        ("png-16-rgb", png(WIDTH, HEIGHT, 16, 2, _unfiltered(_sixteen(rgb))), rgb),
        (
            "png-16-rgba",
            png(WIDTH, HEIGHT, 16, 6, _unfiltered(_sixteen(np.dstack([rgb, alpha])))),
            on_white(rgb, alpha),
        ),
        ("webp-lossless", encode(image, "WEBP", lossless=True), rgb),
        (
            "webp-alpha",
            encode(rgba, "WEBP", lossless=True, exact=True),
            on_white(rgb, alpha),
        ),
        ("bmp", encode(image, "BMP"), rgb),
        ("bmp-gray", encode(gray, "BMP"), grays),
        ("bmp-palette", encode(palette, "BMP"), palette_rgb),
        ("bmp-run-length", bmp_run_length(grays[..., 0]), grays),
        ("bmp-bits", encode(bits, "BMP"), np.asarray(bits.convert("RGB"))),
        ("bmp-32", encode(rgba, "BMP"), rgb),  # without masks, the fourth byte means nothing
        ("bmp-alpha", bmp_with_alpha(np.dstack([rgb, alpha])), on_white(rgb, alpha)),
        ("tiff", encode(image, "TIFF"), rgb),
        ("tiff-lzw", encode(image, "TIFF", compression="tiff_lzw"), rgb),
        ("tiff-deflate", encode(image, "TIFF", compression="tiff_adobe_deflate"), rgb),
        ("tiff-gray", encode(gray, "TIFF"), grays),
        ("tiff-fax", encode(bits, "TIFF", compression="group4"), np.asarray(bits.convert("RGB"))),
        ("tiff-alpha", encode(rgba, "TIFF"), on_white(rgb, alpha)),
        ("tiff-gray-alpha", encode(rgba.convert("LA"), "TIFF"), on_white(grays, alpha)),
        ("tiff-palette", encode(palette, "TIFF"), palette_rgb),
        (
            "tiff-16-gray",
            encode(Image.fromarray(_sixteen(grays[..., 0]).astype(np.uint16)), "TIFF"),
            grays,
        ),
        ("tiff-16-rgb", tiff_by_hand(_sixteen(rgb)), rgb),
        (
            "tiff-16-white-is-zero",
            tiff_by_hand(65535 - _sixteen(grays[..., 0]), photometric=0, order="<"),
            grays,
        ),
        ("tiff-cmyk", encode(image.convert("CMYK"), "TIFF"), rgb),
        (
            "tiff-two-pages",
            encode(image, "TIFF", save_all=True, append_images=[image.rotate(180)]),
            rgb,
        ),
    ]
    return (*files, *(Encoded(*each) for each in exact))


def tiff_by_hand(
    samples: NDArray[Any], *, photometric: int | None = None, orientation: int = 1, order: str = ">"
) -> bytes:
    """An uncompressed TIFF of one strip; Pillow writes no 16-bit colour."""
    height, width = samples.shape[:2]
    bands = 1 if samples.ndim == 2 else samples.shape[2]
    bits = samples.dtype.itemsize * 8
    body = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    kind = photometric if photometric is not None else (1 if bands == 1 else 2)
    strip_at = 8
    deep_at = strip_at + len(body)
    deep = struct.pack(f"{order}{bands}H", *[bits] * bands)
    entries = [
        (256, 4, 1, struct.pack(order + "I", width)),
        (257, 4, 1, struct.pack(order + "I", height)),
        (258, 3, bands, deep.ljust(4, b"\0") if bands < 3 else struct.pack(order + "I", deep_at)),
        (259, 3, 1, struct.pack(order + "HH", 1, 0)),
        (262, 3, 1, struct.pack(order + "HH", kind, 0)),
        (273, 4, 1, struct.pack(order + "I", strip_at)),
        (274, 3, 1, struct.pack(order + "HH", orientation, 0)),
        (277, 3, 1, struct.pack(order + "HH", bands, 0)),
        (278, 4, 1, struct.pack(order + "I", height)),
        (279, 4, 1, struct.pack(order + "I", len(body))),
    ]
    directory_at = deep_at + len(deep) + len(deep) % 2
    directory = struct.pack(order + "H", len(entries)) + b"".join(
        struct.pack(order + "HHI", tag, kind_of, count) + value
        for tag, kind_of, count, value in entries
    )
    head = (
        (b"MM\0*" if order == ">" else b"II*\0")
        + struct.pack(order + "I", directory_at)
        + body
        + deep
    )
    return head.ljust(directory_at, b"\0") + directory + struct.pack(order + "I", 0)


def bmp_with_alpha(rgba: NDArray[np.uint8]) -> bytes:
    """A BMP with a version 4 header, whose masks say that the fourth byte is opacity."""
    height, width = rgba.shape[:2]
    body = rgba[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(body), 0, 0, 0, 0)
    header = (header + masks).ljust(108, b"\0")
    return struct.pack("<2sIHHI", b"BM", 14 + 108 + len(body), 0, 0, 14 + 108) + header + body


def bmp_run_length(gray: NDArray[np.uint8]) -> bytes:
    """An 8-bit BMP with run-length coding: each row as literal runs and an end of line."""
    height, width = gray.shape
    runs = [row[at : at + 254].tobytes() for row in gray[::-1] for at in range(0, width, 254)]
    body = b"".join(bytes([0, len(run)]) + run + b"\0" * (len(run) % 2) + b"\0\0" for run in runs)
    body += b"\0\1"
    palette = b"".join(bytes([level, level, level, 0]) for level in range(256))
    offset = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset) + header + palette + body


def turned_file(orientation: int, image_format: str) -> bytes:
    """The picture stored so that ``orientation`` sets it upright; lossless but for JPEG."""
    # What undoes each turn: the inverse of a quarter turn is the other one, the rest are their own.
    undo = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }
    stored = np.ascontiguousarray(undo[orientation](picture()))
    if image_format == "TIFF":
        return tiff_by_hand(stored, orientation=orientation)
    exif = Image.Exif()
    exif[274] = orientation
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(
        image_format, {}
    )
    return encode(Image.fromarray(stored), image_format, exif=exif.tobytes(), **options)
