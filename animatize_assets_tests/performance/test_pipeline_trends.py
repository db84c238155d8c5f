"""How each pipeline is doing, as the predecessor's clients read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.pipeline_trends import pipeline_trends
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import MONDAY, job

NOW = MONDAY + timedelta(days=28)


def _days(seconds: Sequence[float], *, pipeline: str = "video", jobs: int = 6) -> list[JobRecord]:
    """So many jobs of each of the last days; the last value is of the day that ends NOW."""
    made = []
    for age, each in enumerate(reversed(seconds)):
        for number in range(jobs):
            finished = NOW - timedelta(days=age, hours=1 + 2 * number)
            made.append(
                job(
                    job_id=f"{pipeline}-{age}-{number}",
                    pipeline_type=pipeline,
                    seconds=each + 0.1 * number,
                    finished_at=finished,
                )
            )
    return made


def _trends(store: PerformanceStore, **asked: Any) -> dict[str, Any]:
    return pipeline_trends(store, clock=lambda: NOW, **asked)


def test_without_jobs_there_is_no_pipeline(store: PerformanceStore) -> None:
    assert _trends(store) == {
        "period_days": 7,
        "analysis_date": NOW.isoformat(),
        "trends": {},
    }


def test_each_pipeline_with_jobs_has_the_predecessors_fields(store: PerformanceStore) -> None:
    store.record(*_days([100.0] * 7), *_days([5.0] * 7, pipeline="image"))
    trends = _trends(store)["trends"]
    assert set(trends) == {"image", "video"}
    video = trends["video"]
    assert video["avg_generation_time"] == pytest.approx(100.25)
    assert (video["time_trend"], video["success_rate"], video["total_jobs"]) == ("stable", 1.0, 42)
    assert set(_trends(store, pipeline_type="image")["trends"]) == {"image"}


def test_a_pipeline_that_gets_slower_is_degrading(store: PerformanceStore) -> None:
    store.record(*_days([100.0 + 20 * day for day in range(14)]))
    (video,) = _trends(store, days_back=14)["trends"].values()
    assert video["time_trend"] == "degrading"
    assert {each["metric"] for each in video["metrics"]} >= {"video_generation_time"}


def test_one_day_has_no_trend_yet_and_failures_have_no_time(store: PerformanceStore) -> None:
    failed = [each.model_copy(update={"success": False}) for each in _days([100.0])]
    store.record(*failed)
    (video,) = _trends(store)["trends"].values()
    assert (video["time_trend"], video["avg_generation_time"]) == (None, None)
    assert video["success_rate"] == 0.0


def test_only_the_period_counts(store: PerformanceStore) -> None:
    store.record(*_days([100.0] * 20))
    assert _trends(store, days_back=3)["trends"]["video"]["total_jobs"] == 18
