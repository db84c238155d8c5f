"""How long a run will take, against a plain simulation of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.performance.models import Estimate, Submission
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.time_estimator import TimeEstimator
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.workplace import long_lists
from animatize_assets.workplace.run_estimates import RunEstimate, run_estimate
from animatize_assets_tests.performance.jobs import MONDAY, job

LOCAL, FLUX = PipelineRequest(), PipelineRequest(provider="flux")
HERE = [stage for stage in STAGES if stage != "generated_picture"]


class Told:
    """An estimator that says given seconds per stage, and remembers what it was asked."""

    def __init__(self, seconds: dict[str, float], reach: float | None = 1.0001) -> None:
        self.seconds, self.reach = seconds, reach
        self.asked: list[Sequence[Submission]] = []

    def estimate_many(self, submissions: Sequence[Submission]) -> list[Estimate]:
        self.asked.append(submissions)
        return [self._one(each) for each in submissions]

    def _one(self, submission: Submission) -> Estimate:
        seconds = self.seconds[submission.parameters.job_type]
        reach = self.reach
        return Estimate(
            pipeline_type=submission.pipeline_type,
            predicted_time_seconds=seconds,
            uncertainty_range=None if reach is None else (seconds / reach, seconds * reach),
            prediction_method="ml_model",
            model_used="random_forest",
            learned_from=40,
        )


def _images(count: int) -> list[tuple[str, int, int]]:
    return [(f"image-{number:016x}", 640 + 2 * (number % 3), 480) for number in range(count)]


def _estimate(told: Any, count: int, request: PipelineRequest, at_once: int) -> RunEstimate:
    return run_estimate(_images(count), request, STAGES, told, at_once, clock=lambda: MONDAY)


def _simulated(seconds: dict[str, float], count: int, at_once: int) -> float:
    """Event by event: stages in order per image, one worker here, pictures beside each other."""
    desk, end = 0.0, 0.0
    ready = [(0.0, number, 0) for number in range(min(at_once, count))]
    waiting = list(range(min(at_once, count), count))
    while ready:
        moment, number, place = heapq.heappop(ready)
        stage = STAGES[place]
        if stage == "generated_picture":
            done = moment + seconds[stage]
        else:
            done = desk = max(moment, desk) + seconds[stage]
        end = max(end, done)
        if place + 1 < len(STAGES):
            heapq.heappush(ready, (done, number, place + 1))
        elif waiting:
            heapq.heappush(ready, (done, waiting.pop(0), 0))
    return end


STAGE_SECONDS = st.fixed_dictionaries({stage: st.floats(0.05, 5) for stage in STAGES})


@given(seconds=STAGE_SECONDS, count=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_work_on_this_machine_is_a_sum(seconds: dict[str, float], count: int) -> None:
    told = _estimate(Told(seconds), count, LOCAL, 1)
    assert told.seconds == pytest.approx(count * sum(seconds.values()), rel=1e-3)


@given(
    seconds=STAGE_SECONDS,
    picture=st.floats(0.5, 60),
    count=st.integers(1, 30),
    at_once=st.integers(2, 9),
)
@settings(max_examples=40, deadline=None)
def test_waiting_for_a_provider_is_told_nearly_as_it_will_be(
    seconds: dict[str, float], picture: float, count: int, at_once: int
) -> None:
    seconds = seconds | {"generated_picture": picture}
    told = _estimate(Told(seconds), count, FLUX, at_once)
    actual = _simulated(seconds, count, at_once)
    assert told.seconds == pytest.approx(actual, rel=2e-3)


@pytest.mark.parametrize(("request_", "at_once"), [(LOCAL, 1), (FLUX, 4)])
def test_a_long_list_is_told_from_a_part_of_it(
    monkeypatch: pytest.MonkeyPatch, request_: PipelineRequest, at_once: int
) -> None:
    seconds = {stage: 0.5 + number for number, stage in enumerate(STAGES)}
    whole = _estimate(Told(seconds, reach=1.5), 600, request_, at_once)
    monkeypatch.setattr(long_lists, "MOST_SIMULATED", 200)
    told = _estimate(Told(seconds, reach=1.5), 600, request_, at_once)
    assert told.seconds == pytest.approx(whole.seconds, rel=0.02)
    assert told.stages == whole.stages
    assert told.interval_80 is not None
    assert whole.interval_80 is not None
    assert told.interval_80 == pytest.approx(whole.interval_80, rel=0.03)


SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(st.lists(SIZES, max_size=60), st.integers(1, 20))
def test_a_part_has_each_size_in_proportion(sizes: list[tuple[int, int]], most: int) -> None:
    images = [(str(number), *size) for number, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_lists, "MOST_SIMULATED", most)
        part = long_lists.representative(images)
    assert len(part) == min(most, len(images))
    assert set(part) <= set(images)
    share = len(part) / max(1, len(images))
    for size in set(sizes):
        there = sum(image[1:] == size for image in part)
        assert abs(there - share * sizes.count(size)) < 1 + 1e-9


def test_an_interval_holds_the_estimate_and_is_missing_where_a_stage_has_none() -> None:
    seconds = dict.fromkeys(STAGES, 2.0)
    for request, at_once in ((LOCAL, 1), (FLUX, 3)):
        told = _estimate(Told(seconds, reach=1.5), 20, request, at_once)
        assert told.interval_80 is not None
        low, high = told.interval_80
        assert low < told.seconds < high
        assert _estimate(Told(seconds, reach=None), 20, request, at_once).interval_80 is None


def test_stages_add_up_and_equal_images_are_estimated_once() -> None:
    told = Told(dict.fromkeys(STAGES, 2.0))
    run = _estimate(told, 30, LOCAL, 1)
    assert {name: each.seconds for name, each in run.stages.items()} == dict.fromkeys(STAGES, 60.0)
    assert (run.images, run.learned_from, run.prediction_method) == (30, 40, "ml_model")
    ((submissions),) = told.asked
    assert len(submissions) == 3 * len(STAGES)


def test_a_job_is_described_as_its_record_will_be() -> None:
    told = Told(dict.fromkeys(STAGES, 1.0))
    request = PipelineRequest(provider="flux", size=(320, 200), expand="draft")
    run_estimate(_images(1), request, STAGES, told, 2, provider_model="pro", clock=lambda: MONDAY)
    known = {each.parameters.job_type: each.parameters for each in told.asked[0]}
    picture, clip, scene = (
        known[name] for name in ("generated_picture", "animatic_clip", "scene_analysis")
    )
    assert (picture.provider, picture.model, picture.width) == ("flux", "pro", 320)
    assert (clip.provider, clip.frame_count, clip.height) == ("local", 120, 200)
    assert (scene.provider, scene.width, scene.height) == ("local", 640, 480)
    assert known["motion_prompt"].provider is None
    assert known["motion_prompt"].extra == {"expand": "draft"}


def test_nothing_to_do_takes_no_time() -> None:
    run = _estimate(Told({}), 0, LOCAL, 1)
    assert (run.seconds, run.images, run.learned_from) == (0.0, 0, 0)


def test_no_place_to_work_is_refused() -> None:
    with pytest.raises(ValueError, match="at once"):
        _estimate(Told(dict.fromkeys(STAGES, 1.0)), 3, LOCAL, 0)


@pytest.fixture
def store(database_url: str) -> Iterator[PerformanceStore]:
    engine = open_engine(database_url)
    upgrade(engine)
    yield PerformanceStore(engine)
    engine.dispose()


def test_day_one_is_a_formula_and_later_the_jobs_here_count(store: PerformanceStore) -> None:
    estimator = TimeEstimator(store, lambda _: None)
    first = _estimate(estimator, 2, LOCAL, 1)
    assert (first.prediction_method, first.learned_from, first.interval_80) == (
        "heuristic",
        0,
        None,
    )
    assert first.stages["scene_analysis"].seconds < 1  # this machine, not somebody's service
    asked = Told(dict.fromkeys(STAGES, 1.0))
    _estimate(asked, 1, LOCAL, 1)
    store.record(
        *(
            job(
                5 * place + number,
                seconds=(1 + place) * (1 + 0.01 * number),
                pipeline_type=submission.pipeline_type,
                parameters=submission.parameters,
                finished_at=MONDAY - timedelta(minutes=1 + 5 * place + number),
            )
            for place, submission in enumerate(asked.asked[0])
            for number in range(5)
        )
    )
    later = _estimate(estimator, 2, LOCAL, 1)
    assert later.learned_from == 5
    assert later.interval_80 is not None
    assert later.seconds == pytest.approx(2 * sum(range(1, 7)), rel=0.1)
