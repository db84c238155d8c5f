"""Shares, positions and percentiles, the way every record of this room states them.

Belongs here: these conversions. Does not belong here: any measurement.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def positions(count: int) -> NDArray[np.float64]:
    """Centres of ``count`` cells along a side, as fractions of the side."""
    return (np.arange(count) + 0.5) / count


def as_share(value: float) -> float:
    """``value`` without what rounding of sums may put outside 0..1."""
    return min(1.0, max(0.0, float(value)))


def percentiles(values: NDArray[Any], low: float, high: float) -> tuple[float, float]:
    """Two percentiles by nearest rank, several times as fast as numpy's own."""
    if values.dtype == np.uint8:
        below = np.cumsum(np.bincount(values.ravel(), minlength=256))
        ranks = [round((values.size - 1) * share / 100) for share in (low, high)]
        first, second = np.searchsorted(below, ranks, side="right")
        return float(first), float(second)
    ordered = np.sort(values, axis=None)
    last = ordered.size - 1
    return float(ordered[round(last * low / 100)]), float(ordered[round(last * high / 100)])
