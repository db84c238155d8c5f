"""Intervals cover what they say, whatever the residuals look like."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from animatize_assets.performance.calibration import (
    NO_SHIFT,
    WITHIN,
    Calibration,
    Shift,
)
from animatize_assets.performance.left_out import PRIOR_OFFSET, LeftOut

Floats = NDArray[np.float64]

RESIDUALS = st.lists(
    st.floats(-2, 2, allow_nan=False, width=32), min_size=9, max_size=60, unique=True
)
PREDICTED = st.floats(0.01, 1e5, allow_nan=False)


def _calibration(residuals: list[float] | Floats, seconds: float = 10.0) -> Calibration:
    return Calibration.learn(residuals, np.full(len(residuals), seconds))


def _covered(
    calibration: Calibration, predicted: Floats, residuals: Floats, level: float
) -> NDArray[np.bool_]:
    told = calibration.calibrated(predicted)
    low, high = (told.low_80, told.high_80) if level == 0.8 else (told.low_90, told.high_90)
    actual = predicted * np.exp(residuals)
    covered: NDArray[np.bool_] = (low <= actual) & (actual <= high)
    return covered


@pytest.mark.parametrize("level", [0.8, 0.9])
@pytest.mark.parametrize("shape", ["normal", "heavy", "skewed", "two_humps"])
@pytest.mark.parametrize("jobs", [19, 39, 300])
def test_the_interval_covers_its_level_on_exchangeable_residuals(
    level: float, shape: str, jobs: int
) -> None:
    chance = np.random.default_rng(4)
    draws: dict[str, Callable[[int], Floats]] = {
        "normal": lambda n: 0.1 * chance.standard_normal(n),
        "heavy": lambda n: 0.1 * chance.standard_t(2, n),
        "skewed": lambda n: chance.exponential(0.2, n),
        "two_humps": lambda n: chance.choice([-0.3, 0.4], n) + 0.05 * chance.standard_normal(n),
    }
    draw = draws[shape]
    covered = []
    for _ in range(200):
        calibration = _calibration(draw(jobs))
        covered.append(float(_covered(calibration, np.full(100, 10.0), draw(100), level).mean()))
    # split conformal: at least the level, and at most two parts in n + 1 above it
    error = 3 * np.std(covered) / math.sqrt(len(covered))
    assert level - error - 0.01 <= np.mean(covered) <= level + 2 / (jobs + 1) + error + 0.01


def test_exactly_nine_of_ten_orders_are_covered() -> None:
    """Nine residuals and a new one: it is outside their range in 2 of 10 orders."""
    calibration = _calibration([0.1 * number for number in range(1, 10)])
    low, high = calibration.interval(10.0, 0.8) or (math.nan, math.nan)
    assert low == pytest.approx(10 * math.exp(0.1), rel=1e-5)
    assert high == pytest.approx(10 * math.exp(0.9), rel=1e-5)


@settings(deadline=None)
@given(RESIDUALS, PREDICTED, st.tuples(st.floats(0.05, 0.98), st.floats(0.05, 0.98)))
def test_a_higher_level_has_a_wider_interval(
    residuals: list[float], seconds: float, levels: tuple[float, float]
) -> None:
    calibration = _calibration(residuals)
    narrow = calibration.interval(seconds, min(levels))
    wide = calibration.interval(seconds, max(levels))
    assert narrow is not None
    assert wide is not None
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


@settings(deadline=None)
@given(RESIDUALS, PREDICTED, st.floats(0.1, 50))
def test_seconds_or_milliseconds_make_no_difference(
    residuals: list[float], seconds: float, factor: float
) -> None:
    plain = _calibration(residuals).interval(seconds, 0.8)
    scaled = _calibration(residuals, 10 * factor).interval(seconds * factor, 0.8)
    assert plain is not None
    assert scaled is not None
    assert scaled == pytest.approx((plain[0] * factor, plain[1] * factor), rel=1e-4)


@settings(deadline=None)
@given(RESIDUALS, st.randoms(use_true_random=False))
def test_the_order_of_the_residuals_does_not_matter(residuals: list[float], chance: object) -> None:
    shuffled = list(residuals)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _calibration(residuals) == _calibration(shuffled)


@settings(deadline=None)
@given(RESIDUALS, PREDICTED, st.floats(-1, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_what_is_not_known_widens(
    residuals: list[float], seconds: float, offset: float, variance: float, more: float
) -> None:
    calibration = _calibration(residuals)
    known = calibration.interval(seconds, 0.8, shift=Shift(offset, variance))
    unsure = calibration.interval(seconds, 0.8, shift=Shift(offset, variance + more))
    novel = calibration.interval(seconds, 0.8, novel={"worker"})
    assert known is not None
    assert unsure is not None
    assert novel is not None
    assert unsure[1] / unsure[0] >= known[1] / known[0]
    plain = calibration.interval(seconds, 0.8, shift=NO_SHIFT)
    assert plain is not None
    assert novel[1] / novel[0] > plain[1] / plain[0]


def test_slow_is_not_the_mirror_of_fast() -> None:
    calibration = _calibration(np.random.default_rng(1).exponential(0.3, 500))
    low, high = calibration.interval(10.0, 0.8) or (math.nan, math.nan)
    middle = 10 * math.exp(calibration.centre)
    assert math.log(high / middle) > 1.5 * math.log(middle / low)


@pytest.mark.parametrize("spread", ["alike", "short_jobs_vary", "long_jobs_vary", "leaning"])
def test_every_size_is_covered(spread: str) -> None:
    chance = np.random.default_rng(6)

    def draw(jobs: int) -> tuple[Floats, Floats]:
        size = chance.normal(3, 1.2, jobs)
        scale = {
            "short_jobs_vary": np.sqrt(0.05**2 + (0.5 * np.exp(-size / 2)) ** 2),
            "long_jobs_vary": np.clip(0.02 * size, 0.04, None),
        }.get(spread, np.full(jobs, 0.1))
        lean = 0.05 * (size - 3) if spread == "leaning" else 0
        return np.exp(size), lean + scale * chance.standard_normal(jobs)

    shares = []
    for _ in range(10):
        predicted, residuals = draw(3_000)
        calibration = Calibration.learn(residuals, predicted)
        predicted, residuals = draw(10_000)
        covered = _covered(calibration, predicted, residuals, 0.8)
        bins = np.array_split(np.argsort(predicted), 10)
        shares.append([float(covered[chosen].mean()) for chosen in bins])
    in_each = np.mean(shares, axis=0)
    assert np.all((in_each >= 0.75) & (in_each <= 0.85)), in_each


def test_confidence_is_the_share_that_comes_true() -> None:
    chance = np.random.default_rng(8)
    for spread in (0.05, 0.12, 0.3):
        calibration = _calibration(spread * chance.standard_normal(900))
        came_true = np.abs(np.expm1(-spread * chance.standard_normal(100_000))) <= WITHIN
        told = calibration.confidence(10.0)
        assert told == pytest.approx(float(came_true.mean()), abs=0.03)


def test_confidence_is_that_of_the_corrected_time() -> None:
    """All jobs take 1.6 times as long: the plain estimate is hopeless, the corrected one is not."""
    calibration = _calibration(0.05 * np.random.default_rng(2).standard_normal(500))
    corrected = calibration.calibrated(10.0, shift=Shift(math.log(1.6), 0.0, 20))
    assert corrected.seconds[0] == pytest.approx(16)
    assert corrected.low_80[0] < 16 < corrected.high_80[0]
    assert corrected.confidence[0] == calibration.confidence(10.0)
    unsure = calibration.confidence(10.0, shift=Shift(math.log(1.6), 0.2, 1))
    assert unsure is not None
    assert unsure < 0.6


def test_one_call_says_the_same_as_many() -> None:
    chance = np.random.default_rng(5)
    predicted = np.exp(chance.normal(2, 1, 700))
    calibration = Calibration.learn(0.1 * chance.standard_normal(700), predicted)
    told = calibration.calibrated(predicted[:50], novel={"model"})
    for number, seconds in enumerate(predicted[:50]):
        assert calibration.interval(seconds, 0.8, novel={"model"}) == pytest.approx(
            (told.low_80[number], told.high_80[number])
        )
        assert calibration.confidence(seconds, novel={"model"}) == pytest.approx(
            told.confidence[number]
        )


def test_few_residuals_tell_little() -> None:
    for count in (0, 1):
        few = _calibration([0.1] * count)
        assert few.interval(10.0, 0.8) is None
        assert few.confidence(10.0) is None
        assert math.isnan(few.calibrated(10.0).low_80[0])
    two = _calibration([-0.1, 0.1]).interval(10.0, 0.8)
    many = _calibration(np.linspace(-0.14, 0.14, 100)).interval(10.0, 0.8)
    assert two is not None
    assert many is not None
    assert two[1] / two[0] > many[1] / many[0]


def test_two_to_eight_normal_residuals_are_covered() -> None:
    chance = np.random.default_rng(3)
    for jobs in (2, 5, 8):
        hits = []
        for _ in range(1_500):
            low, high = _calibration(0.2 * chance.standard_normal(jobs)).interval(10.0, 0.8) or (
                math.nan,
                math.nan,
            )
            hits.append(low <= 10 * math.exp(0.2 * chance.standard_normal()) <= high)
        assert np.mean(hits) >= 0.77, jobs


def _left_out(groups: int, deviation: float, chance: np.random.Generator) -> LeftOut:
    offsets = deviation * chance.standard_normal(groups)
    names = [f"worker {number}" for number in range(groups) for _ in range(20)]
    return LeftOut(np.repeat(offsets, 20) + 0.1 * chance.standard_normal(groups * 20), names)


def test_a_worker_never_seen_is_covered_by_how_workers_differ() -> None:
    chance = np.random.default_rng(9)
    for deviation in (0.2, 0.5):
        hits = []
        for _ in range(300):
            residuals = 0.1 * chance.standard_normal(200)
            calibration = Calibration.learn(
                residuals,
                np.full(200, 10.0),
                left_out={"worker": _left_out(5, deviation, chance)},
            )
            low, high = calibration.interval(10.0, 0.8, novel={"worker"}) or (0.0, 0.0)
            own = deviation * chance.standard_normal() + 0.1 * chance.standard_normal(20)
            hits.append(np.mean((low <= 10 * np.exp(own)) & (10 * np.exp(own) <= high)))
        assert np.mean(hits) >= 0.75


def test_many_groups_outweigh_the_prior() -> None:
    chance = np.random.default_rng(10)
    learned = Calibration.learn(
        0.1 * chance.standard_normal(200),
        np.full(200, 10.0),
        left_out={"gpu_model": _left_out(200, 0.3, chance)},
    )
    assert learned.offset_deviation({"gpu_model"}) == pytest.approx(0.3, abs=0.06)
    assert learned.offset_deviation({"model"}) > PRIOR_OFFSET
    assert learned.offset_deviation(set()) == 0
    both = learned.offset_deviation({"worker", "gpu_model"})
    assert both == learned.offset_deviation({"worker"})
    assert learned.offset_deviation({"gpu_model", "model"}) > both


def test_what_stays_when_the_offset_is_known_is_told_apart() -> None:
    """Jobs of a group left out may spread more: their sizes are told worse, too."""
    chance = np.random.default_rng(11)
    names = [f"model {number}" for number in range(6) for _ in range(50)]
    for own in (0.1, 0.25):
        learned = Calibration.learn(
            0.1 * chance.standard_normal(900),
            np.full(900, 10.0),
            left_out={"model": LeftOut(0.3 + own * chance.standard_normal(300), names)},
        )
        wanted = math.sqrt(own**2 - 0.1**2)
        assert learned.surplus_deviation({"model"}) == pytest.approx(wanted, abs=0.04)
        assert learned.surplus_deviation({"worker"}) == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=0, max_size=300))
def test_it_is_plain_json(residuals: list[float]) -> None:
    learned = _calibration(residuals)
    assert Calibration.model_validate_json(learned.model_dump_json()) == learned


def test_many_residuals_are_kept_as_quantiles() -> None:
    residuals = np.random.default_rng(7).standard_normal(20_000)
    learned = _calibration(residuals)
    assert learned.count == 20_000
    assert len(learned.scores) < 1_000
    low, high = learned.interval(1.0, 0.8) or (0.0, 0.0)
    assert np.log([low, high]) == pytest.approx(np.quantile(residuals, [0.1, 0.9]), abs=0.03)


@pytest.mark.parametrize(
    ("residuals", "predicted"),
    [([0.1], [1.0, 2.0]), ([math.nan], [1.0]), ([0.1], [0.0]), ([0.1], [math.inf])],
)
def test_what_is_no_residual_is_refused(residuals: list[float], predicted: list[float]) -> None:
    with pytest.raises(ValueError, match=r"residual|Residuals"):
        Calibration.learn(residuals, predicted)


def test_a_level_is_a_probability() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        _calibration([0.1, 0.2]).interval(1.0, 80)
