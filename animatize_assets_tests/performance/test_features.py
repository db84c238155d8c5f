"""Only what is known at submission becomes a feature, and every submission becomes a vector."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.performance.encoding import EncoderState, FeatureEncoder
from animatize_assets.performance.features import (
    NUMBERS,
    complexity,
    log_work,
    numbers_of,
    words_of,
)
from animatize_assets.performance.models import (
    JobParameters,
    JobRecord,
    Phase,
    Promise,
    ResourceUse,
    Submission,
)
from animatize_assets.performance.recent_jobs import RecentLikeJobs
from animatize_assets_tests.performance.jobs import MONDAY, job
from animatize_assets_tests.performance.timed_jobs import timed_jobs

LEARNED = timed_jobs(60)
KNOWN_BEFORE = frozenset(Submission.model_fields)

seconds = st.floats(0.01, 1e5)
percent = st.none() | st.floats(0, 100)
AFTERWARDS: dict[str, st.SearchStrategy[Any]] = {
    "job_id": st.text(min_size=1, max_size=20),
    "started_at": st.none() | st.just(MONDAY + timedelta(days=40)),
    "finished_at": st.integers(0, 10**6).map(lambda s: MONDAY + timedelta(days=50, seconds=s)),
    "queue_time_seconds": st.none() | seconds,
    "total_time_seconds": seconds,
    "phases": st.just(()) | st.just((Phase(name="processing", seconds=3),)),
    "resources": st.builds(
        ResourceUse,
        gpu_model=st.none() | st.just("measured GPU"),
        gpu_utilization_avg=percent,
        cpu_utilization_avg=percent,
        vram_total_mb=st.none() | st.floats(1, 1e6),
    ),
    "retries": st.integers(0, 5),
    "success": st.booleans(),
    "error_type": st.none() | st.just("ProviderError"),
    "error_details": st.none() | st.text(max_size=20),
    "user_rating": st.none() | st.integers(1, 5),
    "cost_usd": st.none() | st.floats(0, 100),
    "promise": st.none() | st.just(Promise(predicted_seconds=1, method="heuristic")),
    "run_id": st.none() | st.just("run"),
    "partition_key": st.none() | st.just("key"),
}


def _encoder() -> FeatureEncoder:
    submissions = [Submission.of(each) for each in LEARNED]
    return FeatureEncoder.fit(submissions, RecentLikeJobs(LEARNED).medians(submissions))


ENCODER = _encoder()
RECENT = RecentLikeJobs(LEARNED)


def _vector(finished: JobRecord) -> list[float]:
    submission = Submission.of(finished)
    return ENCODER.encode(submission, RECENT.median(submission)).tolist()


def test_every_field_is_either_known_before_or_changed_by_the_test() -> None:
    assert frozenset(JobRecord.model_fields) == KNOWN_BEFORE | AFTERWARDS.keys()


@given(changed=st.fixed_dictionaries(AFTERWARDS))
def test_nothing_that_is_known_only_afterwards_reaches_the_vector(changed: dict[str, Any]) -> None:
    before = LEARNED[30]
    assert _vector(before.model_copy(update=changed)) == _vector(before)


def test_what_is_known_before_does_reach_the_vector() -> None:
    known = LEARNED[30].parameters
    for changed in ({"width": 2048}, {"steps": 99}, {"gpu_model": "GPU A"}, {"gpu_model": None}):
        other = LEARNED[30].model_copy(
            update={"parameters": known.model_copy(update=dict(changed))}
        )
        expected_same = changed.get("gpu_model") == known.gpu_model
        assert (_vector(other) == _vector(LEARNED[30])) == expected_same


@settings(max_examples=40)
@given(later=st.lists(st.tuples(st.integers(1, 10**6), seconds), max_size=20))
def test_jobs_that_had_not_finished_do_not_move_the_recent_median(
    later: list[tuple[int, float]],
) -> None:
    asked = Submission.of(LEARNED[30])
    recent = RecentLikeJobs(LEARNED)
    before = recent.median(asked)
    for number, (after_s, took) in enumerate(later):
        recent.add(
            job(
                1000 + number,
                seconds=took,
                finished_at=asked.submitted_at + timedelta(seconds=after_s),
                parameters=asked.parameters,
            )
        )
    assert before is not None
    assert recent.median(asked) == before


def test_the_recent_median_is_that_of_like_jobs_scaled_to_the_work() -> None:
    small = {"width": 1000, "height": 1000, "steps": 10}
    recent = RecentLikeJobs(
        job(number, seconds=10.0 + number, parameters=small) for number in (0, 1, 2)
    )
    recent.add(job(3, seconds=500, parameters=small, success=False))
    recent.add(job(4, seconds=500, parameters=small | {"model": "other"}))
    asked = job(50, parameters=small | {"steps": 20})
    assert recent.median(Submission.of(asked)) == pytest.approx(2 * 11.0)
    assert recent.median(Submission.of(job(50, parameters=small | {"model": "new"}))) is None


def test_there_are_at_least_fifteen_features_without_names() -> None:
    assert len(NUMBERS) >= 15
    told = numbers_of(Submission.of(LEARNED[0]), 3.0)
    assert len(told) == len(NUMBERS)


def test_formulas_are_those_that_are_stated() -> None:
    parameters = JobParameters(
        width=1000, height=500, steps=20, frame_count=4, batch_size=3, guidance_scale=7.5
    )
    assert math.exp(log_work(parameters)) == pytest.approx(0.5 * 20 * 4)
    assert complexity(parameters) == pytest.approx(math.log(1 + 0.5 * 20 * 4 * 3 * 2))
    twice = parameters.model_copy(update={"sampler": "k_heun"})
    assert log_work(twice) - log_work(parameters) == pytest.approx(math.log(2))


def test_words_of_a_name_are_shared_by_its_relatives() -> None:
    assert words_of("NVIDIA H100 PCIe") & words_of("NVIDIA-H100") == {"nvidia", "h100"}


names = st.none() | st.text(min_size=1, max_size=30)
extras = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False),
    max_size=4,
)
any_parameters = st.builds(
    JobParameters,
    width=st.none() | st.integers(1, 20_000),
    height=st.none() | st.integers(1, 20_000),
    frame_count=st.none() | st.integers(1, 10_000),
    steps=st.none() | st.integers(1, 1000),
    guidance_scale=st.none() | st.floats(0, 100),
    sampler=names,
    batch_size=st.none() | st.integers(1, 100),
    model=names,
    gpu_model=names,
    vram_total_mb=st.none() | st.floats(0, 1e6),
    worker=names,
    extra=extras,
)


@given(parameters=any_parameters, recent=st.none() | seconds)
def test_unseen_names_and_missing_values_are_ordinary(
    parameters: JobParameters, recent: float | None
) -> None:
    asked = Submission(pipeline_type="image", parameters=parameters, submitted_at=MONDAY)
    vector = ENCODER.encode(asked, recent)
    assert vector.dtype == np.float64
    assert vector.shape == (len(ENCODER.feature_names),)
    assert np.isfinite(vector).all()


@settings(max_examples=40)
@given(some=st.lists(any_parameters, min_size=1, max_size=12))
def test_an_encoder_learns_from_anything(some: list[JobParameters]) -> None:
    asked = [
        Submission(pipeline_type="image", parameters=each, submitted_at=MONDAY) for each in some
    ]
    encoder = FeatureEncoder.fit(asked, [None] * len(asked))
    assert np.isfinite(encoder.encode_many(asked, [None] * len(asked))).all()


def test_many_rows_are_each_as_alone_and_the_state_is_json() -> None:
    submissions = [Submission.of(each) for each in LEARNED]
    medians = RECENT.medians(submissions)
    restored = FeatureEncoder(EncoderState.model_validate_json(ENCODER.state.model_dump_json()))
    many = restored.encode_many(submissions, medians)
    alone = [ENCODER.encode(*pair) for pair in zip(submissions, medians, strict=True)]
    assert np.array_equal(many, np.stack(alone))


def test_what_is_new_is_told_by_its_field() -> None:
    known = LEARNED[0].parameters
    asked = Submission.of(LEARNED[0])
    assert ENCODER.unseen(asked) == frozenset()
    for changed in ({"gpu_model": "GPU Z"}, {"worker": "elsewhere"}):
        other = asked.model_copy(update={"parameters": known.model_copy(update=changed)})
        assert ENCODER.unseen(other) == frozenset(changed)
    unknown = asked.model_copy(update={"parameters": known.model_copy(update={"worker": None})})
    assert ENCODER.unseen(unknown) == frozenset()


def test_names_that_are_joined_are_told_apart() -> None:
    with_post = [
        job(number, parameters={"width": 8, "height": 8, "extra": {"post": post}})
        for number, post in enumerate(["A", "B", "A", "B"])
    ]
    encoder = FeatureEncoder.fit([Submission.of(each) for each in with_post], [None] * 4)
    both = job(9, parameters={"width": 8, "height": 8, "extra": {"post": "A+B"}})
    new = job(9, parameters={"width": 8, "height": 8, "extra": {"post": "A+C"}})
    assert encoder.unseen(Submission.of(both)) == frozenset()
    assert encoder.unseen(Submission.of(new)) == {"post"}


def _with_extra(values: Sequence[str]) -> list[Submission]:
    sizes = {"width": 64, "height": 64}
    return [
        Submission.of(job(number, parameters=sizes | {"extra": {"note": value}}))
        for number, value in enumerate(values)
    ]


def _fitted(values: Sequence[str]) -> FeatureEncoder:
    return FeatureEncoder.fit(_with_extra(values), [None] * len(values))


(UNHEARD_OF,) = _with_extra(["never heard of"])


@given(count=st.integers(10, 60), again=st.integers(0, 2))
def test_text_that_is_new_each_time_is_nothing_new(count: int, again: int) -> None:
    texts = [f"a boat number {number} on a lake" for number in range(count)]
    encoder = _fitted([*texts, *texts[:again]][: count + count // 10])
    assert encoder.state.free_text == ("note",)
    assert encoder.unseen(UNHEARD_OF) == frozenset()
    assert not any("note" in name for name in encoder.feature_names)
    stored = FeatureEncoder(EncoderState.model_validate_json(encoder.state.model_dump_json()))
    assert stored.unseen(UNHEARD_OF) == frozenset()


@given(choices=st.integers(2, 12))
def test_a_choice_is_no_free_text(choices: int) -> None:
    encoder = _fitted([f"style-{number % choices}" for number in range(5 * choices)])
    assert encoder.state.free_text == ()
    assert encoder.unseen(UNHEARD_OF) == {"note"}


def test_few_jobs_tell_no_text_from_a_choice() -> None:
    assert _fitted([str(number) for number in range(9)]).unseen(UNHEARD_OF) == {"note"}


def test_combinations_that_are_new_each_time_are_a_choice_of_their_parts() -> None:
    pairs = ["+".join(pair) for pair in itertools.combinations("ABCDEF", 2)]
    encoder = _fitted(pairs)
    assert encoder.state.free_text == ()
    assert encoder.unseen(_with_extra(["A+Z"])[0]) == {"note"}


def test_a_model_is_never_free_text() -> None:
    sizes = {"width": 64, "height": 64}
    learned = [job(number, parameters=sizes | {"model": f"m{number}"}) for number in range(40)]
    encoder = FeatureEncoder.fit([Submission.of(each) for each in learned], [None] * 40)
    new = Submission.of(job(1, parameters=sizes | {"model": "n"}))
    assert encoder.unseen(new) == {"model"}


def test_the_hour_counts_only_when_days_were_seen() -> None:
    hours = [Submission.of(job(number, every_s=600)) for number in range(20)]
    days = [Submission.of(job(number, every_s=20_000)) for number in range(20)]
    short = FeatureEncoder.fit(hours, [None] * 20)
    longer = FeatureEncoder.fit(days, [None] * 20)
    assert "hour_sin" not in short.feature_names
    assert "hour_sin" in longer.feature_names
