"""A job is compared with like jobs of nearly equal work, whatever else is in the table."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from animatize_assets.performance.bottlenecks.likeness import (
    LIKE,
    elasticity,
    like_groups,
    log_of,
    longer_than_like,
    work,
)
from animatize_assets.performance.store import frame_of, to_row
from animatize_assets_tests.performance.jobs import job

NEIGHBOURS = 7
PRIMES = [n for n in range(200, 2_300) if all(n % d for d in range(2, math.isqrt(n) + 1))]
"""Widths of which no two are equally far from a third, as 500 and 1280 are from 800."""
WIDEST = math.log(2)


def drawn(count: int, seed: int) -> tuple[pd.DataFrame, list[bool], list[bool]]:
    """Return jobs of two models, no two of the same size, and which are suspects and baseline."""
    chance = np.random.default_rng(seed)
    jobs = frame_of(
        to_row(
            job(
                number,
                seconds=float(chance.lognormal(3, 0.5)),
                parameters={
                    "width": int(width),
                    "height": 512,
                    "steps": 20,
                    "model": str(chance.choice(["a", "b"])),
                },
            )
        )
        for number, width in enumerate(chance.choice(PRIMES, count, replace=False))
    )
    is_suspect = chance.random(count) < 0.4
    is_base = chance.random(count) < np.where(is_suspect, 0.1, 0.9)
    return jobs, is_suspect.tolist(), is_base.tolist()


def excess_by_hand(
    jobs: pd.DataFrame, asked: list[bool], base: list[bool], power: float
) -> dict[int, float]:
    """Return ln(seconds) of each asked job over the median of its nearest likes, one by one."""
    x, y = log_of(work(jobs)).tolist(), log_of(jobs["total_time_seconds"]).tolist()
    model = jobs["model"].tolist()
    told = {}
    for one in range(len(jobs)):
        likes = [
            other
            for other in range(len(jobs))
            if base[other]
            and other != one
            and model[other] == model[one]
            and abs(x[other] - x[one]) <= WIDEST
        ]
        if asked[one] and len(likes) >= 2:
            nearest = sorted(likes, key=lambda other: abs(x[other] - x[one]))[:NEIGHBOURS]
            carried = [y[other] + power * (x[one] - x[other]) for other in nearest]
            told[one] = y[one] - statistics.median(carried)
    return told


@settings(max_examples=30, deadline=None)
@given(st.integers(30, 70), st.integers(0, 10_000))
def test_each_job_is_set_against_the_seven_likes_of_nearest_work(count: int, seed: int) -> None:
    jobs, suspects, base = drawn(count, seed)
    is_suspect, is_base = pd.Series(suspects), pd.Series(base)
    usable = is_suspect | is_base
    power = elasticity(
        log_of(jobs["total_time_seconds"])[usable],
        log_of(work(jobs))[usable],
        like_groups(jobs[usable]),
    )
    against = excess_by_hand(jobs, suspects, base, power)
    among = excess_by_hand(jobs, base, base, power)
    # Where most have no likes, effects are estimated instead.
    assume(min(len(against), len(among)) >= 8 and len(against) >= sum(suspects) / 2)
    found = longer_than_like(jobs, jobs["total_time_seconds"], is_suspect, is_base)
    assert found is not None
    assert found.excess.to_dict() == pytest.approx(against)
    assert (found.compared, found.likes) == (len(against), len(among))
    ratio = statistics.median(against.values()) - statistics.median(among.values())
    assert found.ratio == pytest.approx(math.exp(ratio))


def test_jobs_are_alike_when_kind_place_and_known_sizes_agree() -> None:
    sizes = {"width": 512, "height": 512, "steps": 20}
    jobs = frame_of(
        to_row(job(number, parameters=parameters))
        for number, parameters in enumerate(
            (
                {**sizes, "model": "a"},
                {**sizes, "model": "b"},
                {**sizes},
                {**sizes, "model": "a", "width": 1024},
                {**sizes, "model": "a", "frame_count": 4},
                {**sizes},
                {**sizes, "model": "a", "worker": "w"},
            )
        )
    )
    assert like_groups(jobs).tolist() == [0, 1, 2, 0, 3, 2, 0]
    assert like_groups(jobs, (*LIKE, "worker")).tolist() == [0, 1, 2, 0, 3, 2, 4]


def test_jobs_that_all_took_equally_long_do_not_grow_with_their_work() -> None:
    logarithms = pd.Series([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    seconds, group = pd.Series(np.full(10, 2.0)), pd.Series(np.zeros(10, np.int64))
    assert elasticity(seconds, logarithms, group) == 0.0
