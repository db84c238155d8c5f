"""How far from its prediction a job may end, as past predictions missed.

A residual is ln(actual / predicted) of a job that the model had not seen. Its quantiles give the
interval: split conformal prediction (Vovk et al. 2005; Lei et al., JASA 2018), so it covers its
level whatever the model, as long as new jobs are like past ones. Residuals are ratios, so short and
long jobs are told alike; what is left of the size is taken out by a centre and a spread per size
("locally weighted" in Lei et al.). Lower and upper quantile are taken apart: slow is not the mirror
of fast.

Where the new job is not like the past ones, the spread grows by what is not known: the offset of a
worker, GPU or model that was never seen, or the error of a correction (``recentring``).

Belongs here: residuals to intervals and confidence. Does not belong here: what recent jobs say
(``recentring``), making residuals (``training``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from animatize_assets.performance.left_out import (
    LeftOut,
    offset_deviation,
    surplus_deviation,
    together,
    untold_deviation,
)
from animatize_assets.performance.models import Count
from animatize_assets.performance.sizes import SizeProfile
from animatize_assets.records import Measured, Record

Floats = NDArray[np.float64]

WITHIN = 0.20
"""An estimate is good when it is off by at most this share of the actual time: the predecessor's
promise, "predictions within 20 % of the actual time"."""

MOST_SCORES = 999
"""Order statistics that are kept; of more residuals, evenly spaced quantiles. At 999 the 80 % and
90 % quantiles are order statistics, and keeping more moves them by less than they are known."""

NOTHING_NOVEL: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Shift:
    """A correction of ln(time): add it to ln(predicted seconds)."""

    log_offset: float = 0.0
    variance: float = 0.0
    """Of the error of the correction itself."""
    jobs: int = 0
    """Finished jobs behind it."""

    def __add__(self, other: Shift) -> Shift:
        """Apply both."""
        return Shift(
            self.log_offset + other.log_offset,
            self.variance + other.variance,
            max(self.jobs, other.jobs),
        )


NO_SHIFT = Shift()


@dataclass(frozen=True)
class CalibratedTimes:
    """Corrected predictions with what is known of their errors; arrays of one length."""

    seconds: Floats
    low_80: Floats
    """NaN where fewer than two jobs ended."""
    high_80: Floats
    low_90: Floats
    high_90: Floats
    confidence: Floats
    """Probability that ``seconds`` are within 20 % of the actual time; NaN as the bounds."""


class Calibration(Record):
    """The residuals of one estimator. Plain JSON; answers are pure functions of it."""

    scores: tuple[Measured, ...]
    """Residuals less the centre of their size, in units of its spread; ascending."""
    count: Count
    """Residuals behind the scores."""
    sizes: SizeProfile
    offsets: Mapping[str, Measured] = {}
    """Field (``worker``, ``gpu_model``, ``model``, ...) -> deviation of the offset in ln(time) of a
    value that was never seen, as that of a normal distribution with the same 90 % interval."""
    surpluses: Mapping[str, Measured] = {}
    """Field -> deviation that jobs of a value never seen have beyond its offset and the spread of
    all: the model knows less of how their time grows with their size. No correction takes it."""

    @classmethod
    def learn(
        cls,
        residuals: ArrayLike,
        predicted_seconds: ArrayLike,
        *,
        left_out: Mapping[str, LeftOut] | None = None,
    ) -> Calibration:
        """Learn from out-of-sample residuals and the predictions that they are of.

        Raises:
            ValueError: they are not of one length, or one is not a finite number.

        """
        missed, predicted = _arrays(residuals, predicted_seconds)
        sizes = SizeProfile.learn(missed, np.log(predicted))
        centre, spread = sizes.at(np.log(predicted))
        scores = np.sort((missed - centre) / spread)
        if scores.size > MOST_SCORES:
            places = np.arange(1, MOST_SCORES + 1) / (MOST_SCORES + 1)
            scores = np.quantile(scores, places, method="weibull")
        left = left_out or {}
        return cls(
            scores=tuple(scores.tolist()),
            count=missed.size,
            sizes=sizes,
            offsets={name: offset_deviation(each, sizes.spread) for name, each in left.items()},
            surpluses={name: surplus_deviation(each, sizes.spread) for name, each in left.items()},
        )

    @property
    def centre(self) -> float:
        """Median residual."""
        return self.sizes.centre

    @property
    def spread(self) -> float:
        """Deviation of the residuals, as that of a normal distribution with the same 80 %."""
        return self.sizes.spread

    def offset_deviation(self, novel: Collection[str]) -> float:
        """Return the deviation of ln(time) between values never seen; 0 when none is novel.

        A worker has one GPU, so of these two the wider counts; everything else adds.
        """
        return together({name: self.offsets.get(name, untold_deviation()) for name in novel})

    def surplus_deviation(self, novel: Collection[str]) -> float:
        """Return the deviation that stays when the offset of values never seen is known."""
        return together({name: self.surpluses.get(name, 0.0) for name in novel})

    def interval(
        self,
        predicted_seconds: float,
        level: float,
        *,
        shift: Shift = NO_SHIFT,
        novel: Collection[str] = NOTHING_NOVEL,
    ) -> tuple[float, float] | None:
        """Return the bounds in seconds that hold with the probability ``level``.

        ``predicted_seconds`` is what the model says; ``shift`` is applied here. ``novel``: fields
        whose value was never seen, less those that ``shift`` speaks for. None: fewer than two
        jobs ended.
        """
        low, high = self._bounds(np.array([predicted_seconds]), level, shift, novel)
        return None if math.isnan(low[0]) else (float(low[0]), float(high[0]))

    def confidence(
        self,
        predicted_seconds: float,
        *,
        shift: Shift = NO_SHIFT,
        novel: Collection[str] = NOTHING_NOVEL,
    ) -> float | None:
        """Return the probability that the corrected prediction is within 20 % of the time."""
        told = float(self._confidences(np.array([predicted_seconds]), shift, novel)[0])
        return None if math.isnan(told) else told

    def calibrated(
        self,
        predicted_seconds: ArrayLike,
        *,
        shift: Shift = NO_SHIFT,
        novel: Collection[str] = NOTHING_NOVEL,
    ) -> CalibratedTimes:
        """Return everything at once for predictions that share their shift and their novelty."""
        predicted = np.atleast_1d(np.asarray(predicted_seconds, dtype=np.float64))
        low_80, high_80 = self._bounds(predicted, 0.80, shift, novel)
        low_90, high_90 = self._bounds(predicted, 0.90, shift, novel)
        return CalibratedTimes(
            seconds=predicted * math.exp(shift.log_offset),
            low_80=low_80,
            high_80=high_80,
            low_90=low_90,
            high_90=high_90,
            confidence=self._confidences(predicted, shift, novel),
        )

    def _bounds(
        self, predicted: Floats, level: float, shift: Shift, novel: Collection[str]
    ) -> tuple[Floats, Floats]:
        low, high = self._score_bounds(level)
        log_predicted = np.log(predicted)
        centre, spread = self._errors(log_predicted, shift, novel)
        middle = log_predicted + shift.log_offset + centre
        return np.exp(middle + low * spread), np.exp(middle + high * spread)

    def _confidences(self, predicted: Floats, shift: Shift, novel: Collection[str]) -> Floats:
        centre, spread = self._errors(np.log(predicted), shift, novel)
        least, most = -math.log1p(WITHIN), -math.log1p(-WITHIN)
        below = self._share_below((least - centre) / spread)
        return np.asarray(self._share_below((most - centre) / spread) - below)

    def _errors(
        self, log_predicted: Floats, shift: Shift, novel: Collection[str]
    ) -> tuple[Floats, Floats]:
        centre, spread = self.sizes.at(log_predicted)
        unknown = math.hypot(
            math.sqrt(shift.variance), self.offset_deviation(novel), self.surplus_deviation(novel)
        )
        return centre, np.hypot(spread, unknown)

    @cached_property
    def _sorted(self) -> Floats:
        return np.array(self.scores)

    def _score_bounds(self, level: float) -> tuple[float, float]:
        """Return the conformal quantiles of the scores.

        Of n exchangeable scores and a new one, the new one is below the k-th with the probability
        k / (n + 1). Where n is too small for the level there is no such k, and a normal
        distribution is assumed (Student's prediction interval).
        """
        if not 0 < level < 1:
            raise ValueError("A level is a probability between 0 and 1, such as 0.8.")
        scores, count = self._sorted, len(self.scores)
        if count < 2:
            return math.nan, math.nan
        # rounded first: 10 * (1 - 0.9) / 2 must not miss an integer by its last bit
        below = math.floor(round((count + 1) * (1 - level) / 2, 9))
        if below >= 1:
            return float(scores[below - 1]), float(scores[count - below])
        low, high = _student_bounds(scores, level)
        return min(low, float(scores[0])), max(high, float(scores[-1]))

    def _share_below(self, score: Floats) -> Floats:
        """Return the probability of a score below each; never 0 or 1, which no sample shows."""
        scores, count = self._sorted, len(self.scores)
        if count < 2:
            return np.full(np.shape(score), math.nan)
        edge = 0.5 / (count + 1)
        ranks = np.arange(1, count + 1) / (count + 1)
        return np.interp(score, scores, ranks, left=edge, right=1 - edge)


def _arrays(residuals: ArrayLike, predicted_seconds: ArrayLike) -> tuple[Floats, Floats]:
    missed = np.asarray(residuals, dtype=np.float64)
    predicted = np.asarray(predicted_seconds, dtype=np.float64)
    if missed.ndim != 1 or missed.shape != predicted.shape:
        raise ValueError("Give one residual and one prediction per job.")
    if not (np.isfinite(missed).all() and np.isfinite(predicted).all() and (predicted > 0).all()):
        raise ValueError("Residuals and predictions are finite numbers, predictions above 0.")
    return missed, predicted


def _student_bounds(scores: Floats, level: float) -> tuple[float, float]:
    """Return Student's interval for one more draw of a normal distribution."""
    from scipy.special import stdtrit

    count = scores.size
    reach = stdtrit(count - 1, (1 + level) / 2) * math.sqrt(1 + 1 / count)
    half = float(reach * np.std(scores, ddof=1))
    return float(np.mean(scores)) - half, float(np.mean(scores)) + half
