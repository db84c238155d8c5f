"""A job that ends tells the metrics how wrong its estimate was and what it used of a GPU."""

from __future__ import annotations

import pytest

from animatize_assets.performance.models import Estimate, ResourceUse, Submission
from animatize_assets_tests.performance.tracked import Watched
from animatize_assets_tests.telemetry.reading import points

IMAGE = ("pipeline_type", "image")
ESTIMATES = frozenset({IMAGE, ("method", "ml_model")})


def told(instrument: str, key: frozenset[tuple[str, object]]) -> tuple[int, float]:
    """How many values an instrument has, and their sum."""
    found = points(instrument).get(key)
    return (found.count, found.sum) if found else (0, 0.0)


def twelve_seconds(_: Submission) -> Estimate:
    return Estimate(
        pipeline_type="image",
        predicted_time_seconds=12.0,
        prediction_method="ml_model",
        model_used="random_forest",
        learned_from=50,
    )


class OnGpu:
    """A sampler of a job that used half of a GPU, or of one that used none."""

    def __init__(self, utilization: float | None) -> None:
        self._utilization = utilization

    def start(self, part_of: object = None) -> OnGpu:
        del part_of
        return self

    def stop(self) -> ResourceUse:
        return ResourceUse(gpu_utilization_avg=self._utilization)


def test_the_error_of_an_estimate_is_relative_to_the_time() -> None:
    count, total = told("animatize.estimate.error", ESTIMATES)
    watched = Watched(estimate=twelve_seconds)
    with watched.tracking.track("job", "image", {}) as job:
        watched.pass_by(10.0)
        job.mark_success()
    after = told("animatize.estimate.error", ESTIMATES)
    assert after == (count + 1, pytest.approx(total + 0.2))


def test_a_job_that_failed_says_nothing_of_its_estimate() -> None:
    before = told("animatize.estimate.error", ESTIMATES)
    watched = Watched(estimate=twelve_seconds)
    with watched.tracking.track("job", "image", {}):
        watched.pass_by(10.0)  # and never marked as a success
    assert not watched.job.success
    assert told("animatize.estimate.error", ESTIMATES) == before


@pytest.mark.parametrize(("per_cent", "more"), [(50.0, (1, 0.5)), (None, (0, 0.0))])
def test_a_gpu_is_told_of_jobs_that_used_one(
    per_cent: float | None, more: tuple[int, float]
) -> None:
    key = frozenset({IMAGE})
    count, total = told("animatize.job.gpu.utilization", key)
    watched = Watched(OnGpu(per_cent))
    with watched.tracking.track("job", "image", {}) as job:
        job.mark_success()
    after = told("animatize.job.gpu.utilization", key)
    assert after == (count + more[0], pytest.approx(total + more[1]))
