"""Where residuals lie and how far they spread, by the size of the job.

Short jobs may vary more than long ones, and a model may lean the other way at either end. So jobs
are cut into bins of equal count by their predicted time; between the middles of the bins, centre
and spread go in straight lines. What a bin says is believed only as far as bins differ by more than
chance: a bin's value is drawn towards that of all jobs (empirical Bayes; DerSimonian and Laird,
1986), so bins add no noise where size does not matter.

Belongs here: the profile. Does not belong here: intervals (``calibration``).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from animatize_assets.records import Measured, Record

Floats = NDArray[np.float64]

JOBS_A_BIN = 50
"""Fewer say little of a spread: its error is 16 % in a bin of 50. Measured against 100 jobs a bin
and 10 bins, on residuals that spread more with the size: coverage at the ends is nearer by half,
and the same where size does not matter."""

MOST_BINS = 20

_NORMAL_80 = 1.2815515655446004
"""Half the width of the middle 80 % of a normal distribution, in deviations."""

_DECILE_VARIANCE = 1.30
"""n times the variance of ln(spread) by the outer deciles of n normal draws: the delta method on
their asymptotic covariance, 2 x 0.1 x (0.9 - 0.1) / (density at 1.28)^2 / (2 x 1.28)^2 = 0.79,
rounded up for tails that are heavier than normal."""

_LEAST_SPREAD = 1e-6
"""Predictions that are exact still divide by something."""


class SizeProfile(Record):
    """Centre and spread of residuals by ln(predicted seconds)."""

    centre: Measured
    """Median of all residuals."""
    spread: Measured
    """Deviation of all, as that of a normal distribution with the same middle 80 %."""
    log_seconds: tuple[Measured, ...]
    """Middles of the bins, ascending; empty when jobs are too few to tell sizes apart."""
    centres: tuple[Measured, ...]
    spreads: tuple[Measured, ...]

    @classmethod
    def learn(cls, residuals: Floats, log_predicted: Floats) -> SizeProfile:
        """Learn the profile of residuals of jobs with these predictions."""
        centre, spread = _centre(residuals), spread_of(residuals)
        count = min(MOST_BINS, residuals.size // JOBS_A_BIN)
        bins = [
            chosen
            for chosen in np.array_split(np.argsort(log_predicted, kind="stable"), max(count, 1))
            if chosen.size
        ]
        middles = [float(np.median(log_predicted[chosen])) for chosen in bins]
        if count < 2 or np.any(np.diff(middles) <= 0):
            return cls(centre=centre, spread=spread, log_seconds=(), centres=(), spreads=())
        sizes = np.array([chosen.size for chosen in bins])
        own_centres = np.array([_centre(residuals[chosen]) for chosen in bins])
        own_spreads = np.array([spread_of(residuals[chosen]) for chosen in bins])
        centres = _drawn_together(own_centres, math.pi / 2 * own_spreads**2 / sizes)
        spreads = np.exp(_drawn_together(np.log(own_spreads), _DECILE_VARIANCE / sizes))
        return cls(
            centre=centre,
            spread=spread,
            log_seconds=tuple(middles),
            centres=tuple(centres.tolist()),
            spreads=tuple(spreads.tolist()),
        )

    def at(self, log_predicted: Floats) -> tuple[Floats, Floats]:
        """Return centre and spread for each prediction; beyond the outer bins, theirs."""
        if not self.log_seconds:
            return np.full_like(log_predicted, self.centre), np.full_like(
                log_predicted, self.spread
            )
        return (
            np.interp(log_predicted, self.log_seconds, self.centres),
            np.interp(log_predicted, self.log_seconds, self.spreads),
        )


def _centre(residuals: Floats) -> float:
    return float(np.median(residuals)) if residuals.size else 0.0


def spread_of(residuals: Floats) -> float:
    """Return the deviation of a normal distribution with the same middle 80 %; never 0."""
    if not residuals.size:
        return _LEAST_SPREAD
    low, high = np.quantile(residuals, (0.1, 0.9))
    return max(float(high - low) / (2 * _NORMAL_80), _LEAST_SPREAD)


def _drawn_together(values: Floats, variances: Floats) -> Floats:
    """Draw each value to the mean of all, the more so the less they differ beyond chance."""
    weights = 1 / variances
    mean = float(np.sum(weights * values) / np.sum(weights))
    excess = float(np.sum(weights * (values - mean) ** 2)) - (values.size - 1)
    between = max(0.0, excess) / float(np.sum(weights) - np.sum(weights**2) / np.sum(weights))
    believed = between / (between + variances)
    drawn: Floats = mean + believed * (values - mean)
    return drawn
