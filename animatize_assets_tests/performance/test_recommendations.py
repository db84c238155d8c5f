"""What is recommended is what the estimator says of the changed job, and worth telling."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.performance.models import Estimate, JobParameters, Submission
from animatize_assets.performance.recommendations import (
    LEAST_SAVED,
    LEAST_SIDE_PX,
    LEAST_STEPS,
    EstimateMany,
    estimate_and_recommend,
    estimate_body,
)
from animatize_assets_tests.performance.jobs import MONDAY

SENTENCE = re.compile(
    r"(?P<change>.+) instead of (?P<before>\S+?)(?: px)?: about (?P<then>\S+) s "
    r"instead of (?P<now>\S+) s \((?P<saved>\d+) % less\)\."
)


def _job(**parameters: object) -> Submission:
    known = JobParameters.model_validate(parameters)
    return Submission(pipeline_type="video", parameters=known, submitted_at=MONDAY)


def _estimate(seconds: float) -> Estimate:
    return Estimate(
        pipeline_type="video",
        predicted_time_seconds=seconds,
        prediction_method="heuristic",
        model_used="fallback",
        learned_from=0,
    )


class Power:
    """An estimator: seconds are a product of powers; counts how often it is asked."""

    def __init__(self, *, steps: float = 1.0, frames: float = 1.0, pixels: float = 1.0) -> None:
        self.steps, self.frames, self.pixels = steps, frames, pixels
        self.asked = 0

    def seconds(self, job: JobParameters) -> float:
        pixels = (job.width or 1) * (job.height or 1)
        return (
            0.01
            * (job.steps or 1) ** self.steps
            * (job.frame_count or 1) ** self.frames
            * pixels**self.pixels
        )

    def __call__(self, submissions: Sequence[Submission]) -> list[Estimate]:
        self.asked += 1
        return [_estimate(self.seconds(each.parameters)) for each in submissions]


def recommend(submission: Submission, estimate_many: EstimateMany) -> tuple[str, ...]:
    return estimate_and_recommend(submission, estimate_many)[1]


ASKED = {"width": 768, "height": 768, "frame_count": 60, "steps": 25}


def test_each_given_parameter_is_changed_by_the_mildest_step_that_saves_enough() -> None:
    told = recommend(_job(**ASKED), Power(pixels=0.5))
    assert sorted(sentence.split(":")[0] for sentence in told) == [
        "20 steps instead of 25",
        "48 frames instead of 60",
        "592x592 px instead of 768x768",
    ]


@pytest.mark.parametrize("left_out", ["steps", "frame_count", "width"])
def test_what_is_not_given_is_not_recommended(left_out: str) -> None:
    told = recommend(_job(**{**ASKED, left_out: None}), Power())
    assert len(told) == 2
    named = {"steps": "steps", "frame_count": "frames", "width": "px"}[left_out]
    assert not [each for each in told if named in each.split(":")[0]]


@pytest.mark.parametrize(
    ("estimator", "silent"),
    [(Power(steps=0.1), "steps"), (Power(frames=0.0), "frames"), (Power(pixels=-1.0), "px")],
)
def test_a_change_that_saves_little_or_costs_more_is_not_told(
    estimator: Power, silent: str
) -> None:
    told = recommend(_job(**ASKED), estimator)
    assert told
    assert not [each for each in told if silent in each]


def test_the_largest_saving_comes_first() -> None:
    seconds = [
        float(SENTENCE.fullmatch(each)["then"]) for each in recommend(_job(**ASKED), Power())
    ]
    assert seconds == sorted(seconds)


def test_few_step_models_and_small_pictures_are_left_alone() -> None:
    assert recommend(_job(width=256, height=256, steps=4, frame_count=1), Power()) == ()


def test_without_anything_to_change_there_is_the_estimate_alone() -> None:
    power = Power()
    told, recommended = estimate_and_recommend(_job(job_type="trailer"), power)
    assert told == power([_job(job_type="trailer")])[0]
    assert recommended == ()


def test_the_estimator_is_asked_once() -> None:
    power = Power()
    told, recommended = estimate_and_recommend(_job(**ASKED), power)
    assert power.asked == 1
    assert told == power([_job(**ASKED)])[0]
    assert recommended


@given(
    steps=st.none() | st.integers(1, 150),
    frames=st.none() | st.integers(1, 2000),
    side=st.none() | st.integers(16, 4096),
    powers=st.tuples(*[st.floats(-1, 2)] * 3),
)
def test_every_sentence_holds(
    steps: int | None, frames: int | None, side: int | None, powers: tuple[float, float, float]
) -> None:
    power = Power(steps=powers[0], frames=powers[1], pixels=powers[2])
    given_ = _job(width=side, height=side, frame_count=frames, steps=steps)
    told = recommend(given_, power)
    assert power.asked == 1
    for sentence in told:
        found = SENTENCE.fullmatch(sentence)
        assert found is not None, sentence
        changed = _applied(given_.parameters, found["change"])
        now, then = power.seconds(given_.parameters), power.seconds(changed)
        assert 1 - then / now >= LEAST_SAVED
        assert int(found["saved"]) == pytest.approx(100 * (1 - then / now), abs=0.51)
        assert math.isclose(float(found["then"]), then, rel_tol=0.06)


def _applied(parameters: JobParameters, change: str) -> JobParameters:
    value, unit = change.split()
    if unit == "steps":
        assert int(value) >= LEAST_STEPS
        return parameters.model_copy(update={"steps": int(value)})
    if unit == "frames":
        return parameters.model_copy(update={"frame_count": int(value)})
    width, height = map(int, value.split("x"))
    assert min(width, height) >= LEAST_SIDE_PX
    return parameters.model_copy(update={"width": width, "height": height})


def test_the_answer_has_the_predecessors_names_first() -> None:
    body = estimate_body(_estimate(187.3), ["Less."])
    assert list(body)[:6] == [
        "predicted_time_seconds",
        "confidence",
        "prediction_method",
        "model_used",
        "uncertainty_range",
        "recommendations",
    ]
    assert (body["predicted_time_seconds"], body["uncertainty_range"]) == (187.3, None)
    assert body["recommendations"] == ["Less."]
