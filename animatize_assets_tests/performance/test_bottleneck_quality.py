"""How often the detectors are right, on labelled traces that know nothing of them.

The jobs are recorded, and judged as the database gives them back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete

from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.performance.bottlenecks.detection import find_bottlenecks
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance import simulator
from animatize_assets_tests.performance.simulated_faults import FAULTS
from animatize_assets_tests.performance.simulator import Trace
from animatize_assets_tests.production import ON_EITHER_DATABASE

pytestmark = ON_EITHER_DATABASE

SEED = 2026
"""Every trace follows from it and its number, so a test tells the same on every run."""
MOST_WRONG = 0.05
"""Of the faults that were injected, missed; of what was reported, wrong: of all kinds together at
any size. Of one kind, the quick size has too few traces for one in twenty, so one may be."""
FALSE_ALARMS_PER_JOB = 1 / 1000


def _reported(store: PerformanceStore, trace: Trace) -> list[str]:
    with store.engine.begin() as connection:
        connection.execute(delete(generation_performance))
        assert store.write(connection, trace.jobs) == len(trace.jobs)
    return [found.type for found in find_bottlenecks(store.frame())]


def _faulty(size: dict[str, int]) -> Iterator[Trace]:
    for fault in FAULTS:
        for number in range(size["traces_per_fault"]):
            yield simulator.faulty(fault, number, SEED)
    for number in range(size["mixtures"]):
        yield simulator.mixed(number, SEED)


@pytest.mark.timeout(1800)
def test_faults_are_found_and_nothing_else(store: PerformanceStore, sizes: dict[str, Any]) -> None:
    hits: Counter[str] = Counter()
    misses: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    told = []
    for trace in _faulty(sizes["bottlenecks"]):
        reported = set(_reported(store, trace))
        hits.update(trace.required & reported)
        misses.update(trace.required - reported)
        wrong.update(reported - trace.required - trace.allowed)
        if missed := trace.required - reported:
            told.append(f"{trace.name}: missed {sorted(missed)}")
        if extra := reported - trace.required - trace.allowed:
            told.append(f"{trace.name}: wrongly {sorted(extra)}")
    for fault in FAULTS:
        injected, reported_in_all = hits[fault] + misses[fault], hits[fault] + wrong[fault]
        print(  # noqa: T201  # the figures, with -s
            f"{fault:24} precision {hits[fault] / max(1, reported_in_all):.3f} "
            f"recall {hits[fault] / injected:.3f} of {injected}"
        )
    assert misses.total() <= MOST_WRONG * (hits.total() + misses.total()), told
    assert wrong.total() <= MOST_WRONG * (hits.total() + wrong.total()), told
    for fault in FAULTS:
        assert misses[fault] <= max(1, MOST_WRONG * (hits[fault] + misses[fault])), told
        assert wrong[fault] <= max(1, MOST_WRONG * (hits[fault] + wrong[fault])), told


@pytest.mark.timeout(1800)
def test_healthy_jobs_raise_no_alarm(store: PerformanceStore, sizes: dict[str, Any]) -> None:
    jobs, told = 0, []
    for trace in simulator.healthy_traces(sizes["bottlenecks"]["healthy_of_each"], SEED):
        jobs += len(trace.jobs)
        told += [(trace.name, name) for name in _reported(store, trace)]
    print(f"{len(told)} false alarms in {jobs} healthy jobs")  # noqa: T201  # as above
    assert len(told) <= FALSE_ALARMS_PER_JOB * jobs, told
