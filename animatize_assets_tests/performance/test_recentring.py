"""Recent jobs shift what is told when they differ by more than chance, and only then."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from animatize_assets.performance.calibration import Calibration, Shift
from animatize_assets.performance.left_out import LeftOut
from animatize_assets.performance.recentring import (
    NEWEST,
    Missed,
    RecentResiduals,
    recent_shift,
    worker_correction,
)

SPREAD = 0.1
SLOWER = math.log(1.6)


def _calibration(chance: np.random.Generator, spread: float = SPREAD) -> Calibration:
    offsets = np.repeat(0.4 * chance.standard_normal(8), 20)
    return Calibration.learn(
        spread * chance.standard_normal(400),
        np.full(400, 10.0),
        left_out={
            "worker": LeftOut(
                offsets + spread * chance.standard_normal(160),
                [str(number // 20) for number in range(160)],
            )
        },
    )


def _replay(
    calibration: Calibration, residuals: NDArray[np.float64], first: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Tell each job from ``first`` on by those before it: covered at 80 %, and the error left."""
    covered, left = [], []
    for number in range(first, residuals.size):
        shift = recent_shift(
            residuals[:number], centre=calibration.centre, spread=calibration.spread
        )
        low, high = calibration.interval(10.0, 0.8, shift=shift) or (math.nan, math.nan)
        covered.append(low <= 10 * math.exp(residuals[number]) <= high)
        left.append(abs(residuals[number] - shift.log_offset))
    return np.array(covered), np.array(left)


@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_a_sudden_slowdown_is_followed_within_twenty_jobs(tails: str) -> None:
    chance = np.random.default_rng(1)

    def draw(jobs: int) -> NDArray[np.float64]:
        return SPREAD * (
            chance.standard_normal(jobs) if tails == "normal" else chance.standard_t(3, jobs)
        )

    coverage = []
    for _ in range(60):
        calibration = Calibration.learn(draw(400), np.full(400, 10.0))
        residuals = np.concatenate((draw(NEWEST), SLOWER + draw(60)))
        covered, _ = _replay(calibration, residuals, NEWEST)
        coverage.append(covered[20:].mean())
    assert np.mean(coverage) > 0.75


def test_calm_times_stay_calm() -> None:
    """Corrections by chance cost less than 3 % of the error, and no coverage."""
    chance = np.random.default_rng(2)
    covers, with_shifts, without = [], [], []
    for _ in range(60):
        calibration = _calibration(chance)
        residuals = SPREAD * chance.standard_normal(NEWEST + 40)
        covered, left = _replay(calibration, residuals, NEWEST)
        covers.append(covered.mean())
        with_shifts.append(left.mean())
        without.append(np.abs(residuals[NEWEST:]).mean())
    assert np.mean(covers) >= 0.77
    assert np.mean(with_shifts) <= 1.03 * np.mean(without)


def test_a_change_by_chance_is_rare() -> None:
    chance = np.random.default_rng(3)
    shortened = [
        recent_shift(chance.standard_normal(NEWEST), centre=0.0, spread=1.0).jobs < NEWEST
        for _ in range(2_000)
    ]
    assert np.mean(shortened) <= 0.01


@settings(deadline=None)
@given(st.integers(0, 9), st.floats(-2, 2))
def test_nine_jobs_show_no_shift(jobs: int, residual: float) -> None:
    assert recent_shift([residual] * jobs, centre=0.0, spread=SPREAD).log_offset == 0


def test_one_wild_job_shifts_nothing() -> None:
    calm = SPREAD * np.random.default_rng(4).standard_normal(30)
    wild = np.append(calm, 5.0)
    plain = recent_shift(calm, centre=0.0, spread=SPREAD)
    shifted = recent_shift(wild, centre=0.0, spread=SPREAD)
    assert shifted.log_offset == pytest.approx(plain.log_offset, abs=SPREAD / 5)


def test_a_burst_is_not_followed() -> None:
    """Four slow jobs in a row among calm ones: the next is told as before."""
    calm = SPREAD * np.random.default_rng(14).standard_normal(40)
    burst = np.append(calm, [SLOWER] * 4)
    shift = recent_shift(burst, centre=0.0, spread=SPREAD)
    assert abs(shift.log_offset) < SPREAD / 2


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=80), st.floats(-1, 1))
def test_a_shift_of_all_is_told_from_the_calibrated_centre(
    residuals: list[float], centre: float
) -> None:
    plain = recent_shift(residuals, centre=0.0, spread=0.3)
    moved = recent_shift([each + centre for each in residuals], centre=centre, spread=0.3)
    assert moved.log_offset == pytest.approx(plain.log_offset, abs=1e-6)


@pytest.mark.parametrize("jobs", [3, 4, 5])
def test_a_new_workers_first_jobs_halve_its_error(jobs: int) -> None:
    chance = np.random.default_rng(5)
    before, after, covered = [], [], []
    for _ in range(300):
        calibration = _calibration(chance)
        own = 0.4 * chance.standard_normal() + SPREAD * chance.standard_normal(jobs + 10)
        shift = worker_correction(
            own[:jobs],
            centre=calibration.centre,
            spread=calibration.spread,
            between=calibration.offset_deviation({"worker"}),
        )
        low, high = calibration.interval(10.0, 0.8, shift=shift) or (0.0, 0.0)
        actual = 10 * np.exp(own[jobs:])
        covered.append(np.mean((low <= actual) & (actual <= high)))
        before.append(np.mean(np.abs(own[jobs:])))
        after.append(np.mean(np.abs(own[jobs:] - shift.log_offset)))
    assert np.mean(after) <= 0.5 * np.mean(before)
    assert 0.75 <= np.mean(covered) <= 0.90


def test_a_correction_takes_the_offset_and_leaves_the_surplus() -> None:
    chance = np.random.default_rng(12)
    covered = []
    for _ in range(300):
        calibration = _calibration(chance)
        own = 0.4 * chance.standard_normal() + 0.2 * chance.standard_normal(14)
        shift = worker_correction(
            own[:4], centre=0.0, spread=SPREAD, between=0.5, surplus=math.sqrt(0.2**2 - SPREAD**2)
        )
        low, high = calibration.interval(10.0, 0.8, shift=shift) or (0.0, 0.0)
        covered.append(np.mean((low <= 10 * np.exp(own[4:])) & (10 * np.exp(own[4:]) <= high)))
    assert 0.75 <= np.mean(covered) <= 0.90


@settings(deadline=None)
@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30),
    st.floats(0.01, 1),
    st.floats(0.01, 2),
)
def test_a_correction_never_goes_beyond_its_jobs(
    residuals: list[float], spread: float, between: float
) -> None:
    shift = worker_correction(residuals, centre=0.0, spread=spread, between=between)
    assert min(0, *residuals) - 1e-9 <= shift.log_offset <= max(0, *residuals) + 1e-9
    assert shift.variance > 0


def test_without_jobs_all_that_is_known_is_how_workers_differ() -> None:
    assert worker_correction([], centre=0.0, spread=SPREAD, between=0.5) == Shift(0.0, 0.25, 0)


def _missed(residuals: list[float], worker: str, *novel: str, model: str = "m") -> list[Missed]:
    return [
        Missed(
            each, {"worker": worker, "gpu_model": worker.upper(), "model": model}, frozenset(novel)
        )
        for each in residuals
    ]


def _groups(worker: str, model: str = "m") -> dict[str, str]:
    return {"worker": worker, "gpu_model": worker.upper(), "model": model}


DEVICE = frozenset({"worker", "gpu_model"})


def test_a_new_worker_is_corrected_by_its_own_jobs_alone() -> None:
    calibration = _calibration(np.random.default_rng(6))
    calm = _missed([0.05, -0.05] * 20, "known")
    new = _missed([0.5] * 4, "new", *DEVICE)
    recent = RecentResiduals(calibration, calm + new)
    assert abs(recent.overall.log_offset) < 0.01
    shift, left = recent.shift(_groups("new"), DEVICE)
    assert shift.log_offset == pytest.approx(0.5, abs=0.05)
    assert left == frozenset()
    other, left = recent.shift(_groups("another"), DEVICE)
    assert (other.log_offset, left) == (recent.overall.log_offset, DEVICE)
    known, _ = recent.shift(_groups("known"))
    assert abs(known.log_offset) < 0.03


def test_a_known_worker_that_slows_down_is_corrected_alone() -> None:
    calibration = _calibration(np.random.default_rng(7))
    jobs = []
    for number in range(40):
        wobble = 0.05 * (-1) ** number
        jobs += _missed([wobble], "a") + _missed([wobble], "b") + _missed([wobble], "c")
        jobs += _missed([SLOWER + wobble if number >= 25 else wobble], "slow")
    recent = RecentResiduals(calibration, jobs)
    slow, _ = recent.shift(_groups("slow"))
    fast, _ = recent.shift(_groups("a"))
    assert slow.log_offset == pytest.approx(SLOWER, abs=0.1)
    assert abs(fast.log_offset) < 0.05


def test_when_all_slow_down_no_worker_holds_them_back() -> None:
    """Soon after the change a worker's own jobs are nearly all of the time before it."""
    calibration = _calibration(np.random.default_rng(8))
    wobble = [0.05, -0.05]
    before = [job for _ in range(30) for name in "abc" for job in _missed(wobble, name)]
    after = [job for _ in range(2) for name in "abc" for job in _missed([SLOWER + 0.01], name)]
    after += [job for name in "abc" for job in _missed([SLOWER - 0.02], name)]
    recent = RecentResiduals(calibration, before + after)
    for name in "abc":
        shift, _ = recent.shift(_groups(name))
        assert shift.log_offset == pytest.approx(SLOWER, abs=0.1)


def test_a_new_model_on_a_known_worker_is_corrected_by_its_jobs() -> None:
    calibration = _calibration(np.random.default_rng(9))
    jobs = _missed([0.05, -0.05] * 20, "a") + _missed([0.7] * 5, "a", "model", model="new")
    shift, left = RecentResiduals(calibration, jobs).shift(
        _groups("a", "new"), frozenset({"model"})
    )
    assert shift.log_offset == pytest.approx(0.7, abs=0.05)
    assert left == frozenset()


def test_what_a_correction_does_not_speak_for_stays_novel() -> None:
    calibration = _calibration(np.random.default_rng(10))
    recent = RecentResiduals(calibration, _missed([0.5] * 4, "new", *DEVICE))
    shift, left = recent.shift(_groups("new", "unheard"), DEVICE | {"model"})
    assert shift.log_offset == pytest.approx(0.5, abs=0.05)
    assert left == {"model"}
