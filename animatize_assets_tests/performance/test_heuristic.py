"""Before there is anything to learn from, a stated formula; then its own misses correct it."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.performance.heuristic import (
    ASSUMED_FRAMES,
    ASSUMED_SIZE,
    SAMPLED,
    SERVED_S,
    heuristic_estimate,
    heuristic_seconds,
)
from animatize_assets.performance.models import (
    JobParameters,
    JobRecord,
    PipelineType,
    Submission,
)
from animatize_assets_tests.performance.jobs import MONDAY, job

LATER = MONDAY + timedelta(days=2)


def _submission(pipeline_type: PipelineType = "video", **parameters: object) -> Submission:
    fields: dict[str, object] = {"width": 768, "height": 768, "frame_count": 60, "steps": 25}
    return Submission(
        pipeline_type=pipeline_type,
        parameters=JobParameters.model_validate(fields | parameters),
        submitted_at=LATER,
    )


def test_the_formula_is_start_up_and_work() -> None:
    rate = SAMPLED["video"]
    work = 0.768 * 0.768 * 25 * 60
    told = heuristic_seconds(_submission())
    assert told == pytest.approx(rate.start_up_s + rate.seconds_a_unit * work)


@settings(deadline=None)
@given(
    st.integers(64, 4096),
    st.integers(1, 200),
    st.integers(1, 500),
    st.sampled_from(["image", "video"]),
)
def test_more_work_never_takes_less(
    side: int, steps: int, frames: int, pipeline_type: PipelineType
) -> None:
    size = {"width": side, "height": side, "steps": steps, "frame_count": frames}
    told = heuristic_seconds(_submission(pipeline_type, **size))
    for name, value in size.items():
        more = heuristic_seconds(_submission(pipeline_type, **(size | {name: value + 1})))
        assert more > told
    assert heuristic_seconds(_submission(pipeline_type, **size, batch_size=4)) > told


def test_without_jobs_there_is_no_interval_and_it_says_so() -> None:
    told = heuristic_estimate(_submission())
    assert told.prediction_method == "heuristic"
    assert told.model_used == "fallback"
    assert told.uncertainty_range is None
    assert told.interval_90 is None
    assert told.confidence is None
    assert told.learned_from == 0
    assert "heuristic" in told.notes[0]


def test_what_is_assumed_is_said() -> None:
    told = heuristic_estimate(_submission(width=None, height=None, frame_count=None))
    as_if = _submission(width=ASSUMED_SIZE[0], height=ASSUMED_SIZE[1], frame_count=ASSUMED_FRAMES)
    assert told.predicted_time_seconds == pytest.approx(heuristic_seconds(as_if))
    assert len(told.notes) == 3
    assert len(heuristic_estimate(_submission()).notes) == 1


def test_a_service_that_tells_no_steps_takes_what_services_take() -> None:
    served = _submission("image", steps=None, frame_count=None, provider="openai")
    assert heuristic_seconds(served) == SERVED_S
    rendered = _submission("image", steps=None, frame_count=None, provider="local")
    assert heuristic_seconds(rendered) < 1


def _slow_jobs(count: int, factor: float, provider: str | None = None) -> list[JobRecord]:
    chance = np.random.default_rng(1)
    jobs = []
    for number in range(count):
        submission = _submission(width=int(chance.integers(256, 1024)), provider=provider)
        seconds = heuristic_seconds(submission) * factor * math.exp(0.1 * chance.standard_normal())
        jobs.append(
            job(number, seconds=seconds, pipeline_type="video", parameters=submission.parameters)
        )
    return jobs


def _jobs_with(count: int = 2, **parameters: object) -> list[JobRecord]:
    """Jobs that took five times as long as the formula says."""
    submission = _submission(**parameters)
    seconds = 5 * heuristic_seconds(submission)
    return [
        job(number, seconds=seconds, pipeline_type="video", parameters=submission.parameters)
        for number in range(count)
    ]


def test_its_own_misses_correct_it() -> None:
    told = heuristic_estimate(_submission(), _slow_jobs(20, 3))
    plain = heuristic_seconds(_submission())
    assert told.predicted_time_seconds == pytest.approx(3 * plain, rel=0.1)
    assert told.uncertainty_range is not None
    assert told.interval_90 is not None
    low, high = told.uncertainty_range
    assert told.interval_90[0] <= low < told.predicted_time_seconds < high <= told.interval_90[1]
    assert told.confidence is not None
    assert told.confidence > 0.8
    assert told.learned_from == 20
    assert told.prediction_method == "heuristic"


def test_jobs_most_like_it_count() -> None:
    ours = _slow_jobs(5, 2, provider="flux")
    others = [
        each.model_copy(update={"job_id": f"other {each.job_id}"})
        for each in _slow_jobs(20, 10, provider="comfyui")
    ]
    told = heuristic_estimate(_submission(provider="flux"), ours + others)
    assert told.learned_from == 5
    assert told.predicted_time_seconds == pytest.approx(
        2 * heuristic_seconds(_submission()), rel=0.15
    )


@pytest.mark.parametrize(
    "unlike",
    [
        {"provider": "local"},
        {"provider": "flux"},
        {"gpu_model": "RTX 3060"},
        {"gpu_model": None},
    ],
)
def test_jobs_of_another_provider_or_machine_correct_nothing(unlike: dict[str, object]) -> None:
    """Two clips that were rendered here once made 264 s of 99 s on an H100."""
    ours = _submission(gpu_model="H100", provider="comfyui")
    others = _jobs_with(**({"gpu_model": "H100", "provider": "comfyui"} | unlike))
    told = heuristic_estimate(ours, others)
    assert told == heuristic_estimate(ours)
    assert told.learned_from == 0
    assert told.uncertainty_range is None
    assert told.predicted_time_seconds == heuristic_seconds(ours)
    alike = _jobs_with(gpu_model="H100", provider="comfyui")
    assert heuristic_estimate(ours, others + alike).learned_from == len(alike)


def test_without_a_gpu_another_worker_is_another_machine() -> None:
    ours = _submission(worker="desk", provider="local")
    assert heuristic_estimate(ours, _jobs_with(worker="shed", provider="local")).learned_from == 0
    assert heuristic_estimate(ours, _jobs_with(worker="desk", provider="local")).learned_from == 2
    # Who did it is not always told.
    assert heuristic_estimate(ours, _jobs_with(provider="local")).learned_from == 2
    # A GPU is known by its model, whichever worker has it.
    on_gpu = {"provider": "comfyui", "gpu_model": "H100"}
    wanted = _submission(worker="desk", **on_gpu)
    assert heuristic_estimate(wanted, _jobs_with(worker="shed", **on_gpu)).learned_from == 2


def test_a_service_that_tells_no_steps_corrects_no_rate() -> None:
    known = {"provider": "server", "frame_count": None}
    wanted = _submission("image", steps=25, **known)
    untold = [
        each.model_copy(update={"pipeline_type": "image"})
        for each in _jobs_with(steps=None, **known)
    ]
    assert heuristic_estimate(wanted, untold).learned_from == 0


def test_the_closest_of_the_like_jobs_count_when_they_are_two() -> None:
    other_type = _jobs_with(job_type="trailer")
    assert heuristic_estimate(_submission(), other_type).learned_from == 2
    one = _jobs_with(count=1)
    assert heuristic_estimate(_submission(), other_type + one).learned_from == 3
    assert heuristic_estimate(_submission(), other_type + _jobs_with()).learned_from == 2


def test_jobs_that_failed_or_are_not_over_do_not_count() -> None:
    failed = [each.model_copy(update={"success": False}) for each in _slow_jobs(5, 9)]
    running = [
        each.model_copy(update={"finished_at": LATER + timedelta(seconds=1)})
        for each in _slow_jobs(5, 9)
    ]
    images = [each.model_copy(update={"pipeline_type": "image"}) for each in _slow_jobs(5, 9)]
    told = heuristic_estimate(_submission(), failed + running + images)
    assert told == heuristic_estimate(_submission())


def test_one_job_corrects_but_tells_no_spread() -> None:
    told = heuristic_estimate(_submission(), _slow_jobs(1, 4))
    assert told.predicted_time_seconds > 3 * heuristic_seconds(_submission())
    assert told.uncertainty_range is None
