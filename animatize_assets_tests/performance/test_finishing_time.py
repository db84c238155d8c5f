"""A list is done when a plain simulation, job by job, says so."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.performance.finishing_time import (
    BatchEstimate,
    PlannedJob,
    finishing_time,
    shared_share,
)
from animatize_assets.performance.models import Estimate

Z_80 = 1.2815515655446004


def _planned(
    seconds: float, number: int = 0, *, spread: float | None = 0.1, provider: str = ""
) -> PlannedJob:
    reach = None if spread is None else math.exp(Z_80 * spread)
    return PlannedJob(
        f"job {number}",
        Estimate(
            pipeline_type="image",
            predicted_time_seconds=seconds,
            uncertainty_range=None if reach is None else (seconds / reach, seconds * reach),
            prediction_method="ml_model",
            model_used="random_forest",
            learned_from=100 + number,
        ),
        provider,
    )


def _listed(jobs: int, spread: float | None = 0.1) -> list[PlannedJob]:
    chance = np.random.default_rng(1)
    return [
        _planned(float(seconds), number, spread=spread)
        for number, seconds in enumerate(chance.lognormal(2, 0.7, jobs))
    ]


def _brute_force(
    planned: list[PlannedJob], places: int, spread: float, shared: float, draws: int
) -> list[float]:
    """Go through the list draw by draw with a queue of free places."""
    chance = np.random.default_rng(99)
    ends = []
    for _ in range(draws):
        common = chance.standard_normal()
        free = [0.0] * places
        for job in planned:
            own = chance.standard_normal()
            score = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
            seconds = job.estimate.predicted_time_seconds * math.exp(spread * score)
            heapq.heappush(free, heapq.heappop(free) + seconds)
        ends.append(max(free))
    return ends


@pytest.mark.parametrize("places", [1, 3, 8])
@pytest.mark.parametrize("shared", [0.0, 0.3, 1.0])
def test_it_agrees_with_brute_force(places: int, shared: float) -> None:
    planned = _listed(40, 0.2)
    told = finishing_time(planned, places, shared=shared, draws=2_000)
    low, middle, high = np.quantile(
        _brute_force(planned, places, 0.2, shared, 2_000), (0.1, 0.5, 0.9)
    )
    assert told.interval_80 is not None
    width = high - low
    assert told.seconds == pytest.approx(middle, abs=0.1 * width)
    assert told.interval_80 == pytest.approx((low, high), abs=0.12 * width)


def test_without_spread_it_is_the_schedule_itself() -> None:
    planned = [
        _planned(seconds, number, spread=None) for number, seconds in enumerate((4, 3, 2, 1))
    ]
    told = finishing_time(planned, 2)
    assert told.seconds == 5
    assert told.interval_80 is None
    assert [(job.start_seconds, job.finish_seconds) for job in told.jobs] == [
        (0, 4),
        (0, 3),
        (3, 5),
        (4, 5),
    ]
    assert told.work_seconds == 10
    assert told.learned_from == 100


def test_one_job_has_its_own_interval() -> None:
    told = finishing_time([_planned(100.0, spread=0.3)], 4, draws=20_000)
    assert told.interval_80 is not None
    assert told.interval_80 == pytest.approx(
        (100 * math.exp(-0.3 * Z_80), 100 * math.exp(0.3 * Z_80)), rel=0.03
    )
    assert told.seconds == pytest.approx(100, rel=0.02)


def test_slow_and_fast_are_told_apart() -> None:
    job = _planned(100.0)
    lopsided = job.estimate.model_copy(update={"uncertainty_range": (95.0, 200.0)})
    told = finishing_time([PlannedJob("one", lopsided)], 1, draws=20_000)
    assert told.interval_80 == pytest.approx((95, 200), rel=0.03)


def _relative_width(told: BatchEstimate) -> float:
    assert told.interval_80 is not None
    low, high = told.interval_80
    return (high - low) / told.seconds


def test_what_jobs_share_does_not_cancel_out() -> None:
    planned = _listed(300)
    apart = finishing_time(planned, 1, shared=0.0)
    together = finishing_time(planned, 1, shared=0.3)
    assert _relative_width(apart) < 0.03
    assert _relative_width(together) > 4 * _relative_width(apart)


def test_providers_work_beside_each_other() -> None:
    planned = [_planned(10.0, number, provider="a", spread=None) for number in range(6)]
    planned += [_planned(10.0, 6 + number, provider="b", spread=None) for number in range(2)]
    assert finishing_time(planned, {"a": 3, "b": 1}).seconds == 20
    assert finishing_time(planned, {"a": 1, "b": 1}).seconds == 60
    with pytest.raises(ValueError, match="how many jobs of b"):
        finishing_time(planned, {"a": 3})


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(0.01, 1e4), min_size=1, max_size=30),
    st.integers(1, 8),
    st.floats(0, 1),
)
def test_bounds_of_every_schedule_hold(seconds: list[float], places: int, shared: float) -> None:
    """Graham (1969): no list ends before its longest job or its share of work, nor much after."""
    plain = [_planned(each, number, spread=None) for number, each in enumerate(seconds)]
    told = finishing_time(plain, places, shared=shared)
    least = max(*seconds, sum(seconds) / places)
    assert least * (1 - 1e-9) <= told.seconds <= least * (2 - 1 / places) * (1 + 1e-9)
    drawn = finishing_time(
        [_planned(each, number) for number, each in enumerate(seconds)], places, shared=shared
    )
    assert drawn.interval_80 is not None
    assert drawn.interval_80[0] <= drawn.seconds <= drawn.interval_80[1]
    assert max(job.finish_seconds for job in drawn.jobs) <= drawn.seconds * (1 + 1e-9)
    assert finishing_time(plain, places, shared=shared) == told


def test_an_empty_list_is_done() -> None:
    told = finishing_time([], 3)
    assert told.seconds == 0
    assert told.interval_80 == (0, 0)
    assert told.jobs == ()


def test_a_share_is_a_share() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        finishing_time(_listed(2), 1, shared=1.5)


@pytest.mark.parametrize("shared", [0.0, 0.25, 0.7])
def test_what_lists_have_in_common_is_measured(shared: float) -> None:
    chance = np.random.default_rng(2)
    lists = np.repeat(np.arange(400), 10)
    residuals = math.sqrt(shared) * chance.standard_normal(400)[lists]
    residuals = residuals + math.sqrt(1 - shared) * chance.standard_normal(4_000)
    told = shared_share(residuals, [str(number) for number in lists])
    assert told == pytest.approx(shared, abs=0.05)


def test_one_list_tells_nothing_of_lists() -> None:
    assert shared_share([0.1, 0.2], ["a", "a"]) is None
    assert shared_share([0.1, 0.2], ["a", "b"]) is None
