"""How good predictions were, once the jobs had ended.

Belongs here: the score and which of two is better. Does not belong here: making predictions
(``evaluation``), what follows from a score (``promotion``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from animatize_assets.performance.calibration import WITHIN
from animatize_assets.performance.models import Count
from animatize_assets.records import Measured, Record, Share


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


def score(actual_seconds: ArrayLike, predicted_seconds: ArrayLike) -> Score:
    """Return the score. A prediction that was not made (NaN) is a miss, and has no error.

    Raises:
        ValueError: there is no job, or no prediction at all.

    """
    actual = np.asarray(actual_seconds, dtype=np.float64)
    off = np.asarray(predicted_seconds, dtype=np.float64) - actual
    if not np.isfinite(off).any():
        raise ValueError("A score needs at least one prediction of a finished job.")
    return Score(
        jobs=actual.size,
        within_20=float(np.mean(np.abs(off) <= WITHIN * actual)),
        mean_absolute_error=float(np.nanmean(np.abs(off))),
        bias=float(np.nanmean(off / actual)),
    )
