"""How often reuse was wrong: reused pictures that were made after all, beside what they replaced.

Belongs here: comparing two pictures, and remembering the counts of every process. Does not belong
here: which reuses are made again (``semantic.shadow``), making them (``sourcing``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.generation.models import ReuseLevel
from animatize_assets.generation.semantic.shadow import FalseHits, is_shadowed
from animatize_assets.images.durable import make_folder, write_whole

COMPARED_SIDE_PX = 16
"""Both pictures are made so small: layout, light and colours stay, grain and detail go."""

DIFFERENT_FROM = 0.15
"""Root mean square difference, 0..1, from which two pictures count as different ones. Two tries of
a provider at one text differ in detail, which a side of 16 px hides; day and night, or a subject
on the other side, differ by more. It cannot see what a picture means: it is a proxy."""

MOST_LINES = 10_000
"""Comparisons that are remembered; the newest."""

LONGEST_LINE = 400
"""Bytes; a line is appended by one write, so that processes do not cut into each other's."""


@dataclass(frozen=True)
class Comparison:
    """A reused picture beside one that was made for the same request."""

    at: str
    """ISO 8601, UTC."""
    image_key: str
    level: ReuseLevel
    difference: float
    """0..1: see :func:`difference`."""
    wrong: bool


class ShadowLog:
    """The comparisons of one data folder, one JSON object a line.

    Safe to use from several threads and processes at once; what a killed process left of a line is
    not counted. When the oldest are dropped, a comparison of that moment may be lost.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, comparison: Comparison) -> None:
        """Remember a comparison.

        Raises:
            StorageFailed: the file could not be written.
        """
        # a line feed before it too: half a line of a killed process must not swallow this one
        line = b"\n" + json.dumps(asdict(comparison), separators=(",", ":")).encode() + b"\n"
        try:
            make_folder(self._file.parent)
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, line)
                is_long = os.fstat(descriptor).st_size > 2 * MOST_LINES * LONGEST_LINE
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageFailed(f"A comparison could not be stored: {error}.") from error
        if is_long:
            newest = list(self._lines())[-MOST_LINES:]
            write_whole(UPath(self._file), b"".join(each + b"\n" for each in newest))

    def counts(self) -> dict[str, FalseHits]:
        """Return what the newest comparisons say, by level."""
        found: dict[str, FalseHits] = {}
        for line in list(self._lines())[-MOST_LINES:]:
            told = _object_of(line)
            level, wrong = told.get("level"), told.get("wrong")
            if isinstance(level, str) and isinstance(wrong, bool):
                before = found.get(level, FalseHits(0, 0))
                found[level] = FalseHits(before.compared + 1, before.wrong + wrong)
        return found

    def _lines(self) -> Iterator[bytes]:
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageFailed(f"The comparisons could not be read: {error}.") from error
        yield from (line for line in content.split(b"\n") if line)


@dataclass(frozen=True)
class Shadow:
    """Which reuses are made again, and what came of it. ``share`` is of all reuses, 0..1."""

    log: ShadowLog
    share: float
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def wants(self, fingerprint: str, level: ReuseLevel) -> bool:
        """Whether this reuse is made again. One of the very same request is not: it is right."""
        return level != "exact" and is_shadowed(fingerprint, self.share)

    def compare(self, image_key: str, level: ReuseLevel, reused: bytes, made: bytes) -> Comparison:
        """Compare what was reused with what was made, and remember it.

        Raises:
            StorageFailed: it could not be remembered.
        """
        apart = difference(reused, made)
        comparison = Comparison(
            at=self.clock().astimezone(UTC).isoformat(timespec="seconds"),
            image_key=image_key,
            level=level,
            difference=round(apart, 4),
            wrong=apart >= DIFFERENT_FROM,
        )
        self.log.write(comparison)
        return comparison


def difference(one: bytes, other: bytes) -> float:
    """Return the root mean square difference of two verified pictures at 16 x 16 px, 0..1."""
    return float(np.sqrt(np.mean((_small(one) - _small(other)) ** 2)))


def _small(content: bytes) -> np.ndarray:
    with Image.open(BytesIO(content)) as picture:
        side = (COMPARED_SIDE_PX, COMPARED_SIDE_PX)
        small = picture.convert("RGB").resize(side, Image.Resampling.BOX)
    return np.asarray(small, np.float64) / 255


def _object_of(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line; empty for what a killed process left of one."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
