"""When a level changed.

Belongs here: one test, and its repetition on the parts. Does not belong here: what the numbers are
(``trends``).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_SEGMENT = 10
"""Values on each side of a change: with fewer, the test has no power at the usual levels."""


@dataclass(frozen=True)
class ChangePoint:
    """A change of level."""

    position: int
    """The first value after it."""
    before: float
    """Median since the change before."""
    after: float
    """Median until the next change."""
    p_value: float


def change_points(
    values: NDArray[np.floating[Any]], *, significance: float = 0.01, least: int = LEAST_SEGMENT
) -> tuple[ChangePoint, ...]:
    """Return the changes of level of values in time order, earliest first.

    Pettitt's test (Applied Statistics 28, 1979): the split with the most unequal ranks, with his
    approximation of its p-value, which errs on the safe side; repeated on both sides of each split
    that is significant (binary segmentation, Scott and Knott 1974). ``significance`` holds for each
    test. NaN is not allowed.
    """
    import numpy as np

    found: dict[int, float] = {}
    pending = [(0, len(values))]
    while pending:
        first, end = pending.pop()
        if end - first < 2 * least:
            continue
        split, p_value = _pettitt(values[first:end], least)
        if p_value >= significance:
            continue
        found[first + split] = p_value
        pending += [(first, first + split), (first + split, end)]
    edges = [0, *sorted(found), len(values)]
    levels = [float(np.median(values[a:b])) for a, b in itertools.pairwise(edges) if b > a]
    return tuple(
        ChangePoint(position, levels[number], levels[number + 1], found[position])
        for number, position in enumerate(sorted(found))
    )


def _pettitt(values: NDArray[np.floating[Any]], least: int) -> tuple[int, float]:
    """Return the most unequal split that leaves enough on each side, and its p-value."""
    import numpy as np
    from scipy import stats

    count = len(values)
    ranks = stats.rankdata(values)
    size = np.arange(1, count)
    unequal = np.abs(2 * np.cumsum(ranks)[:-1] - size * (count + 1))
    allowed = slice(least - 1, count - least)
    split = int(np.argmax(unequal[allowed])) + least
    height = float(unequal[split - 1])
    return split, min(1.0, 2 * float(np.exp(-6 * height**2 / (count**3 + count**2))))
