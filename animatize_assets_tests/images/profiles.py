"""ICC profiles for the tests, the unusual ones made by hand (ICC.1:2001-04)."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageCms


def profile(space: str = "sRGB") -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


def wide_gamut_profile() -> bytes:
    """sRGB's profile with red and green exchanged: valid, and far from doing nothing."""
    content = profile()
    table = {}
    for index in range(int.from_bytes(content[128:132], "big")):
        entry = 132 + 12 * index
        table[content[entry : entry + 4]] = entry
    red, green = table[b"rXYZ"], table[b"gXYZ"]
    swapped = bytearray(content)
    swapped[red + 4 : red + 12] = content[green + 4 : green + 12]
    swapped[green + 4 : green + 12] = content[red + 4 : red + 12]
    return bytes(swapped)


def gray_profile(gamma: float) -> bytes:
    """A gray profile whose tone curve is a power."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile() -> bytes:
    """A CMYK profile of two grid points per ink, with inks that no screen has."""
    paper_and_inks = np.random.default_rng(3).integers(90, 160, (16, 3), dtype=np.uint8)
    paper_and_inks[:, 0] = np.linspace(255, 0, 16)
    straight = bytes(range(256))
    identity = struct.pack(">9i", *[65536 if index % 4 == 0 else 0 for index in range(9)])
    table = b"mft1" + struct.pack(">IBBBx", 0, 4, 3, 2) + identity
    table += straight * 4 + paper_and_inks.tobytes() + straight * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table})


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    white = struct.pack(">iii", 63190, 65536, 54061)  # D50
    tags = {b"wtpt": b"XYZ \0\0\0\0" + white, **tags}
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        body += b"\0" * (-len(body) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    device = b"prtr" if space == b"CMYK" else b"mntr"
    header = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x02400000, device, space, connection
    )
    header = (header + bytes(12) + b"acsp").ljust(68, b"\0") + white
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
