"""What is made is tracked as a job, with its phases; what is found again is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES, run_stages
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop

QUEUE_SECONDS = 7.5


@dataclass
class Job:
    """One tracked job, as it was told."""

    job_id: str
    pipeline_type: str
    params: Mapping[str, object]
    phases: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    outcome: str = "left"
    estimated_seconds: float | None = 4.5

    def mark_queued(self) -> None: ...
    def mark_processing_start(self) -> None: ...
    def mark_phase_end(self, name: str) -> None: ...

    def mark_phase(self, name: str, description: str = "") -> None:
        self.phases.append(f"{name}/{description}")

    def mark_success(self) -> None:
        self.outcome = "success"

    def note(self, **facts: object) -> None:
        self.facts |= facts


@dataclass
class Jobs:
    """A tracker that only listens."""

    told: list[Job] = field(default_factory=list)

    @contextmanager
    def track(self, job_id: str, pipeline_type: str, params: Mapping[str, object]) -> Iterator[Job]:
        job = Job(job_id, pipeline_type, params)
        self.told.append(job)
        try:
            yield job
        except BaseException as error:
            job.outcome = type(error).__name__
            raise

    def of(self, job_type: str) -> Job:
        (found,) = [job for job in self.told if job.params["job_type"] == job_type]
        return found


@pytest.fixture
def stages(tmp_path: Path) -> Jobs:
    return Jobs()


@pytest.fixture
def calls() -> Jobs:
    return Jobs()


@pytest.fixture
def bench(tmp_path: Path, stages: Jobs, calls: Jobs) -> Iterator[tuple[Workshop, str]]:
    images, artifacts = open_stores(UPath(tmp_path / "data"), ImageLimits())
    photograph = tmp_path / "photograph.png"
    shades = np.random.default_rng(0).integers(0, 255, (20, 32, 3), np.uint8)
    Image.fromarray(shades).resize((320, 200)).save(photograph)
    key = images.ingest(photograph).image_key
    opened = open_workshop(images, artifacts, tracker=stages, call_tracker=calls)
    yield replace(opened, run_id="run-1", queue_seconds=QUEUE_SECONDS), key
    opened.close()


def test_every_stage_is_a_job_with_what_was_known_before(
    bench: tuple[Workshop, str], stages: Jobs, calls: Jobs
) -> None:
    workshop, key = bench
    request = PipelineRequest(size=(160, 100))
    outcomes = list(run_stages(workshop, key, request))
    assert all(each.is_complete for each in outcomes)
    assert {each.estimated_seconds for each in outcomes} == {4.5}
    assert [job.params["job_type"] for job in stages.told] == list(STAGES)
    assert {job.outcome for job in stages.told} == {"success"}
    assert {job.params["queue_time_seconds"] for job in stages.told} == {QUEUE_SECONDS}
    assert {job.params["partition_key"] for job in stages.told} == {key}
    clip, scene = stages.of("animatic_clip"), stages.of("scene_analysis")
    assert clip.pipeline_type == "video"
    assert (clip.params["width"], clip.params["height"], clip.params["frame_count"]) == (
        160,
        100,
        120,
    )
    assert (scene.params["width"], scene.params["height"]) == (320, 200)
    assert scene.phases == ["preprocessing/decode", "processing/analyze", "postprocessing/preview"]
    call = calls.of("provider_call")
    assert (call.params["provider"], call.params["run_id"], call.outcome) == (
        "local",
        "run-1",
        "success",
    )
    assert call.facts == {"cost_usd": 0.0, "retries": 0}
    assert len({job.job_id for job in [*stages.told, *calls.told]}) == len(STAGES) + 1


def test_calls_of_two_images_are_two_jobs(
    bench: tuple[Workshop, str], calls: Jobs, tmp_path: Path
) -> None:
    workshop, key = bench
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 48), (90, 30, 20)).save(other)
    keys = [key, workshop.images.ingest(other).image_key or ""]
    for each in keys:
        list(run_stages(workshop, each, PipelineRequest(size=(96, 64))))
    assert len({job.job_id for job in calls.told}) == 2


def test_what_is_found_again_is_no_job(
    bench: tuple[Workshop, str], stages: Jobs, calls: Jobs
) -> None:
    workshop, key = bench
    request = PipelineRequest(size=(160, 100))
    list(run_stages(workshop, key, request))
    before = len(stages.told), len(calls.told)
    assert {each.status for each in run_stages(workshop, key, request)} == {"reused"}
    assert (len(stages.told), len(calls.told)) == before


def test_a_stage_that_fails_is_a_job_that_failed(bench: tuple[Workshop, str], stages: Jobs) -> None:
    workshop, key = bench
    original = Path(workshop.artifacts.upath(workshop.images.get(key).original_path))
    original.chmod(0o600)
    original.write_bytes(b"other bytes")
    outcomes = list(run_stages(workshop, key, PipelineRequest()))
    assert outcomes[0].status == "failed"
    assert [job.outcome for job in stages.told] == ["StorageFailed"]
