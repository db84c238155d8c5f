"""Files that no upload should be, each with the codes that may refuse it.

A damaged file may also be accepted, but then with exactly the pixels of the whole one.
"""

from __future__ import annotations

import os
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animatize_assets_tests.images.pictures import (
    encode,
    picture,
    png,
    png_chunk,
    tiff_by_hand,
    whole_files,
)

BROKEN = frozenset({"image_body_corrupt", "image_header_corrupt", "image_format_unsupported"})


@dataclass(frozen=True)
class BadFile:
    """How to make it, and how it may be refused."""

    name: str
    make: Callable[[Path], None]
    codes: frozenset[str]
    whole: NDArray[np.uint8] | None = None
    """The pixels with which it may be accepted instead; None: never."""


def _written(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def truncations(cases: int) -> Iterator[BadFile]:
    """Every kind of file cut short at ``cases`` places in all, and again with an end put on."""
    files = whole_files()
    each = max(1, cases // len(files))
    for file in files:
        length = len(file.content)
        cuts = {length - 1, *np.linspace(1, length - 1, each + 2, dtype=int)[1:-1].tolist()}
        for cut in sorted(cuts):
            rest = file.content[:cut]
            yield BadFile(f"{file.name}-lost-{length - cut}", _written(rest), BROKEN, file.expected)
            if file.name.startswith("jpeg"):
                ended = _written(rest + b"\xff\xd9")
                yield BadFile(
                    f"{file.name}-ended-lost-{length - cut}", ended, BROKEN, file.expected
                )


def lost_pieces() -> Iterator[BadFile]:
    """Pieces missing where the decoder does not look, and checksums that do not match."""
    for file in whole_files():
        content = file.content
        if file.name == "png":
            yield BadFile("png-no-end", _written(content[:-12]), BROKEN, file.expected)
            at = content.index(b"IDAT") + 40
            flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
            yield BadFile("png-flipped-bit", _written(flipped), frozenset({"image_body_corrupt"}))
        elif file.name in {"jpeg", "jpeg-progressive", "jpeg-restarts"}:
            at = content.index(b"\xff\xda") + (len(content) - content.index(b"\xff\xda")) // 2
            hole = content[:at] + content[at + 300 :]
            yield BadFile(f"{file.name}-hole", _written(hole), frozenset({"image_body_corrupt"}))
            zeros = content[:at] + bytes(len(content) - at)
            yield BadFile(f"{file.name}-zeros", _written(zeros), frozenset({"image_body_corrupt"}))
        if file.name == "jpeg-progressive":
            scans = [i for i in range(len(content)) if content[i : i + 2] == b"\xff\xda"]
            for number, start in enumerate(scans[1:], 1):
                fewer = content[:start] + b"\xff\xd9"
                # Tables may lie between two scans; a scan more or less is what matters.
                yield BadFile(
                    f"jpeg-{number}-scans", _written(fewer), frozenset({"image_body_corrupt"})
                )
        elif file.name == "jpeg-restarts":
            at = content.index(b"\xff\xd3")
            until = content.index(b"\xff\xd4")
            lost = content[:at] + content[until:]
            yield BadFile("jpeg-lost-restart", _written(lost), frozenset({"image_body_corrupt"}))
            ended = content[:at] + b"\xff\xd9"
            yield BadFile("jpeg-few-restarts", _written(ended), frozenset({"image_body_corrupt"}))


def bombs() -> Iterator[BadFile]:
    """Small files that declare more pixels than any computer should be asked for."""
    too_many = frozenset({"image_too_many_pixels"})
    rows = zlib.compress(bytes(100))
    yield BadFile("bomb-png", _written(png(30_000, 30_000, 8, 2, rows)), too_many)
    yield BadFile("bomb-png-most", _written(png(2**31 - 1, 2**31 - 1, 1, 0, b"")), too_many)
    small = encode(Image.fromarray(picture()), "JPEG")
    at = small.index(b"\xff\xc0") + 5
    jpeg = small[:at] + struct.pack(">HH", 65_535, 65_535) + small[at + 4 :]
    yield BadFile("bomb-jpeg", _written(jpeg), too_many)
    bmp = struct.pack("<2sIHHIIiiHH", b"BM", 200, 0, 0, 54, 40, 60_000, -60_000, 1, 24)
    yield BadFile("bomb-bmp", _written(bmp.ljust(200, b"\0")), too_many)
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\x00" * 2
    webp = b"RIFF" + struct.pack("<I", len(body)) + body
    yield BadFile("bomb-webp", _written(webp), too_many)
    lossless = b"WEBPVP8L" + struct.pack("<IBI", 5, 0x2F, (1 << 28) - 1)
    webp = b"RIFF" + struct.pack("<I", len(lossless)) + lossless
    yield BadFile("bomb-webp-lossless", _written(webp), too_many)
    tiff = bytearray(tiff_by_hand(picture()))
    for tag in (256, 257):
        entry = tiff.index(struct.pack(">HHI", tag, 4, 1)) + 8
        tiff[entry : entry + 4] = struct.pack(">I", 40_000)
    yield BadFile("bomb-tiff", _written(bytes(tiff)), too_many)
    progressive = encode(Image.fromarray(picture()), "JPEG", progressive=True)
    scan = progressive.rindex(b"\xff\xda")
    scans = progressive[:scan] + progressive[scan:-2] * 200 + progressive[-2:]
    yield BadFile("bomb-jpeg-of-scans", _written(scans), frozenset({"image_body_corrupt"}))
    # Two frame headers: a small one first, the one that a careless reader uses after it.
    frame = small.index(b"\xff\xc0")
    second = bytearray(small[frame : frame + 19])
    second[5:9] = struct.pack(">HH", 60_000, 60_000)
    jpeg = small[: frame + 19] + bytes(second) + small[frame + 19 :]
    yield BadFile("bomb-jpeg-second-frame", _written(jpeg), BROKEN)
    twice = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    yield BadFile("bomb-png-second-header", _written(png(20, 20, 8, 2, rows, twice)), BROKEN)


def foreign() -> Iterator[BadFile]:
    """Formats that are not accepted, whatever the file is called, and things that are none."""
    image = Image.fromarray(picture())
    unsupported = frozenset({"image_format_unsupported"})
    for image_format in ("GIF", "JPEG2000", "PPM", "ICO", "TGA", "PCX", "AVIF", "SGI", "DDS"):
        content = encode(image, image_format)
        yield BadFile(f"foreign-{image_format}", _written(content), unsupported)
    for name, content in {
        "text": b"BMW builds cars, and this is a text about them.",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'/>",
        "heic": b"\0\0\0\x18ftypheic" + bytes(60),
        "one-byte": b"\xff",
        "zeros": bytes(5_000),
        "wave": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        "bigtiff": b"II+\0\x08\0\0\0" + bytes(60),
        "twelve-bits": b"\xff\xd8\xff\xc1\0\x11\x0c" + struct.pack(">HH", 64, 64) + bytes(60),
    }.items():
        yield BadFile(f"foreign-{name}", _written(content), unsupported)
    for name, content in {
        "jpeg-magic": b"\xff\xd8\xff\xe0" + bytes(50),
        "png-magic": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "tiff-magic": b"II*\0\xff\xff\xff\xff",
        "tiff-loop": b"MM\0*\0\0\0\x08\xff\xff",
        "webp-magic": b"RIFF\x24\0\0\0WEBPVP9 " + bytes(40),
        "bmp-magic": struct.pack("<2sIHHII", b"BM", 26, 0, 0, 26, 40),
        "png-no-size": png(0, 50, 8, 2, b""),
        "jpeg-no-height": b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 0, 64) + bytes(60),
    }.items():
        yield BadFile(f"broken-{name}", _written(content), frozenset({"image_header_corrupt"}))


def wrong_size() -> Iterator[BadFile]:
    """Empty, too large, too small."""
    yield BadFile("size-zero-bytes", lambda path: path.touch(), frozenset({"image_empty"}))
    large = encode(Image.fromarray(picture()), "PNG") + bytes(10_000_000)
    yield BadFile("size-bytes", _written(large), frozenset({"image_too_many_bytes"}))
    yield BadFile("size-a-terabyte-hole", _sparse, frozenset({"image_too_many_bytes"}))
    for width, height in ((15, 400), (400, 15), (1, 1)):
        content = encode(Image.new("RGB", (width, height)), "PNG")
        name = f"size-{width}x{height}"
        yield BadFile(name, _written(content), frozenset({"image_too_small"}))


def not_files() -> Iterator[BadFile]:
    """Paths that name something else than a readable file."""
    no_file = frozenset({"image_not_a_file"})
    yield BadFile("path-missing", _nothing, frozenset({"image_missing"}))
    yield BadFile("path-folder", lambda path: path.mkdir(), no_file)
    yield BadFile("path-fifo", os.mkfifo, no_file)
    yield BadFile("path-socket", _bind, no_file)
    yield BadFile("path-device", lambda path: path.symlink_to("/dev/zero"), no_file)
    yield BadFile("path-link-to-folder", lambda path: path.symlink_to(path.parent), no_file)
    to_nothing = frozenset({"image_missing"})
    yield BadFile("path-dangling-link", lambda path: path.symlink_to("nowhere"), to_nothing)
    yield BadFile(
        "path-link-loop", lambda path: path.symlink_to(path), frozenset({"image_unreadable"})
    )


def _nothing(path: Path) -> None:
    assert not path.exists()


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def _bind(path: Path) -> None:
    # A socket's path may have 108 characters at most, a test's folder may be longer.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def bad_files(cases: int) -> list[BadFile]:
    """All of them; ``cases`` sets how many truncations there are."""
    kinds = (truncations(cases), lost_pieces(), bombs(), foreign(), wrong_size(), not_files())
    return [file for kind in kinds for file in kind]
