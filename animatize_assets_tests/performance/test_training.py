"""A training chooses by jobs it has not seen, promotes what is better and says how far it errs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.errors import NotEnoughJobs
from animatize_assets.performance.evaluation import (
    LearningSet,
    combinations_left_out,
    names_left_out,
    rolling_origin,
    rolling_origin_as_new,
)
from animatize_assets.performance.model_types import (
    MODEL_TYPES,
    ModelType,
    fit_model,
    predict_log_seconds,
)
from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.promotion import decide
from animatize_assets.performance.scoring import Score, best_of, score
from animatize_assets.performance.training import data_sha256, train
from animatize_assets_tests.performance.timed_jobs import AFTER, GPUS, timed_jobs

JOBS = timed_jobs(240)


def test_fewer_than_thirty_jobs_are_too_few() -> None:
    with pytest.raises(NotEnoughJobs, match="at least 30") as raised:
        train(timed_jobs(29), "image", now=AFTER)
    assert raised.value.code == "not_enough_jobs"
    with pytest.raises(NotEnoughJobs, match="there are 0"):
        train(timed_jobs(40), "video", now=AFTER)


def test_thirty_jobs_are_enough_for_every_type() -> None:
    trained = train(timed_jobs(30), "image", now=AFTER)
    assert trained.card.scores.keys() == set(MODEL_TYPES)
    assert trained.card.learned_from == 30


def _repeated(jobs: list[JobRecord]) -> list[JobRecord]:
    return [
        job.model_copy(update={"job_id": f"{job.job_id}-{copy}"})
        for job in jobs
        for copy in range(3)
    ]


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_type_learns_from_a_single_job(model_type: str) -> None:
    vector = np.ones((1, 1))
    model = fit_model(model_type, vector, np.array([2.0]))
    assert predict_log_seconds(model, vector) == pytest.approx([2.0], abs=0.5)


def test_jobs_that_are_all_alike_are_told_by_their_own_time() -> None:
    alike = [
        job.model_copy(update={"parameters": JOBS[0].parameters, "total_time_seconds": 7.0})
        for job in JOBS[:30]
    ]
    trained = train(alike, "image", model_types=["linear_regression"], now=AFTER)
    told = trained.estimate(LearningSet.of(alike, "image").submissions[-1])
    assert told.predicted_time_seconds == pytest.approx(7.0)
    assert told.confidence is not None
    assert told.confidence > 0.9


def test_one_other_job_among_likes_does_no_harm() -> None:
    alike = [job.model_copy(update={"parameters": JOBS[0].parameters}) for job in JOBS[:30]]
    trained = train([*alike, *JOBS[31:32]], "image", model_types=["linear_regression"], now=AFTER)
    assert trained.card.learned_from == 31


def test_failed_jobs_teach_nothing() -> None:
    failed = [
        job.model_copy(
            update={"job_id": f"bad-{job.job_id}", "success": False, "total_time_seconds": 1}
        )
        for job in JOBS
    ]
    kinds = ("linear_regression",)
    alone = train(JOBS, "image", model_types=kinds, now=AFTER)
    beside = train([*JOBS, *failed], "image", model_types=kinds, now=AFTER)
    assert beside.card == alone.card


def test_the_same_jobs_give_the_same_estimator_in_any_order() -> None:
    some = JOBS[:60]
    kinds = ("linear_regression", "random_forest")
    first = train(some, "image", model_types=kinds, now=AFTER)
    again = train(some[::-1], "image", model_types=kinds, now=AFTER)
    assert again.state == first.state
    asked = LearningSet.of(JOBS[60:80], "image").submissions
    medians = [None] * len(asked)
    assert np.array_equal(
        first.predict_seconds(asked, medians), again.predict_seconds(asked, medians)
    )


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_single_row_is_predicted_as_among_many(model_type: str) -> None:
    learning = LearningSet.of(JOBS[:80], "image")
    everything = np.arange(len(learning))
    encoder = learning.encoder(everything)
    vectors = learning.vectors(encoder, everything)
    model = fit_model(model_type, vectors, learning.log_seconds)
    again = fit_model(model_type, vectors, learning.log_seconds)
    together = predict_log_seconds(model, vectors)
    assert np.array_equal(together, predict_log_seconds(again, vectors))
    alone = [predict_log_seconds(model, vectors[row : row + 1])[0] for row in range(5)]
    assert together[:5] == pytest.approx(alone)
    assert together == pytest.approx(np.clip(model.predict(vectors), -7, 16))


def test_no_window_learned_from_itself_or_later_jobs() -> None:
    told = rolling_origin(LearningSet.of(JOBS, "image"), ["linear_regression"])
    windows = told["linear_regression"]
    joined = np.concatenate([window.positions for window in windows])
    assert joined.tolist() == list(range(120, 240))
    # A change of what comes later moves no prediction.
    cut = int(windows[-1].positions[0])
    changed = [
        *JOBS[:cut],
        *(job.model_copy(update={"total_time_seconds": 9e4}) for job in JOBS[cut:]),
    ]
    again = rolling_origin(LearningSet.of(changed, "image"), ["linear_regression"])
    for before, after in zip(windows[:-1], again["linear_regression"][:-1], strict=True):
        assert np.array_equal(before.log_predicted, after.log_predicted)
    first = windows[-1].log_predicted[0]
    assert again["linear_regression"][-1].log_predicted[0] == first


def test_windows_are_also_told_as_if_none_of_their_jobs_had_been_run_before() -> None:
    unlike = [
        job.model_copy(
            update={"parameters": job.parameters.model_copy(update={"width": 64 + place})}
        )
        for place, job in enumerate(JOBS)
    ]
    kinds = ("linear_regression",)
    nothing_repeats = rolling_origin_as_new(LearningSet.of(unlike, "image"), kinds)
    assert nothing_repeats["linear_regression"] == []
    learning = LearningSet.of(_repeated(JOBS[:40]), "image")
    told = rolling_origin_as_new(learning, kinds)["linear_regression"]
    assert told
    assert not any(window.is_repeat.any() for window in told)


def test_left_out_combinations_are_each_predicted_once_and_unseen() -> None:
    learning = LearningSet.of(_repeated(JOBS[:40]), "image")
    folds = combinations_left_out(learning, "linear_regression")
    assert sorted(np.concatenate([fold.positions for fold in folds])) == list(range(120))
    assert not any(fold.is_repeat.any() for fold in folds)


def test_a_name_left_out_tells_how_far_it_lies_off() -> None:
    left_out = names_left_out(LearningSet.of(JOBS, "image"))
    assert set(left_out["gpu_model"].groups) == set(GPUS)
    slowest = [
        residual
        for residual, gpu in zip(
            left_out["gpu_model"].residuals, left_out["gpu_model"].groups, strict=True
        )
        if gpu == GPUS[0]
    ]
    # The others are two and three times as fast, and the model saw only those.
    assert math.log(1.5) < np.median(slowest) < math.log(4)


@pytest.mark.parametrize(
    "model_type",
    [
        "linear_regression",
        "random_forest",
        pytest.param("gradient_boosting", marks=pytest.mark.full),  # a quarter of a minute
    ],
)
def test_it_learns_a_known_function_to_its_noise(model_type: ModelType) -> None:
    card = train(timed_jobs(160), "image", model_types=[model_type], now=AFTER).card
    assert card.newest.within_20 > 0.8
    assert card.newest_coverage_80 is not None
    assert 0.5 < card.newest_coverage_80 <= 1
    assert card.baseline is not None
    assert card.promotion.promote
    assert card.newest.is_better_than(card.baseline)


def test_a_worse_estimator_than_the_one_in_use_is_not_promoted() -> None:
    champion = train(timed_jobs(300), "image", model_types=["linear_regression"], now=AFTER)
    candidate = train(
        [*timed_jobs(40, noise=2.0, start=300), *timed_jobs(120, start=340)],
        "image",
        model_types=["random_forest"],
        now=AFTER,
        champion=champion,
    )
    assert candidate.card.champion is not None
    assert candidate.card.newest.jobs == candidate.card.champion.jobs
    assert not candidate.card.promotion.promote
    assert "in use" in candidate.card.promotion.reason


def test_a_champion_is_not_judged_by_jobs_it_learned_from() -> None:
    champion = train(JOBS, "image", model_types=["linear_regression"], now=AFTER)
    again = train(JOBS, "image", model_types=["linear_regression"], now=AFTER, champion=champion)
    assert again.card.champion is None


def _score(share: float, error: float) -> Score:
    return Score(jobs=100, within_20=share, mean_absolute_error=error, bias=0)


def test_promotion_needs_a_share_above_both() -> None:
    good, equal, bad = _score(0.9, 1), _score(0.9, 1), _score(0.5, 3)
    assert decide(good, baseline=bad, champion=bad).promote
    assert decide(good, baseline=None, champion=None).promote
    assert not decide(good, baseline=equal, champion=None).promote
    assert not decide(good, baseline=bad, champion=equal).promote
    assert decide(good, baseline=bad, champion=_score(0.9, 1.5)).promote


def test_a_lead_within_chance_does_not_outweigh_twice_the_error() -> None:
    told = {"sure": _score(0.95, 1.0), "wild": _score(0.96, 2.0), "bad": _score(0.6, 0.1)}
    assert best_of(told) == "sure"


def test_a_score_counts_misses_and_likes() -> None:
    told = score([10, 10, 10, 10], [12, 8, 12.1, np.nan])
    assert told.within_20 == 0.5
    assert told.mean_absolute_error == pytest.approx((2 + 2 + 2.1) / 3, rel=1e-5)
    once = score([10, 10, 10, 10], [10, 10, 10, 20], alike=["a", "a", "a", "b"])
    assert (once.jobs, once.within_20) == (2, 0.5)
    with pytest.raises(ValueError, match="at least one"):
        score([1], [np.nan])


@settings(max_examples=30)
@given(order=st.permutations(range(12)), changed=st.integers(0, 11))
def test_the_data_hash_tells_content_and_not_order(order: list[int], changed: int) -> None:
    some = JOBS[:12]
    assert data_sha256([some[place] for place in order]) == data_sha256(some)
    other = list(some)
    other[changed] = other[changed].model_copy(update={"total_time_seconds": 1.25})
    assert data_sha256(other) != data_sha256(some)


def test_repeats_of_one_combination_do_not_set_the_interval_of_new_ones() -> None:
    def interval(copies: int) -> float:
        wild = [
            job.model_copy(
                update={
                    "job_id": f"{job.job_id}-{copy}",
                    "total_time_seconds": 50 * job.total_time_seconds,
                }
            )
            for job in JOBS[:1]
            for copy in range(copies)
        ]
        jobs = [*JOBS[1:], *wild]
        trained = train(jobs, "image", model_types=["linear_regression"], now=AFTER)
        low, high = trained.unfamiliar.interval(10.0, 0.9) or (0.0, 0.0)
        return high / low

    assert interval(60) < 2 * interval(1)
