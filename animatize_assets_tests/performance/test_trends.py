"""The direction of each metric, in words that are right whichever way is good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from animatize_assets.performance.models import JobRecord, Promise
from animatize_assets.performance.store import frame_of, to_row
from animatize_assets.performance.trends import Trend, find_trends
from animatize_assets_tests.performance.jobs import MONDAY, job

SINCE = MONDAY
DAYS = 14
UNTIL = MONDAY + timedelta(days=DAYS)
PER_DAY = 12


def period(
    known: Callable[[float, np.random.Generator], dict[str, Any]], seed: int = 0
) -> pd.DataFrame:
    """Return two weeks of jobs; ``known`` gives a job's fields, from its age in days."""
    random = np.random.default_rng(seed)
    jobs: list[JobRecord] = []
    for number in range(DAYS * PER_DAY):
        day = (number + 0.5) / PER_DAY
        fields = {"seconds": 20 * random.lognormal(0, 0.1)} | known(day, random)
        jobs.append(job(number, finished_at=SINCE + timedelta(days=day), **fields))
    return frame_of(to_row(each) for each in jobs)


def trends(jobs: pd.DataFrame) -> dict[str, Trend]:
    return {each.metric: each for each in find_trends(jobs, since=SINCE, until=UNTIL)}


def slower(day: float, random: np.random.Generator) -> dict[str, Any]:
    return {"seconds": 20 * 1.03**day * random.lognormal(0, 0.1)}


def faster(day: float, random: np.random.Generator) -> dict[str, Any]:
    return {"seconds": 20 * 0.97**day * random.lognormal(0, 0.1)}


def larger(day: float, random: np.random.Generator) -> dict[str, Any]:
    side = 512 + int(32 * day)
    return {
        "seconds": 20 * (side / 512) ** 2 * random.lognormal(0, 0.1),
        "parameters": {"width": side, "height": side, "steps": 20},
    }


def unsettled(day: float, random: np.random.Generator) -> dict[str, Any]:
    return {"seconds": 20 * (3 if int(day) % 2 else 1) * random.lognormal(0, 0.1)}


def failing_more(day: float, random: np.random.Generator) -> dict[str, Any]:
    return {"success": bool(random.random() > day / 20)}


def waiting_less(day: float, random: np.random.Generator) -> dict[str, Any]:
    return {"queue_time_seconds": (30 - 2 * day) * random.lognormal(0, 0.3)}


def cheaper(day: float, random: np.random.Generator) -> dict[str, Any]:
    return {"cost_usd": 0.08 * 0.95**day}


def estimated_worse(day: float, random: np.random.Generator) -> dict[str, Any]:
    predicted = 20 * (1 + 0.05 * day)
    return {"promise": Promise(predicted_seconds=predicted, method="ml_model")}


@pytest.mark.parametrize(
    ("metric", "known", "direction"),
    [
        ("image_generation_time", slower, "degrading"),
        ("image_generation_time", faster, "improving"),
        ("image_generation_time", larger, "stable"),
        ("image_generation_time", unsettled, "volatile"),
        ("image_success_rate", failing_more, "degrading"),
        ("image_queue_time", waiting_less, "improving"),
        ("image_cost", cheaper, "improving"),
        ("image_prediction_accuracy", estimated_worse, "degrading"),
    ],
)
def test_a_metric_goes_where_its_jobs_go(
    metric: str, known: Callable[..., dict[str, Any]], direction: str
) -> None:
    told = trends(period(known))[metric]
    assert told.direction == direction
    assert 0 <= told.confidence <= 1
    assert told.predicted_low_7d <= told.predicted_value_7d <= told.predicted_high_7d
    assert told.points == DAYS


def test_a_growing_time_is_told_in_numbers() -> None:
    told = trends(period(slower))["image_generation_time"]
    assert told.change_rate == pytest.approx(0.03, abs=0.01)
    assert told.current_value == pytest.approx(20 * 1.03**DAYS, rel=0.1)
    assert told.predicted_value_7d > told.current_value
    assert told.p_value < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_a_steady_fleet_neither_improves_nor_degrades(seed: int) -> None:
    def steady(day: float, random: np.random.Generator) -> dict[str, Any]:
        return {
            "queue_time_seconds": random.exponential(4),
            "success": bool(random.random() > 0.03),
            "cost_usd": 0.04,
        }

    told = trends(period(steady, seed))
    assert set(told) == {
        "image_generation_time",
        "image_success_rate",
        "image_queue_time",
        "image_cost",
    }
    for name in ("image_generation_time", "image_success_rate", "image_cost"):
        assert told[name].direction == "stable"
    assert told["image_queue_time"].direction not in {"improving", "degrading"}


def test_a_sudden_change_is_dated() -> None:
    def sudden(day: float, random: np.random.Generator) -> dict[str, Any]:
        return {"seconds": (20 if day < 9 else 32) * random.lognormal(0, 0.1)}

    told = trends(period(sudden))["image_generation_time"]
    assert [each.at.date() for each in told.changes] == [(SINCE + timedelta(days=9)).date()]
    assert told.changes[0].after / told.changes[0].before == pytest.approx(1.6, rel=0.1)
    assert told.predicted_value_7d == pytest.approx(32, rel=0.1)


def test_pipelines_are_told_apart() -> None:
    def mixed(day: float, random: np.random.Generator) -> dict[str, Any]:
        is_video = random.random() < 0.5
        growth = 1.05**day if is_video else 1.0
        return {
            "pipeline_type": "video" if is_video else "image",
            "seconds": 20 * growth * random.lognormal(0, 0.1),
        }

    told = trends(period(mixed))
    assert told["video_generation_time"].direction == "degrading"
    assert told["image_generation_time"].direction == "stable"


def test_a_few_days_are_no_trend() -> None:
    jobs = period(slower)
    assert (
        find_trends(jobs[jobs["finished_at"] < SINCE + timedelta(days=4)], since=SINCE, until=UNTIL)
        == ()
    )
    assert find_trends(jobs.iloc[:0], since=SINCE, until=UNTIL) == ()


def test_one_day_is_looked_at_in_parts() -> None:
    jobs = period(lambda day, random: {"seconds": 20 * (1 + day) * random.lognormal(0, 0.05)})
    found = find_trends(jobs, since=SINCE, until=SINCE + timedelta(days=3))
    assert {each.metric: each.direction for each in found}["image_generation_time"] == "degrading"
