"""From records to an estimator in use, and to estimates that are kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from animatize_assets.errors import NotEnoughJobs
from animatize_assets.performance.models import JobParameters, JobRecord, Submission
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets_tests.performance.jobs import MONDAY, job

QUICK = ("linear_regression",)
"""The four types are compared in the tests of training; one is enough to be kept."""


def _jobs(count: int, *, factor: float = 1.0, first: int = 0) -> list[JobRecord]:
    """Jobs whose seconds follow their work, with a noise of 5 %."""
    random = np.random.default_rng(first)
    made = []
    for number in range(first, first + count):
        side, steps = int(random.integers(256, 1025)), int(random.integers(10, 51))
        seconds = factor * (0.5 + 0.6 * side**2 / 1e6 * steps) * float(random.lognormal(0, 0.05))
        parameters = JobParameters(width=side, height=side, steps=steps, frame_count=1)
        made.append(job(number, seconds=seconds, parameters=parameters, every_s=90))
    return made


@pytest.fixture
def room(tmp_path: Path, database_url: str) -> PerformanceRoom:
    return PerformanceRoom(
        database_url=database_url,
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        folder=tmp_path / "performance",
    )


def _asked(side: int, steps: int) -> Submission:
    return Submission(
        pipeline_type="image",
        parameters=JobParameters(width=side, height=side, steps=steps, frame_count=1),
        submitted_at=MONDAY + timedelta(days=1),
    )


def test_jobs_become_an_estimator_and_estimates(room: PerformanceRoom) -> None:
    now = MONDAY + timedelta(days=1)
    room.store.record(*_jobs(29))
    with pytest.raises(NotEnoughJobs, match="there are 29"):
        room.retrain("image", now=now, model_types=QUICK)
    asked = _asked(768, 30)
    assert room.time_estimator.estimate(asked).prediction_method == "heuristic"

    room.store.record(*_jobs(150, first=29))
    done = room.retrain("image", now=now, model_types=QUICK)
    assert done.is_promoted, done.reason
    told = room.time_estimator.estimate(asked)
    assert (told.prediction_method, told.model_version) == ("ml_model", done.registered.version)
    truth = 0.5 + 0.6 * 768**2 / 1e6 * 30
    assert told.predicted_time_seconds == pytest.approx(truth, rel=0.2)
    assert told.uncertainty_range is not None
    low, high = told.uncertainty_range
    assert low < truth < high
    assert room.time_estimator.estimate(asked) == told
    assert PerformanceRoom(
        room.database_url, room.tracking_uri, room.folder
    ).time_estimator.estimate(asked).predicted_time_seconds == pytest.approx(
        told.predicted_time_seconds
    )


def test_one_that_is_no_better_is_kept_out_of_use(room: PerformanceRoom) -> None:
    now = MONDAY + timedelta(days=1)
    room.store.record(*_jobs(180))
    first = room.retrain("image", now=now, model_types=QUICK)
    again = room.retrain("image", now=now + timedelta(hours=1), model_types=QUICK)
    assert first.is_promoted
    active = room.registry.rows.active("image")
    assert active is not None
    assert active.version == (again if again.is_promoted else first).registered.version
    assert {each.version for each in room.registry.rows.versions("image")} == {"1", "2"}


def test_an_estimator_that_cannot_be_loaded_leaves_the_heuristic(
    room: PerformanceRoom, caplog: pytest.LogCaptureFixture
) -> None:
    room.store.record(*_jobs(60))
    done = room.retrain("image", now=MONDAY + timedelta(days=1), model_types=QUICK)
    copies = room.folder / "estimators" / "copies" / done.registered.model_name
    file = copies / done.registered.version / "card.json"
    file.write_text("{}")
    assert done.is_promoted, done.reason
    assert room.time_estimator.estimate(_asked(512, 20)).prediction_method == "heuristic"
    assert "not those that were registered" in caplog.text
