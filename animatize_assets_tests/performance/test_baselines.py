"""What an estimator must beat, and what none can."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.performance.baselines import LastTwoLikeJobs, noise_floor, share_within
from animatize_assets.performance.models import JobParameters, JobRecord, Submission
from animatize_assets_tests.performance.jobs import MONDAY, job

SIZE = {"width": 512, "height": 512, "steps": 20}


def _submitted(after: int, **parameters: object) -> Submission:
    return Submission(
        pipeline_type="image",
        parameters=JobParameters.model_validate(SIZE | parameters),
        submitted_at=MONDAY + timedelta(minutes=after),
    )


def test_it_is_the_mean_of_the_last_two() -> None:
    last = LastTwoLikeJobs(job(number, seconds=10.0 + number) for number in (3, 1, 2, 0))
    assert last.predict(_submitted(10)) == 12.5


def test_jobs_that_end_later_are_not_known() -> None:
    last = LastTwoLikeJobs(job(number, seconds=10.0 + number) for number in range(4))
    assert last.predict(_submitted(1)) == 10.5
    assert last.predict(_submitted(0)) == 10
    assert last.predict(_submitted(-1)) is None


def test_the_nearest_work_counts_before_the_newest() -> None:
    last = LastTwoLikeJobs(
        [
            job(0, seconds=10, parameters=SIZE),
            job(1, seconds=11, parameters=SIZE),
            job(2, seconds=99, parameters=SIZE | {"steps": 200}),
        ]
    )
    assert last.predict(_submitted(5)) == 10.5
    assert last.predict(_submitted(5, steps=25)) == 10.5
    assert last.predict(_submitted(5, steps=200)) == pytest.approx((99 + 11) / 2)


def test_the_worker_counts_then_the_model_then_the_provider() -> None:
    last = LastTwoLikeJobs(
        job(number, seconds=seconds, parameters=SIZE | {"provider": p, "model": m, "worker": w})
        for number, (p, m, w, seconds) in enumerate(
            [("p", "m", "w", 1), ("p", "m", "v", 2), ("p", "n", "w", 3), ("q", "m", "w", 4)]
        )
    )
    assert last.predict(_submitted(9, provider="p", model="m", worker="w")) == 1
    assert last.predict(_submitted(9, provider="p", model="m", worker="new")) == 1.5
    assert last.predict(_submitted(9, provider="p", model="new", worker="w")) == 2.5
    assert last.predict(_submitted(9, provider="new", model="m", worker="w")) == 3.5
    assert last.predict(_submitted(9, job_type="new", provider="q")) == 3.5


def test_failed_jobs_are_not_like_any() -> None:
    last = LastTwoLikeJobs([job(0, seconds=10), job(1, seconds=1, success=False)])
    assert last.predict(_submitted(9)) == 10


def _repeated(chance: np.random.Generator, sigma: float, repeats: int) -> list[JobRecord]:
    return [
        job(
            number,
            seconds=float(number // repeats + 1) * math.exp(sigma * chance.standard_normal()),
            parameters=SIZE | {"steps": number // repeats + 1, "seed": number},
        )
        for number in range(200 * repeats)
    ]


@pytest.mark.parametrize("repeats", [2, 3, 10])
@pytest.mark.parametrize("sigma", [0.12, 0.20])
def test_the_noise_floor_is_what_a_perfect_model_reaches(repeats: int, sigma: float) -> None:
    chance = np.random.default_rng(1)
    perfect = np.mean(np.abs(np.expm1(sigma * chance.standard_normal(200_000))) <= 0.2)
    floor = noise_floor(_repeated(chance, sigma, repeats))
    assert floor == pytest.approx(float(perfect), abs=0.05)


def test_without_repeats_there_is_no_floor() -> None:
    assert noise_floor([]) is None
    assert noise_floor([job(n, parameters=SIZE | {"steps": n + 1}) for n in range(9)]) is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=40),
    st.floats(0.1, 10),
)
def test_a_share_does_not_know_units(pairs: list[tuple[float, float]], unit: float) -> None:
    actual, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    share = share_within(actual, predicted)
    assert 0 <= share <= 1
    near = np.abs(np.abs(predicted / actual - 1) - 0.2) < 1e-9
    if not near.any():
        assert share_within(actual * unit, predicted * unit) == share


def test_within_is_of_the_actual_time() -> None:
    assert share_within([10.0] * 4, [8.0, 12.0, 7.9, 12.1]) == 0.5
