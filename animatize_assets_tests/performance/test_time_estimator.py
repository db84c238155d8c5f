"""Estimates know of jobs that have just ended; where they are asked for often, a moment later."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from animatize_assets.performance.estimator import TrainedEstimator
from animatize_assets.performance.models import JobParameters, PipelineType, Submission
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.time_estimator import TimeEstimator
from animatize_assets_tests.performance.jobs import MONDAY, job

ASKED = Submission(
    pipeline_type="image",
    parameters=JobParameters(width=512, height=512, steps=20),
    submitted_at=MONDAY + timedelta(days=1),
)


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _none(_: PipelineType) -> TrainedEstimator | None:
    return None


def test_a_job_that_has_ended_counts_at_the_next_estimate(store: PerformanceStore) -> None:
    estimator = TimeEstimator(store, _none)
    assert estimator.estimate(ASKED).learned_from == 0
    store.record(job(1))
    assert estimator.estimate(ASKED).learned_from == 1


def test_who_looks_seldom_knows_of_it_later(store: PerformanceStore) -> None:
    clock = Clock()
    estimator = TimeEstimator(store, _none, look_every_s=1.0, timer=clock)
    store.record(job(1))
    assert estimator.estimate(ASKED).learned_from == 1
    store.record(job(2))
    clock.seconds = 0.9
    assert estimator.estimate(ASKED).learned_from == 1
    clock.seconds = 1.0
    assert estimator.estimate(ASKED).learned_from == 2


def test_nobody_waits_for_the_one_that_looks(
    store: PerformanceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    estimator = TimeEstimator(store, _none, look_every_s=1.0, timer=clock)
    estimator.estimate(ASKED)
    store.record(job(1))
    clock.seconds = 2.0
    is_looking, may_go_on = threading.Event(), threading.Event()
    newest_id = store.newest_id

    def slow_look() -> int | None:
        is_looking.set()
        assert may_go_on.wait(60)
        return newest_id()

    monkeypatch.setattr(store, "newest_id", slow_look)
    seen: list[int] = []
    looker = threading.Thread(target=lambda: seen.append(estimator.estimate(ASKED).learned_from))
    looker.start()
    assert is_looking.wait(60)
    assert estimator.estimate(ASKED).learned_from == 0
    may_go_on.set()
    looker.join(60)
    assert seen == [1]


def test_many_threads_see_the_same(store: PerformanceStore) -> None:
    estimator = TimeEstimator(store, _none)
    store.record(*[job(number) for number in range(5)])
    told: list[Sequence[object]] = []
    threads = [
        threading.Thread(target=lambda: told.append(estimator.estimate_many([ASKED] * 3)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(told) == 8
    assert all(each == told[0] for each in told)
