"""How often reuse is wrong: a share of reused pictures is made again and compared.

Belongs here: which ones, and what the counts say. Does not belong here: making and comparing
(``sourcing``).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

_Z_95 = 1.959964
"""Two-sided 95 % point of the normal distribution."""


def is_shadowed(key: str, share: float) -> bool:
    """Whether the reuse under ``key`` is made again: the same keys always, ``share`` of all."""
    place = int.from_bytes(hashlib.sha256(f"shadow\n{key}".encode()).digest()[:8])
    return place < share * 2**64


@dataclass(frozen=True)
class FalseHits:
    """Reuses that were compared with a picture of their own, and those found wrong."""

    compared: int
    wrong: int

    @property
    def rate(self) -> float | None:
        """Share of wrong ones, 0..1; None before the first comparison."""
        return self.wrong / self.compared if self.compared else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the share (Wilson, 1927); None before the first comparison."""
        if not self.compared:
            return None
        n, share = self.compared, self.wrong / self.compared
        middle = share + _Z_95**2 / (2 * n)
        half = _Z_95 * math.sqrt(share * (1 - share) / n + _Z_95**2 / (4 * n * n))
        whole = 1 + _Z_95**2 / n
        return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)

    @property
    def sentence(self) -> str:
        """The share as a person reads it."""
        if self.interval is None:
            return "not measured yet"
        low, high = self.interval
        return (
            f"{self.wrong} of {self.compared} ({100 * self.wrong / self.compared:.1f} %, "
            f"95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
        )
