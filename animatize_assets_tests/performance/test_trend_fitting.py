"""A line is found where one is, and noise is called noise as often as the test promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.performance.change_points import change_points
from animatize_assets.performance.trend_fitting import LEAST_POINTS, Fit, fit

SERIES = 400
"""Of noise: the standard error of a rate of 5 % is then 1.1 %."""


def fitted(values: Any) -> Fit:
    """Fit values of consecutive days that end at 0."""
    numbers = np.asarray(values, dtype=float)
    return fit(np.arange(len(numbers)) - len(numbers) + 0.5, numbers, until=0.0, ahead=7.0)


@pytest.mark.parametrize("days", [7, 14, 28])
def test_noise_is_a_trend_at_most_as_often_as_the_test_allows(days: int) -> None:
    random = np.random.default_rng(days)
    called = [fitted(random.lognormal(3, 0.3, days)).is_trend for _ in range(SERIES)]
    assert np.mean(called) <= 0.05 + 2.5 * 0.011


@pytest.mark.parametrize(("days", "slope"), [(7, 2.0), (14, 0.7), (28, 0.25)])
def test_a_real_slope_is_found(days: int, slope: float) -> None:
    random = np.random.default_rng(days)
    noise = random.normal(0, 1.5, (SERIES, days))
    called = [fitted(50 + slope * np.arange(days) + each).is_trend for each in noise]
    assert np.mean(called) >= 0.9


@pytest.mark.parametrize("slope", [0.0, 1.5])
@pytest.mark.parametrize("days", [7, 21])
def test_the_forecast_interval_holds_what_comes(days: int, slope: float) -> None:
    random = np.random.default_rng(days)
    covered = []
    for _ in range(SERIES):
        values = 50 + slope * np.arange(days + 8) + random.normal(0, 2, days + 8)
        told = fitted(values[:days])
        covered.append(told.low <= values[days + 7] <= told.high)
    assert np.mean(covered) >= 0.75


def test_one_odd_day_moves_no_line() -> None:
    days = np.arange(15.0)
    values = 10 + 0.5 * days
    values[4] = 500
    assert fitted(values).slope == pytest.approx(0.5, abs=0.02)


def test_a_step_is_not_forecast_as_a_slope() -> None:
    random = np.random.default_rng(1)
    values = np.where(np.arange(14) < 8, 10, 20) + random.normal(0, 0.3, 14)
    told = fitted(values)
    assert told.is_trend
    assert told.forecast == pytest.approx(20, abs=1)


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 points"):
        fitted(np.ones(LEAST_POINTS - 1))


numbers = st.lists(st.floats(1, 1e4), min_size=LEAST_POINTS, max_size=30)


@settings(deadline=None)
@given(numbers)
def test_a_mirrored_series_has_the_mirrored_trend(values: list[float]) -> None:
    there, back = fitted(values), fitted([-each for each in values])
    assert back.slope == pytest.approx(-there.slope, abs=1e-6)
    assert back.p_value == pytest.approx(there.p_value)
    assert there.low <= there.forecast <= there.high


@settings(deadline=None)
@given(st.floats(-100, 100), st.integers(LEAST_POINTS, 30))
def test_a_constant_has_no_trend(value: float, days: int) -> None:
    told = fitted([value] * days)
    assert (told.slope, told.p_value, told.is_trend) == (0, 1, False)
    assert told.forecast == told.low == told.high == value


@pytest.mark.parametrize("length", [40, 200])
def test_noise_has_a_change_at_most_as_often_as_the_test_allows(length: int) -> None:
    random = np.random.default_rng(length)
    found = [bool(change_points(random.lognormal(2, 0.5, length))) for _ in range(SERIES)]
    assert np.mean(found) <= 0.01 + 2.5 * 0.005


def test_two_changes_are_found_where_they_are() -> None:
    random = np.random.default_rng(3)
    levels = np.repeat([10.0, 16.0, 12.0], [60, 40, 80])
    found = change_points(levels * random.lognormal(0, 0.1, 180))
    assert [each.position for each in found] == pytest.approx([60, 100], abs=3)
    assert [each.after for each in found] == pytest.approx([16, 12], rel=0.1)
    assert found[0].before == pytest.approx(10, rel=0.1)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), max_size=120))
def test_changes_leave_enough_on_each_side(values: list[float]) -> None:
    found = change_points(np.asarray(values))
    edges = [0, *(each.position for each in found), len(values)]
    assert not found or min(np.diff(edges)) >= 10
