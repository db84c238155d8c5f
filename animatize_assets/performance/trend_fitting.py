"""The line through a short series, how sure it is, and where it will be.

Belongs here: numbers over time. Does not belong here: what they measure and whether more of it is
good (``trends``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_POINTS = 5
"""With four, the smallest p-value that the test can give is 0.083: nothing could be found."""

SIGNIFICANCE = 0.05

INTERVAL = 0.80
"""Of the forecast, as of the promises."""

_BETTER_STEP = 0.7
"""A step explains the series when it leaves at most this share of the line's residuals."""
_LEAST_FOR_A_STEP = 10
_LEAST_OF_A_STEP = 3
"""Points in all and on each side: in fewer, some step fits any line."""


@dataclass(frozen=True)
class Fit:
    """What is known of a series of values over days."""

    slope: float
    """Per day: Theil and Sen's, the median of the slopes of all pairs."""
    slope_sd: float
    p_value: float
    """Two-sided, of Mann and Kendall's test for any monotone trend."""
    level: float
    """Median of the values."""
    current: float
    """Level at the last day: of the line, of the last step, or the median without a trend."""
    spread: float
    """Robust standard deviation around the line."""
    forecast: float
    low: float
    high: float
    points: int

    @property
    def is_trend(self) -> bool:
        """Whether the values rise or fall by more than chance."""
        return self.p_value < SIGNIFICANCE


def fit(
    days: NDArray[np.floating[Any]],
    values: NDArray[np.floating[Any]],
    *,
    until: float,
    ahead: float,
) -> Fit:
    """Fit a line and forecast it to ``until + ahead`` days.

    Theil and Sen's slope (Sen, JASA 63, 1968) and Mann and Kendall's test, which is Kendall's tau
    against time (exact for short series). Both assume that the points are independent of each
    other: take whole days, so that the hours of a day do not count as a trend. Without a
    significant trend the forecast is the median. A step that explains the series better than a
    line is forecast as the level after it. The interval is the one of a regression (Draper and
    Smith, Applied Regression Analysis, 1.4) around the robust line; where the trend is not
    significant it holds the median's and the line's, because the trend may be there.

    Raises:
        ValueError: fewer than :data:`LEAST_POINTS` points.

    """
    import numpy as np
    from scipy import stats

    if len(values) < LEAST_POINTS:
        raise ValueError(f"A trend needs at least {LEAST_POINTS} points, here are {len(values)}.")
    line = stats.theilslopes(values, days, alpha=0.95)
    p_value = _p_value(days, values)
    level = float(np.median(values))
    around = values - (line.intercept + line.slope * days)
    step, around_step = _step(values)
    current = float(line.intercept + line.slope * until)
    forecast = current + float(line.slope) * ahead
    low = high = forecast
    if np.abs(around_step).sum() < _BETTER_STEP * np.abs(around).sum():
        low = high = current = forecast = step
        around = around_step
    elif p_value >= SIGNIFICANCE:
        low, high = min(level, forecast), max(level, forecast)
        current = forecast = level
    half = _half_width(days, around, until + ahead)
    return Fit(
        slope=float(line.slope),
        slope_sd=float(line.high_slope - line.low_slope) / (2 * float(stats.norm.ppf(0.975))),
        p_value=p_value,
        level=level,
        current=current,
        spread=float(stats.median_abs_deviation(around, scale="normal")),
        forecast=forecast,
        low=low - half,
        high=high + half,
        points=len(values),
    )


def _p_value(days: NDArray[np.floating[Any]], values: NDArray[np.floating[Any]]) -> float:
    import numpy as np
    from scipy import stats

    if np.ptp(values) == 0:
        return 1.0
    return float(stats.kendalltau(days, values).pvalue)


def _step(values: NDArray[np.floating[Any]]) -> tuple[float, NDArray[np.floating[Any]]]:
    """Return the level after the best single step, and the residuals around both levels.

    A short series has no step: one level, with the residuals around it.
    """
    import numpy as np

    if len(values) < _LEAST_FOR_A_STEP:
        return float(np.median(values)), values - np.median(values)

    def residuals(split: int) -> NDArray[np.floating[Any]]:
        sides = (values[:split], values[split:])
        return np.concatenate([side - np.median(side) for side in sides])

    splits = range(_LEAST_OF_A_STEP, len(values) - _LEAST_OF_A_STEP + 1)
    best = min(splits, key=lambda split: float(np.abs(residuals(split)).sum()))
    return float(np.median(values[best:])), residuals(best)


def _half_width(
    days: NDArray[np.floating[Any]], around: NDArray[np.floating[Any]], at: float
) -> float:
    import numpy as np
    from scipy import stats

    count = len(days)
    deviation = float(np.sqrt((around**2).sum() / (count - 2)))
    distance = (at - float(days.mean())) ** 2 / float(((days - days.mean()) ** 2).sum())
    quantile = float(stats.t.ppf((1 + INTERVAL) / 2, count - 2))
    return quantile * deviation * float(np.sqrt(1 + 1 / count + distance))
