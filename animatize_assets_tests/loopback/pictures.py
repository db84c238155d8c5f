"""Pictures that the server hands out: real files, different for every request, and cheap.

Belongs here: the files, good and bad. Does not belong here: how a protocol wraps them.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image

LOOKS = 8
"""How many different drawings there are of one size; a label makes each file unique."""

HUGE_BYTES = 51_000_000
BOMB_SIDE_PX = 30_000


def picture(width: int, height: int, about: str, form: str = "png") -> bytes:
    """Return a whole PNG or JPEG of the size; equal arguments give equal bytes."""
    digest = hashlib.sha256(about.encode()).hexdigest()
    drawn = _drawn(width, height, int(digest[:4], 16) % LOOKS, form)
    return _labelled(drawn, digest, form)


def blank(width: int, height: int) -> bytes:
    """Return a picture on which nothing is to be seen."""
    buffer = BytesIO()
    Image.new("RGB", (width, height), (127, 127, 127)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def huge(width: int, height: int) -> bytes:
    """Return a valid PNG that is larger than anybody should store."""
    return _with_chunk(_drawn(width, height, 0, "png"), b"huGe", bytes(HUGE_BYTES))


def bomb() -> bytes:
    """Return a small PNG that declares more pixels than anybody should decode."""
    good = _drawn(64, 64, 0, "png")
    header = struct.pack(">II", BOMB_SIDE_PX, BOMB_SIDE_PX) + good[24:29]
    return good[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + good[33:]


def not_a_picture() -> bytes:
    """Return bytes that are of no picture format."""
    return b"this is no picture\n" * 40


@lru_cache(maxsize=64)
def _drawn(width: int, height: int, look: int, form: str) -> bytes:
    blocks = np.random.default_rng(look).integers(20, 236, (12, 12, 3), np.uint8)
    # Flat blocks compress to a few kilobytes: the client's work is measured, not the server's.
    drawing = Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)
    buffer = BytesIO()
    if form == "png":
        drawing.save(buffer, "PNG", compress_level=1)
    else:
        drawing.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _labelled(content: bytes, label: str, form: str) -> bytes:
    if form == "png":
        return _with_chunk(content, b"tEXt", b"Comment\0" + label.encode())
    comment = label.encode()
    return content[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + content[2:]


def _with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    chunk = struct.pack(">I", len(body)) + kind + body
    return png[:-12] + chunk + struct.pack(">I", zlib.crc32(kind + body)) + png[-12:]
