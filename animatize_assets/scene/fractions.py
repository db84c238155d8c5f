"""Shares and positions as fractions, the way every record of this room states them.

Belongs here: the two conversions. Does not belong here: any measurement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def positions(count: int) -> NDArray[np.float64]:
    """Centres of ``count`` cells along a side, as fractions of the side."""
    return (np.arange(count) + 0.5) / count


def as_share(value: float) -> float:
    """``value`` without what rounding of sums may put outside 0..1."""
    return min(1.0, max(0.0, float(value)))
