"""How many places would have been enough is what a replay with each number of them says."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from animatize_assets.performance.bottlenecks.findings import Period
from animatize_assets.performance.bottlenecks.queueing import high_queue_time
from animatize_assets.performance.store import frame_of, to_row
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets_tests.performance.jobs import MONDAY, job

LIMIT_S = Thresholds().high_queue_s


def waits(arrivals: list[float], works: list[float], places: int) -> list[float]:
    """Serve first come, first served."""
    free, waited = [0.0] * places, []
    for came, takes in zip(arrivals, works, strict=True):
        first = free.index(min(free))
        begin = max(came, free[first])
        waited.append(begin - came)
        free[first] = begin + takes
    return waited


def is_enough(arrivals: list[float], works: list[float], places: int) -> bool:
    short = [wait <= LIMIT_S for wait in waits(arrivals, works, places)]
    return sum(short) >= 0.95 * len(short)


@pytest.mark.parametrize(("seed", "places", "load"), [(1, 1, 1.3), (2, 2, 2.5), (3, 4, 3.0)])
def test_the_fewest_places_are_named_that_keep_waits_short(
    seed: int, places: int, load: float
) -> None:
    chance, count = np.random.default_rng(seed), 240
    # whole seconds, so that instants lose nothing
    works = np.round(chance.lognormal(np.log(60), 0.6, count)).tolist()
    gap = float(np.mean(works)) / places / load
    arrivals = np.round(np.cumsum(chance.exponential(gap, count))).tolist()
    made = []
    for number, (came, takes, waited) in enumerate(
        zip(arrivals, works, waits(arrivals, works, places), strict=True)
    ):
        begin = MONDAY + timedelta(seconds=came + waited)
        made.append(
            job(
                number,
                submitted_at=begin - timedelta(seconds=waited),
                started_at=begin,
                finished_at=begin + timedelta(seconds=takes),
                queue_time_seconds=waited,
                seconds=takes,
            )
        )
    made.sort(key=lambda each: each.finished_at)
    jobs = frame_of(to_row(each) for each in made)
    found = high_queue_time(Period(jobs, jobs.iloc[:0], Thresholds()))
    assert found is not None
    assert found.metrics["places"] == places
    enough = next(n for n in range(places + 1, 100) if is_enough(arrivals, works, n))
    assert found.metrics.get("places_enough") == (enough if enough <= 8 * places else None)
