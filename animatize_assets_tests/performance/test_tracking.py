"""What users of the decorator and of the block get, and that nothing of it breaks their job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from animatize_assets.performance.models import Estimate, ResourceUse, Submission
from animatize_assets.performance.recording import JobRecorder
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.tracking import (
    Tracking,
    current_job,
    track_generation_job,
    track_performance,
    use_tracking,
)
from animatize_assets.telemetry.job_tracking import JobTracker
from animatize_assets_tests.performance.jobs import MONDAY
from animatize_assets_tests.performance.tracked import Watched


@pytest.fixture
def watched() -> Iterator[Watched]:
    found = Watched()
    with use_tracking(found.tracking):
        yield found


def test_the_predecessors_block_gives_its_record(watched: Watched) -> None:
    params = {"resolution": "768x432", "frame_count": 60, "steps": 25, "job_type": "trailer"}
    with track_generation_job("job_123", "video", params) as tracker:
        tracker.mark_queued()
        watched.pass_by(4)
        tracker.mark_processing_start()
        tracker.mark_phase("model_load", "weights from the disk")
        watched.pass_by(2)
        tracker.mark_phase_end("model_load")
        watched.pass_by(1)
        tracker.mark_phase("processing")
        watched.pass_by(10)
        tracker.mark_phase("upscaling", "a phase of nobody else's")
        watched.pass_by(3)
        tracker.note(cost_usd=0.25, retries=2, network_latency_ms=31.5)
        tracker.mark_success()
    job = watched.job
    assert (job.job_id, job.pipeline_type, job.success) == ("job_123", "video", True)
    parameters = job.parameters
    assert (parameters.width, parameters.height, parameters.job_type) == (768, 432, "trailer")
    assert (parameters.frame_count, parameters.steps, dict(parameters.extra)) == (60, 25, {})
    assert job.queue_time_seconds == 4
    assert job.total_time_seconds == 16
    assert [(phase.name, phase.seconds) for phase in job.phases] == [
        ("model_load", 2),
        ("processing", 10),
        ("upscaling", 3),
    ]
    assert job.phases[0].description == "weights from the disk"
    assert job.submitted_at == MONDAY
    assert job.started_at == MONDAY + timedelta(seconds=4)
    assert job.finished_at == MONDAY + timedelta(seconds=20)
    assert (job.cost_usd, job.retries, job.resources.network_latency_ms) == (0.25, 2, 31.5)


def test_an_exception_is_recorded_and_raised_on(watched: Watched) -> None:
    with (  # noqa: PT012
        pytest.raises(ZeroDivisionError),
        track_generation_job("a", "image") as tracker,
    ):
        tracker.mark_success()
        tracker.mark_phase("processing")
        watched.pass_by(3)
        1 / 0  # noqa: B018
    job = watched.job
    assert (job.success, job.error_type) == (False, "ZeroDivisionError")
    assert job.error_details == "division by zero"
    assert job.phase_seconds("processing") == job.total_time_seconds == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_end_from_outside_is_recorded_too(error: type[BaseException], watched: Watched) -> None:
    with pytest.raises(error), track_generation_job("a", "image"):
        raise error
    assert (watched.job.success, watched.job.error_type) == (False, error.__name__)


def test_a_block_that_never_says_success_has_none(watched: Watched) -> None:
    with track_generation_job("a", "image"):
        watched.pass_by(1)
    assert (watched.job.success, watched.job.error_type) == (False, "not_marked")
    assert watched.job.error_details is not None
    assert "mark_success" in watched.job.error_details


def test_a_decorated_function_is_tracked(watched: Watched) -> None:
    @track_performance("image", model="sdxl", steps=20)
    def generate(
        width: int, height: int = 512, *, steps: int | None = None, prompt: str = ""
    ) -> str:
        current_job().mark_phase("processing")
        watched.pass_by(5)
        return f"{width}x{height}"

    assert generate(640, steps=30, prompt="a red car") == "640x512"
    assert generate(64) == "64x512"
    first, second = watched.kept.jobs
    assert (first.parameters.width, first.parameters.height) == (640, 512)
    assert (first.parameters.steps, second.parameters.steps) == (30, 20)
    assert first.parameters.model == "sdxl"
    assert dict(first.parameters.extra) == {}  # other arguments are nobody's business
    assert first.success
    assert first.phase_seconds("processing") == 5
    assert first.job_id != second.job_id
    assert first.job_id.startswith("generate-")
    assert generate.__name__ == "generate"


def test_a_decorated_function_takes_a_dict_and_an_id(watched: Watched) -> None:
    @track_performance("video", job_type="trailer")
    def generate(job_id: str, params: dict[str, Any], **_: object) -> None:
        watched.pass_by(params["steps"])

    generate("job-7", {"steps": 2, "precision": "fp16", "run_id": "r"}, frame_count=9)
    job = watched.job
    assert (job.job_id, job.pipeline_type, job.run_id) == ("job-7", "video", "r")
    assert (job.parameters.steps, job.parameters.frame_count) == (2, 9)
    assert job.parameters.job_type == "trailer"
    assert dict(job.parameters.extra) == {"precision": "fp16"}
    assert job.total_time_seconds == 2


def test_a_decorated_function_that_raises_is_tracked(watched: Watched) -> None:
    @track_performance("image")
    def generate() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        generate()
    assert watched.job.error_type == "RuntimeError"


def test_a_decorated_call_with_wrong_arguments_raises_what_it_always_did(watched: Watched) -> None:
    @track_performance("image")
    def generate(width: int) -> None: ...

    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        generate()  # type: ignore[call-arg]
    assert watched.job.error_type == "TypeError"


def test_a_decorated_coroutine_is_tracked_to_its_end(watched: Watched) -> None:
    @track_performance("image")
    async def generate(width: int) -> int:
        await asyncio.sleep(0)
        watched.pass_by(2)
        return width

    @track_performance("image")
    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        assert await generate(7) == 7
        with pytest.raises(asyncio.CancelledError):
            await cancelled()

    asyncio.run(main())
    first, second = watched.kept.jobs
    assert (first.parameters.width, first.total_time_seconds, first.success) == (7, 2, True)
    assert (second.success, second.error_type) == (False, "CancelledError")


def test_a_generator_is_refused_when_it_is_decorated() -> None:
    def plain() -> Iterator[int]:
        yield 1

    async def awaited() -> AsyncIterator[int]:
        yield 1

    for function in (plain, awaited):
        with pytest.raises(TypeError, match="makes a generator"):
            track_performance("image")(function)


def test_without_tracking_the_work_is_done_and_that_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @track_performance("image")
    def generate() -> int:
        current_job().mark_phase("processing")
        return 7

    with use_tracking(None):
        assert generate() == 7
        with track_generation_job("a", "video") as tracker:
            tracker.mark_queued()
            tracker.mark_success()
            tracker.note(cost_usd=1)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "use_tracking" in caplog.text


def test_a_tracking_is_used_until_its_block_ends() -> None:
    first, second, own = Watched(), Watched(), Watched()
    with use_tracking(None):
        use_tracking(first.tracking)
        with use_tracking(second.tracking), track_generation_job("in", "image"):
            pass
        with track_generation_job("out", "image"):
            pass
        with track_generation_job("own", "image", tracking=own.tracking):
            pass
    assert [job.job_id for job in first.kept.jobs] == ["out"]
    assert [job.job_id for job in second.kept.jobs] == ["in"]
    assert [job.job_id for job in own.kept.jobs] == ["own"]


def estimate(_: Submission) -> Estimate:
    return Estimate(
        pipeline_type="video",
        predicted_time_seconds=12,
        uncertainty_range=(10, 15),
        prediction_method="ml_model",
        model_used="random_forest",
        model_version="3",
        learned_from=40,
    )


def test_what_was_promised_is_stored_and_asked_with_what_is_known_beforehand() -> None:
    asked: list[Submission] = []

    def ask(submission: Submission) -> Estimate:
        asked.append(submission)
        watched.pass_by(0.005)
        return estimate(submission)

    watched = Watched(estimate=ask)
    with watched.tracking.track("a", "video", {"steps": 9, "queue_length": 3}) as tracker:
        assert getattr(tracker, "estimate", None) == estimate(asked[0])
        watched.pass_by(11)
        tracker.mark_success()
    job = watched.job
    assert job.promise is not None
    assert job.promise.model_dump() == {
        "predicted_seconds": 12,
        "low_seconds": 10,
        "high_seconds": 15,
        "method": "ml_model",
        "model": "random_forest v3",
    }
    assert asked == [Submission.of(job)]
    assert job.total_time_seconds == 11  # asking is not the job's time


class Sampled:
    def __init__(self, *, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.open: list[object] = []
        self.parts: list[tuple[object, object]] = []

    def start(self, part_of: Any = None) -> SampledJob:
        if self.fails_at == "start":
            raise OSError("no sampler")
        started = SampledJob(self)
        self.open.append(started)
        self.parts.append((started, part_of))
        return started


class SampledJob:
    def __init__(self, sampler: Sampled) -> None:
        self.sampler = sampler

    def stop(self) -> ResourceUse:
        if self.sampler.fails_at == "stop":
            raise OSError("no sampler")
        self.sampler.open.remove(self)
        return ResourceUse(memory_used_mb=70, unmeasured={"gpu": "there is none"})


def test_a_job_is_sampled_while_it_works_and_not_while_it_waits() -> None:
    sampler = Sampled()
    watched = Watched(sampler)
    with watched.tracking.track("a", "image", {}) as tracker:
        assert len(sampler.open) == 1
        tracker.mark_queued()
        assert sampler.open == []
        tracker.mark_processing_start()
        assert len(sampler.open) == 1
        tracker.note(network_latency_ms=5)
        tracker.mark_success()
    assert sampler.open == []
    use = watched.job.resources
    assert (use.memory_used_mb, use.network_latency_ms) == (70, 5)
    assert dict(use.unmeasured) == {"gpu": "there is none"}


def test_a_nested_job_is_sampled_as_part_of_the_one_around_it() -> None:
    sampler = Sampled()
    watched = Watched(sampler)
    with watched.tracking.track("out", "image", {}), watched.tracking.track("in", "image", {}):
        pass
    (outer, around), (_, part_of) = sampler.parts
    assert around is None
    assert part_of is outer


@pytest.mark.parametrize("step", ["start", "stop"])
def test_a_sampler_that_fails_is_a_reason_and_no_error(
    step: str, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(Sampled(fails_at=step))
    with watched.tracking.track("a", "image", {}) as tracker:
        tracker.mark_success()
    assert watched.job.success
    assert watched.job.resources.memory_used_mb is None
    assert "OSError" in watched.job.resources.unmeasured["memory_used_mb"]
    assert "not sampled" in caplog.text


def fail(*_: object) -> None:
    raise RuntimeError("tracking is broken")


def test_an_estimate_that_fails_is_reported_and_the_job_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(estimate=fail)
    with watched.tracking.track("a", "image", {}) as tracker:
        tracker.mark_success()
    assert watched.job.success
    assert watched.job.promise is None
    assert "without an estimate" in caplog.text


class BrokenRecorder:
    record = fail


@pytest.mark.parametrize(
    ("tracking", "pipeline_type"),
    [
        (Watched(recorder=BrokenRecorder()).tracking, "image"),
        (Watched().tracking, "audio"),
        (Tracking(Watched().kept, clock=fail), "image"),  # type: ignore[arg-type]
    ],
)
def test_whatever_is_broken_the_work_is_done(
    tracking: JobTracker, pipeline_type: Any, caplog: pytest.LogCaptureFixture
) -> None:
    done = []
    with track_generation_job("a", pipeline_type, {}, tracking=tracking) as tracker:
        tracker.mark_queued()
        tracker.mark_processing_start()
        tracker.mark_phase("processing")
        tracker.mark_phase_end("processing")
        tracker.note(retries=1)
        tracker.mark_success()
        done.append(1)
    assert done == [1]
    assert "Job a is not" in caplog.text


def test_a_job_that_ends_in_another_context_is_recorded(watched: Watched) -> None:
    block = track_generation_job("a", "image")
    copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert watched.job.job_id == "a"


@pytest.mark.parametrize("job_id", ["", "x" * 500, "odd \udcff \0"])
def test_any_id_becomes_one_that_the_database_takes(
    job_id: str, store: PerformanceStore, tmp_path: Path
) -> None:
    recorder = JobRecorder(store, tmp_path / "spool")
    with Tracking(recorder).track(job_id, "image", {"model": "odd \udcff \0"}) as tracker:
        tracker.mark_phase("odd \udcff \0")
        tracker.mark_success()
    (job,) = store.jobs()
    assert job.success
    assert 1 <= len(job.job_id) <= 128


def test_a_tracked_job_arrives_in_the_database(store: PerformanceStore, tmp_path: Path) -> None:
    with (
        use_tracking(Tracking(JobRecorder(store, tmp_path / "spool"))),
        pytest.raises(OSError, match="no text"),
        track_generation_job("a", "video", {"seed": 2**64 - 1, "partition_key": "boat"}),
    ):
        raise OSError("a name \udcff of no text")
    job = store.job("a")
    assert job is not None
    assert job.partition_key == "boat"
    assert job.parameters.seed is None
    assert dict(job.parameters.extra) == {"seed": str(2**64 - 1)}
    assert job.error_details == "a name \\udcff of no text"
