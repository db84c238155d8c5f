"""What is not known of a worker, GPU or model that was never seen.

Told by leaving out those that were seen, one after the other: models that learned without any job
of a group predict its jobs. Their median residual is the group's offset; how far offsets lie from 0
is what a new group must be allowed.

Belongs here: deviations from residuals of groups left out. Does not belong here: leaving out
(``evaluation``), intervals (``calibration``), corrections by a group's own jobs (``recentring``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animatize_assets.performance.sizes import spread_of

Floats = NDArray[np.float64]

PRIOR_OFFSET = 0.7
"""Deviation of ln(time) between GPUs, and between models, before any was left out. In the public
timings that the benchmark replays, a fit of ln(seconds per megapixel step frame) by model and GPU
gives 0.67 and 0.72 between GPUs and 0.45 and 0.89 between models (pictures and videos)."""

PRIOR_GROUPS = 1
"""Weight of the prior, in groups left out."""

_LEAST_DF = 3
"""Degrees of freedom below which a t distribution has no deviation to speak of."""


@dataclass(frozen=True)
class LeftOut:
    """Residuals of jobs predicted by models that had seen no job of the same group."""

    residuals: Sequence[float] | Floats
    groups: Sequence[str]
    """The worker, GPU or model of each."""


def offset_deviation(left: LeftOut, spread: float) -> float:
    """Return the deviation of a new group's offset, by those of the groups left out.

    The mean square of the groups' median residuals, less what the jobs' own spread adds to it,
    with :data:`PRIOR_OFFSET` as one more group; widened as Student's t, for groups are few.
    """
    residuals = np.asarray(left.residuals, dtype=np.float64)
    names = np.asarray(left.groups)
    squares = []
    for name in dict.fromkeys(left.groups):
        own = residuals[names == name]
        median_variance = math.pi / 2 * spread**2 / own.size
        squares.append(max(0.0, float(np.median(own)) ** 2 - median_variance))
    weight = PRIOR_GROUPS + len(squares)
    mean_square = (PRIOR_GROUPS * PRIOR_OFFSET**2 + sum(squares)) / weight
    return math.sqrt(mean_square) * _student_widening(weight)


def surplus_deviation(left: LeftOut, spread: float) -> float:
    """Return how far jobs of a group left out spread beyond its median and the spread of all.

    A median has the jobs themselves in it; the factor sqrt(k / (k - 1)) of k jobs makes up for it.
    """
    residuals = np.asarray(left.residuals, dtype=np.float64)
    names = np.asarray(left.groups)
    groups = [residuals[names == name] for name in dict.fromkeys(left.groups)]
    about = [
        (own - np.median(own)) * math.sqrt(own.size / (own.size - 1))
        for own in groups
        if own.size > 1
    ]
    if not about:
        return 0.0
    return math.sqrt(max(0.0, spread_of(np.concatenate(about)) ** 2 - spread**2))


def together(deviations: Mapping[str, float]) -> float:
    """Add up in squares, but of a worker and its GPU take the wider."""
    device = max(deviations.get("worker", 0.0), deviations.get("gpu_model", 0.0))
    others = (each for name, each in deviations.items() if name not in {"worker", "gpu_model"})
    return math.hypot(device, *others)


def untold_deviation() -> float:
    """Return the deviation of an offset of which nothing was left out: the prior."""
    return PRIOR_OFFSET * _student_widening(PRIOR_GROUPS)


def _student_widening(groups: int) -> float:
    """Return how much wider than a normal's the 90 % interval is with as many groups."""
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(max(_LEAST_DF, groups), 0.95) / ndtri(0.95))
