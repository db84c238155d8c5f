"""When an estimator is trained anew: for each of the reasons, once, and in calm times never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from animatize_assets.performance.estimator_rows import EstimatorRows, RegisteredEstimator
from animatize_assets.performance.models import JobRecord, Promise
from animatize_assets.performance.retraining_need import (
    LOOKED_AT,
    Asked,
    has_news,
    needs,
    reason_to_train,
)
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import MONDAY, job

BAR = 0.6
LATER = MONDAY + timedelta(days=3)


def version(
    trained_at: datetime = MONDAY, *, number: int = 1, active: bool = True
) -> RegisteredEstimator:
    return RegisteredEstimator(
        model_name="estimator",
        version=str(number),
        model_type="random_forest",
        pipeline_type="image",
        accuracy_score=0.9,
        mean_absolute_error=1.0,
        interval_coverage=0.8,
        baseline_accuracy=0.7,
        training_data_count=100,
        data_hash="0" * 64,
        content_sha256="0" * 64,
        mlflow_run_id=None,
        last_trained_at=trained_at,
        is_active=active,
        promotion_note="",
    )


def told(ratios: Sequence[float], *, first: int = 0) -> list[JobRecord]:
    """Jobs after MONDAY that took so many times what they were told to take."""
    return [
        job(
            number,
            seconds=10.0 * ratio,
            finished_at=MONDAY + timedelta(hours=1, minutes=number),
            promise=Promise(predicted_seconds=10.0, method="ml_model", model="m v1"),
        )
        for number, ratio in enumerate(ratios, first)
    ]


def reason(
    jobs: Sequence[JobRecord], *versions: RegisteredEstimator, now: datetime = LATER
) -> str | None:
    return reason_to_train(jobs, versions, accuracy_bar=BAR, now=now)


def test_thirty_jobs_are_enough_for_the_first() -> None:
    assert reason([job(number) for number in range(29)]) is None
    assert "30 jobs" in (reason([job(number) for number in range(30)]) or "")
    failed = [job(number, success=False) for number in range(30)]
    assert reason(failed) is None


def test_estimates_that_are_worse_than_those_of_the_training_are_a_reason() -> None:
    """Above the bar, and without a change of level: only the spread has grown."""
    spread = [1.0, 1.0, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.7, 1.0, 1.0, 1.5, 1.0, 0.7, 1.0] * 4
    learned = replace(version(), accuracy_score=0.97, training_data_count=2_000)
    why = reason(told(spread), learned)
    assert why == "72 % of the last 50 estimates were within 20 %, 97 % when it was trained."
    assert reason(told(spread), replace(learned, accuracy_score=0.75)) is None
    # Twelve jobs cannot tell 97 % from 72 %.
    assert reason(told(spread), replace(learned, training_data_count=100)) is None
    # Nor is the formula's word held against what was learned.
    by_formula = [
        each.model_copy(
            update={"promise": Promise(predicted_seconds=10.0, method="heuristic", model="m")}
        )
        for each in told(spread)
    ]
    assert reason(by_formula, learned) is None


def test_estimates_below_the_bar_are_a_reason() -> None:
    mixed = [1.5, 1.0, 1.0, 1.5, 1.0] * 10
    assert reason(told(mixed), version()) is None
    assert "58 %" in (reason(told([*mixed[:-1], 1.5]), version()) or "")
    assert reason(told([1.5] * 49), version()) is None  # 49 are no verdict


def test_estimates_of_the_version_before_are_no_reason() -> None:
    jobs = told([1.5] * 60)
    newest = version(jobs[-1].finished_at - timedelta(minutes=20), number=2)
    assert reason(jobs, newest, version(active=False)) is None


def test_a_training_is_given_a_day_and_new_jobs() -> None:
    bad = told([1.5] * 60)
    assert reason(bad, version(), now=MONDAY + timedelta(hours=23)) is None
    assert reason(bad, version()) is not None
    rejected = version(bad[-5].finished_at, number=2, active=False)
    assert reason(bad, rejected, version()) is None


def test_the_jobs_of_a_rejected_training_are_no_reason_again() -> None:
    bad = told([1.5] * 60)
    rejected = version(bad[-1].finished_at, number=2, active=False)
    more = told([1.5] * 49, first=60)
    assert reason([*bad, *more], rejected, version()) is None
    assert reason([*bad, *more], rejected) is None  # a first one, so the formula told them
    fifty = [*bad, *more, *told([1.5], first=109)]
    assert reason(fifty, rejected, version()) is not None


def test_a_change_after_a_rejected_training_is_a_reason_at_once() -> None:
    calm, slower = told([1.0] * 60), told([1.5] * 15, first=60)
    rejected = version(calm[-1].finished_at, number=2, active=False)
    assert "+50 %" in (reason([*calm, *slower], rejected, version()) or "")


def test_only_jobs_since_the_newest_training_are_news(
    store: PerformanceStore, engine: Engine
) -> None:
    rows = EstimatorRows(engine)
    assert has_news(store, rows.versions("image"), "image")
    store.record(*told([1.0] * 40))
    trained = version(MONDAY + timedelta(hours=3), active=False)
    assert not has_news(store, [trained], "image")
    after = {"finished_at": MONDAY + timedelta(hours=4)}
    store.record(job(90, pipeline_type="video", **after), job(91, success=False, **after))
    assert not has_news(store, [trained], "image")
    store.record(job(92, **after))
    assert has_news(store, [trained], "image")


def test_a_change_of_level_within_the_bar_is_a_reason() -> None:
    random = np.random.default_rng(1)
    calm = random.lognormal(0, 0.05, 60)
    slower = random.lognormal(np.log(1.17), 0.05, 30)
    why = reason(told([*calm, *slower]), version())
    assert why is not None
    assert "+1" in why
    # A newer training, though rejected, has seen it.
    jobs = told([*calm, *slower])
    rejected = version(jobs[75].finished_at, number=2, active=False)
    assert reason(jobs, rejected, version()) is None


def test_a_return_to_what_is_told_is_none() -> None:
    assert reason(told([1.25] * 20 + [1.0] * 40), version()) is None


def test_a_small_change_is_none() -> None:
    random = np.random.default_rng(2)
    jobs = told([*random.lognormal(0, 0.02, 80), *random.lognormal(0.05, 0.02, 80)])
    assert reason(jobs, version()) is None


@given(st.integers(0, 10_000), st.integers(60, LOOKED_AT), st.floats(0.01, 0.12))
def test_calm_times_ask_for_nothing(seed: int, count: int, noise: float) -> None:
    ratios = np.random.default_rng(seed).lognormal(0, noise, count)
    assert reason(told(list(ratios)), version()) is None


@pytest.mark.parametrize("ratio", [0.4, 2.5])
def test_it_is_asked_for_once_a_day(store: PerformanceStore, engine: Engine, ratio: float) -> None:
    rows = EstimatorRows(engine)
    store.record(*told([ratio] * 60))
    now = LATER
    found, asked = needs(store, rows, Asked(), accuracy_bar=BAR, now=now)
    assert set(found) == {"image"}
    asked = Asked.model_validate_json(asked.model_dump_json())
    store.record(*told([ratio] * 10, first=60))
    later, asked = needs(store, rows, asked, accuracy_bar=BAR, now=now + timedelta(hours=23))
    assert later == {}
    store.record(*told([ratio] * 10, first=70))
    next_day, asked = needs(store, rows, asked, accuracy_bar=BAR, now=now + timedelta(hours=25))
    assert set(next_day) == {"image"}
    # Without a new job nothing is looked at.
    idle, same = needs(store, rows, asked, accuracy_bar=BAR, now=now + timedelta(days=9))
    assert (idle, same) == ({}, asked)
