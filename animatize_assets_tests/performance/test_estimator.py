"""An estimate tells its method, follows recent jobs, and is the heuristic's until one learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from animatize_assets.errors import InvalidSetting, NotConfigured, NotEnoughJobs
from animatize_assets.performance.estimator import EstimatorState, TrainedEstimator
from animatize_assets.performance.models import JobRecord, PipelineType, Submission
from animatize_assets.performance.predictor import PerformancePredictor
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.time_estimator import TimeEstimator
from animatize_assets.performance.training import train
from animatize_assets_tests.performance.timed_jobs import AFTER, timed_jobs

JOBS = timed_jobs(200)


@pytest.fixture(scope="module")
def trained() -> TrainedEstimator:
    return train(JOBS, "image", model_types=["linear_regression"], now=AFTER)


def _asked(jobs: list[JobRecord], **changed: Any) -> list[Submission]:
    return [
        Submission.of(job).model_copy(
            update={"parameters": job.parameters.model_copy(update=changed)}
        )
        for job in jobs
    ]


def _width(estimates: list[Any]) -> float:
    return float(np.mean([np.log(e.interval_90[1] / e.interval_90[0]) for e in estimates]))


def test_estimates_are_near_and_covered(trained: TrainedEstimator) -> None:
    new = timed_jobs(300, start=200)
    estimates = trained.estimate_many(_asked(new))
    actual = np.array([job.total_time_seconds for job in new])
    predicted = np.array([each.predicted_time_seconds for each in estimates])
    low, high = np.array([each.uncertainty_range for each in estimates]).T
    assert np.mean(np.abs(predicted / actual - 1) <= 0.2) > 0.9
    assert 0.7 < np.mean((low <= actual) & (actual <= high)) < 0.92
    assert {each.prediction_method for each in estimates} == {"ml_model"}
    assert {each.model_used for each in estimates} == {"linear_regression"}


def test_what_is_known_of_earlier_jobs_is_not_predicted_again(
    trained: TrainedEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = timed_jobs(40, start=200)
    asked = _asked(timed_jobs(8, start=240), worker="w0")
    before = trained.recent([*JOBS[-60:], *later[:30]])
    anew = trained.recent([*JOBS[-50:], *later])
    predicted: list[str] = []
    predict = TrainedEstimator.predict_seconds

    def noted(
        self: TrainedEstimator, submissions: list[Submission], medians: list[float | None]
    ) -> Any:
        predicted.extend(str(each.submitted_at) for each in submissions)
        return predict(self, submissions, medians)

    monkeypatch.setattr(TrainedEstimator, "predict_seconds", noted)
    followed = trained.recent([*JOBS[-50:], *later], before)
    assert {str(job.submitted_at) for job in later[30:]} <= set(predicted)
    assert len(predicted) < len(later)
    assert followed.missed == anew.missed
    assert trained.estimate_many(asked, followed) == trained.estimate_many(asked, anew)


def test_many_are_each_as_alone(trained: TrainedEstimator) -> None:
    asked = _asked(JOBS[:6]) + _asked(JOBS[6:9], worker="new", gpu_model="GPU Z")
    recent = trained.recent(JOBS)
    together = trained.estimate_many(asked, recent)
    alone = [trained.estimate(each, recent) for each in asked]
    assert [each.notes for each in together] == [each.notes for each in alone]
    assert [e.predicted_time_seconds for e in together] == pytest.approx(
        [e.predicted_time_seconds for e in alone]
    )
    for one, other in zip(together, alone, strict=True):
        assert one.interval_90 == pytest.approx(other.interval_90)
    assert trained.estimate_many([]) == []


def test_a_stored_state_estimates_the_same(trained: TrainedEstimator) -> None:
    state = EstimatorState.model_validate_json(trained.state.model_dump_json())
    restored = TrainedEstimator.from_state(state, trained.model)
    asked = _asked(timed_jobs(5, start=200))
    assert restored.estimate_many(asked) == trained.estimate_many(asked)


def test_what_was_never_seen_widens_the_interval_and_is_told(trained: TrainedEstimator) -> None:
    known = trained.estimate_many(_asked(JOBS[:20]))
    new = trained.estimate_many(_asked(JOBS[:20], gpu_model="Quantum Z", worker="elsewhere"))
    assert _width(new) > 2 * _width(known)
    assert all("gpu_model" in each.notes[0] for each in new)
    assert not any(each.notes for each in known)


def test_a_note_that_is_new_each_time_widens_nothing(trained: TrainedEstimator) -> None:
    noted = [
        each.model_copy(
            update={
                "parameters": each.parameters.model_copy(
                    update={"extra": dict(each.parameters.extra) | {"note": f"take {number}"}}
                )
            }
        )
        for number, each in enumerate(JOBS)
    ]
    with_notes = train(noted, "image", model_types=["linear_regression"], now=AFTER)
    new = _asked(JOBS[:20], extra={"note": "a take never heard of"})
    estimates = with_notes.estimate_many(new)
    assert not any(each.notes for each in estimates)
    assert _width(estimates) < 1.5 * _width(trained.estimate_many(_asked(JOBS[:20])))


def test_recent_jobs_correct_a_slowdown(trained: TrainedEstimator) -> None:
    slow = timed_jobs(40, start=200, slower=1.6)
    recent = trained.recent([*JOBS[-50:], *slow])
    asked = _asked(timed_jobs(40, start=240))
    plain = trained.estimate_many(asked)
    corrected = trained.estimate_many(asked, recent)
    ratios = [
        after.predicted_time_seconds / before.predicted_time_seconds
        for before, after in zip(plain, corrected, strict=True)
    ]
    assert 1.4 < float(np.median(ratios)) < 1.8
    assert all("corrected" in each.notes[0] for each in corrected)


def test_first_jobs_of_a_new_worker_narrow_its_interval(trained: TrainedEstimator) -> None:
    changed = {"worker": "elsewhere", "gpu_model": "Quantum Z"}
    first = [
        job.model_copy(update={"parameters": job.parameters.model_copy(update=changed)})
        for job in timed_jobs(5, start=200)
    ]
    asked = _asked(timed_jobs(20, start=210), **changed)
    alone = trained.estimate_many(asked, trained.recent(JOBS))
    told = trained.estimate_many(asked, trained.recent([*JOBS, *first]))
    assert _width(told) < _width(alone)
    assert all("New" in each.notes[0] for each in told)


def test_the_heuristic_answers_until_something_is_trained(
    store: PerformanceStore, trained: TrainedEstimator
) -> None:
    in_use: dict[PipelineType, TrainedEstimator] = {}
    estimator = TimeEstimator(store, in_use.get)
    asked = _asked(JOBS[:1])[0]
    first = estimator.estimate(asked)
    assert (first.prediction_method, first.model_used) == ("heuristic", "fallback")
    assert first.uncertainty_range is None
    store.record(*JOBS[:10])
    later = asked.model_copy(update={"submitted_at": JOBS[20].submitted_at})
    assert estimator.estimate(later).uncertainty_range is not None
    in_use["image"] = trained
    assert estimator.estimate(asked).prediction_method == "ml_model"
    video = asked.model_copy(update={"pipeline_type": "video"})
    mixed = estimator.estimate_many([asked, video, asked])
    assert [each.prediction_method for each in mixed] == ["ml_model", "heuristic", "ml_model"]


def test_newer_jobs_are_noticed(store: PerformanceStore, trained: TrainedEstimator) -> None:
    estimator = TimeEstimator(store, {"image": trained}.get)
    asked = _asked(timed_jobs(1, start=260))[0]
    before = estimator.estimate(asked).predicted_time_seconds
    store.record(*timed_jobs(40, start=200, slower=1.6))
    assert estimator.estimate(asked).predicted_time_seconds > 1.3 * before


def test_the_gpu_of_a_worker_is_known_from_its_last_job(
    store: PerformanceStore, trained: TrainedEstimator
) -> None:
    store.record(*JOBS[-20:])
    estimator = TimeEstimator(store, {"image": trained}.get)
    asked = _asked(JOBS[-10:])
    untold = _asked(JOBS[-10:], gpu_model=None)
    assert estimator.estimate_many(untold) == estimator.estimate_many(asked)


class _Shelf:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], TrainedEstimator] = {}

    def save(self, trained: TrainedEstimator) -> str:
        self.kept[trained.card.pipeline_type, "1"] = trained
        return "1"

    def load(self, pipeline_type: PipelineType, version: str | None) -> TrainedEstimator | None:
        return self.kept.get((pipeline_type, version or "1"))


def test_the_predecessor_s_methods_train_predict_save_and_load(store: PerformanceStore) -> None:
    shelf = _Shelf()
    predictor = PerformancePredictor(store, shelf, clock=lambda: AFTER)
    params = {"pipeline_type": "image", "resolution": "512x512", "steps": 30, "gpu_model": "GPU A"}
    assert predictor.predict_generation_time(params)["prediction_method"] == "heuristic"
    with pytest.raises(NotEnoughJobs):
        predictor.train_model("image", "linear_regression")
    store.record(*JOBS)
    row = predictor.train_model("image", "linear_regression")
    assert row["model_type"] == "linear_regression"
    assert 0.8 < row["accuracy_score"] <= 1
    told = predictor.predict_generation_time(params)
    expected = 0.4 * 512**2 / 1e6 * 30
    assert told["model_used"] == "linear_regression"
    assert told["predicted_time_seconds"] == pytest.approx(expected, rel=0.3)
    low, high = told["uncertainty_range"]
    assert low < told["predicted_time_seconds"] < high
    assert predictor.save_model("image") == "1"
    other = PerformancePredictor(store, shelf, clock=lambda: AFTER)
    assert other.load_model("image")
    assert other.predict_generation_time(params) == told
    assert not other.load_model("image", "7")


def test_the_predictor_refuses_what_it_does_not_know(store: PerformanceStore) -> None:
    predictor = PerformancePredictor(store)
    with pytest.raises(InvalidSetting, match="audio"):
        predictor.predict_generation_time({"pipeline_type": "audio"})
    with pytest.raises(InvalidSetting, match="steps"):
        predictor.predict_generation_time({"pipeline_type": "image", "steps": "many"})
    with pytest.raises(InvalidSetting, match="resolution"):
        predictor.predict_generation_time({"pipeline_type": "image", "resolution": "big"})
    with pytest.raises(InvalidSetting, match="oracle"):
        predictor.train_model("image", "oracle")
    with pytest.raises(NotConfigured, match="train one"):
        predictor.save_model("image")
    with pytest.raises(NotConfigured, match="shelf"):
        predictor.load_model("image")
