"""What a JPEG says it will send, and the runs of coded bytes that it does send.

Belongs here: reading a JPEG's markers. Does not belong here: decoding its coded bytes, which is
the decoder's work, or judging them (``integrity``).

Source: ITU-T T.81, annexes A.2 (MCUs), B (markers) and G (progression).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from animatize_assets.errors import InvalidImage

_MARKER = re.compile(rb"\xff+[\x01-\xfe]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_RESTARTS = range(0xD0, 0xD8)
_BARE = frozenset({0x01, 0xD8, *_RESTARTS})
_END_OF_IMAGE, _START_OF_SCAN, _RESTART_INTERVAL = 0xD9, 0xDA, 0xDD
_LAST_COEFFICIENT = 63


@dataclass(frozen=True)
class JpegScan:
    """One pass over some components: which coefficients it sends, and where its bytes are."""

    components: tuple[int, ...]
    first_coefficient: int
    last_coefficient: int
    lowest_bit: int
    segments: tuple[tuple[int, int], ...]
    """[start, end) of each run of coded bytes; restart markers separate them."""
    expected_segments: int
    """How many runs the restart interval and the picture's size ask for."""


@dataclass
class JpegScans:
    """A JPEG's frame and its scans, up to its end marker."""

    frame_marker: int = 0
    width: int = 0
    height: int = 0
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Horizontal and vertical sampling factor of each component, by its identifier."""
    scans: list[JpegScan] = field(default_factory=list)

    def unsent(self) -> bool:
        """Tell whether some coefficient of some component was not sent to its last bit."""
        lowest = {
            (component, index): 14 for component in self.sampling for index in range(64)
        }  # 14: above any bit position
        for scan in self.scans:
            for component in scan.components:
                for index in range(scan.first_coefficient, scan.last_coefficient + 1):
                    lowest[component, index] = scan.lowest_bit
        return any(lowest.values())

    def count_units(self, components: tuple[int, ...]) -> int:
        """Count the coding units (MCUs) of a scan over ``components``."""
        widest = max(across for across, _ in self.sampling.values())
        tallest = max(down for _, down in self.sampling.values())
        if len(components) > 1:
            return _blocks(self.width, widest) * _blocks(self.height, tallest)
        across, down = self.sampling[components[0]]
        return _blocks(-(-self.width * across // widest)) * _blocks(
            -(-self.height * down // tallest)
        )


def _blocks(length: int, factor: int = 1) -> int:
    return -(-length // (8 * factor))


def read_scans(content: bytes) -> JpegScans:
    """Read the markers of a JPEG up to its end marker.

    Raises:
        InvalidImage: ``image_body_corrupt``, the markers contradict each other or end early.

    """
    found = JpegScans()
    at, interval = 2, 0
    try:
        while match := _MARKER.search(content, at):
            marker, at = content[match.end() - 1], match.end()
            if marker == _END_OF_IMAGE:
                return found
            if marker in _BARE:
                continue
            body = content[at + 2 : at + _length(content, at)]
            at += _length(content, at)
            if marker in _FRAMES:
                _read_frame(found, marker, body)
            elif marker == _RESTART_INTERVAL:
                (interval,) = struct.unpack_from(">H", body)
            elif marker == _START_OF_SCAN:
                segments = _read_segments(content, at)
                found.scans.append(_read_scan(found, body, segments, interval))
                at = segments[-1][1]
    except (struct.error, IndexError, KeyError, ValueError, ZeroDivisionError) as error:
        raise damaged("its markers contradict each other") from error
    raise damaged("it ends before its end marker")


def damaged(why: str) -> InvalidImage:
    """Make the refusal of a JPEG whose body is not whole."""
    return InvalidImage(
        f"The JPEG file is damaged: {why}; upload it again.", code="image_body_corrupt"
    )


def _length(content: bytes, at: int) -> int:
    (length,) = struct.unpack_from(">H", content, at)
    return max(int(length), 2)


def _read_frame(found: JpegScans, marker: int, body: bytes) -> None:
    _, found.height, found.width, count = struct.unpack_from(">BHHB", body)
    found.frame_marker = marker
    found.sampling = {
        body[6 + 3 * index]: (body[7 + 3 * index] >> 4, body[7 + 3 * index] & 15)
        for index in range(count)
    }


def _read_scan(
    found: JpegScans, body: bytes, segments: tuple[tuple[int, int], ...], interval: int
) -> JpegScan:
    count = body[0]
    components = tuple(body[1 + 2 * index] for index in range(count))
    first, last, approximation = body[1 + 2 * count : 4 + 2 * count]
    units = found.count_units(components)
    return JpegScan(
        components=components,
        first_coefficient=first,
        last_coefficient=min(last, _LAST_COEFFICIENT),
        lowest_bit=approximation & 15,
        segments=segments,
        expected_segments=-(-units // interval) if interval else 1,
    )


def _read_segments(content: bytes, start: int) -> tuple[tuple[int, int], ...]:
    """Find the runs of coded bytes from ``start`` to the next marker that is no restart."""
    segments: list[tuple[int, int]] = []
    for match in _MARKER.finditer(content, start):
        marker = content[match.end() - 1]
        segments.append((start, match.start()))
        if marker not in _RESTARTS:
            return tuple(segments)
        if marker - _RESTARTS.start != (len(segments) - 1) % len(_RESTARTS):
            raise damaged("a piece between two restart markers is missing")
        start = match.end()
    raise damaged("it ends before its end marker")
