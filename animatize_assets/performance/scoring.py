"""How good predictions were, once the jobs had ended.

Belongs here: the score and which of two is better. Does not belong here: making predictions
(``evaluation``), what follows from a score (``promotion``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from animatize_assets.performance.calibration import WITHIN
from animatize_assets.performance.models import Count
from animatize_assets.records import Measured, Record, Share

Name = TypeVar("Name", bound=str)


class Score(Record):
    """Of predictions for jobs that the model had not seen."""

    jobs: Count
    within_20: Share = Field(description="share whose prediction missed by at most 20 % of actual")
    mean_absolute_error: Measured = Field(description="seconds")
    bias: Measured = Field(description="mean of (predicted - actual) / actual; above 0: too long")

    def is_better_than(self, other: Score) -> bool:
        """Compare by the share within 20 %, then by the mean absolute error."""
        return self.rank > other.rank

    @property
    def rank(self) -> tuple[float, float]:
        """The higher the better."""
        return self.within_20, -self.mean_absolute_error

    @property
    def share_error(self) -> float:
        """Standard error of the share: what chance may make of it.

        One hit and one miss are added (Laplace), so that not even a share of 1 is certain.
        """
        share = (self.within_20 * self.jobs + 1) / (self.jobs + 2)
        return math.sqrt(share * (1 - share) / (self.jobs + 2))


def best_of(scores: Mapping[Name, Score]) -> Name:
    """Return the name of the best: by the share within 20 %, then by the mean absolute error.

    Shares within one standard error of the highest count as equal to it (the rule of Breiman et
    al., Classification and Regression Trees, 1984): one job in a thousand is no reason to take a
    model whose errors are twice as large.
    """
    highest = max(scores.values(), key=lambda each: each.within_20)
    least = highest.within_20 - highest.share_error
    equal = [name for name, each in scores.items() if each.within_20 >= least]
    return min(equal, key=lambda name: scores[name].mean_absolute_error)


def score(
    actual_seconds: ArrayLike,
    predicted_seconds: ArrayLike,
    *,
    alike: Sequence[str] | NDArray[np.str_] | None = None,
) -> Score:
    """Return the score. A prediction that was not made (NaN) is a miss, and has no error.

    ``alike``: a key per job; jobs of one key then count together as one job.

    Raises:
        ValueError: there is no job, or no prediction at all.

    """
    actual = np.asarray(actual_seconds, dtype=np.float64)
    off = np.asarray(predicted_seconds, dtype=np.float64) - actual
    made = np.isfinite(off)
    if not made.any():
        raise ValueError("A score needs at least one prediction of a finished job.")
    jobs, weight = actual.size, np.ones(actual.size)
    if alike is not None:
        keys, number, times = np.unique(alike, return_inverse=True, return_counts=True)
        jobs, weight = keys.size, 1 / times[number]
    return Score(
        jobs=jobs,
        within_20=float(np.average(np.abs(off) <= WITHIN * actual, weights=weight)),
        mean_absolute_error=float(np.average(np.abs(off[made]), weights=weight[made])),
        bias=float(np.average((off / actual)[made], weights=weight[made])),
    )
