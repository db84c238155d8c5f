"""A run notes how far its images are, once a second at most, and what it left is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from upath import UPath

from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.states import ImageStates, Standing, Wanted
from animatize_assets.pipeline.progress import (
    WRITE_EVERY_S,
    RunProgress,
    code_digest,
    look_up,
    open_progress,
)
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES, run_stages
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop
from animatize_assets_tests.pipeline.cheap import cheap_stages, wish, write_images


class Timer:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    data_dir = tmp_path / "data"
    workshop = open_workshop(*open_stores(UPath(data_dir), ImageLimits()))
    return replace(workshop, stages=cheap_stages(data_dir))


@pytest.fixture
def keys(workshop: Workshop, tmp_path: Path) -> list[str]:
    files = write_images(tmp_path / "given", 3)
    return [workshop.images.ingest(file).image_key or "" for file in files]


def make(workshop: Workshop, key: str, progress: RunProgress, stages: Sequence[str]) -> None:
    for outcome in run_stages(workshop, key, PipelineRequest(), stages):
        progress.note(outcome)


def state_of(workshop: Workshop, key: str) -> tuple[str, str | None, str | None, str | None]:
    line = ImageStates(workshop.images.engine).of(key)
    assert line is not None
    return line.state, line.provider, line.movement, line.reason


def test_an_image_goes_from_missing_to_complete(workshop: Workshop, keys: list[str]) -> None:
    assert state_of(workshop, keys[0])[0] == "missing"
    progress = open_progress(workshop, STAGES)
    progress.begin(keys, "run-1")
    assert state_of(workshop, keys[0])[0] == "in_progress"
    make(workshop, keys[0], progress, STAGES)
    progress.close()
    assert state_of(workshop, keys[0]) == ("complete", "local", "zoom_in", None)
    assert state_of(workshop, keys[1])[0] == "in_progress"
    current = code_digest(workshop.code_versions)
    stale = ImageStates(workshop.images.engine, code_digest=current[::-1])
    fresh = ImageStates(workshop.images.engine, code_digest=current)
    assert stale.counts() == {"stale": 1, "in_progress": 2}
    assert fresh.counts() == {"complete": 1, "in_progress": 2}


def test_a_failure_is_told_with_its_reason(
    workshop: Workshop, keys: list[str], tmp_path: Path
) -> None:
    wish(tmp_path / "data", fail={keys[0]: "generated_picture"})
    progress = open_progress(workshop, STAGES)
    make(workshop, keys[0], progress, STAGES)
    progress.close()
    state, provider, movement, reason = state_of(workshop, keys[0])
    assert (state, provider, movement) == ("failed", None, "zoom_in")
    assert reason == "generated_picture: generated_picture refused."


def test_a_part_of_the_stages_completes_an_image_that_has_the_others(
    workshop: Workshop, keys: list[str]
) -> None:
    first = open_progress(workshop, STAGES[:4])
    make(workshop, keys[0], first, STAGES[:4])
    first.close()
    assert state_of(workshop, keys[0])[0] == "missing"
    second = open_progress(workshop, STAGES[4:])
    make(workshop, keys[0], second, STAGES[4:])
    second.close()
    assert state_of(workshop, keys[0]) == ("complete", "local", "zoom_in", None)


def test_images_that_are_done_within_a_second_are_written_together(
    workshop: Workshop, keys: list[str]
) -> None:
    timer = Timer()
    states = ImageStates(workshop.images.engine)
    progress = RunProgress(states, workshop.artifacts, workshop.code_versions, STAGES, clock=timer)
    make(workshop, keys[0], progress, STAGES)
    assert states.counts() == {"missing": 3}
    timer.now = WRITE_EVERY_S
    make(workshop, keys[1], progress, STAGES)  # its first stage finds the second over
    assert states.counts() == {"complete": 1, "missing": 2}
    progress.close()
    assert states.counts() == {"complete": 2, "missing": 1}


def test_a_note_that_cannot_be_written_costs_the_run_nothing(
    workshop: Workshop, keys: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(ImageStates):
        def settle(self, standings: object) -> None:  # noqa: ARG002
            raise OperationalError("UPDATE", {}, Exception("database is locked"))

    progress = RunProgress(
        Broken(workshop.images.engine), workshop.artifacts, workshop.code_versions, STAGES
    )
    progress.begin(keys, "run-1")
    make(workshop, keys[0], progress, STAGES)
    progress.close()
    assert "looked up again" in caplog.text
    states = ImageStates(workshop.images.engine)
    states.forget_runs(["run-1"])
    assert set(states.unknown(10)) == set(keys)
    assert look_up(workshop.artifacts, keys[0]) == Standing(
        keys[0], "complete", provider="local", movement="zoom_in"
    )
    assert look_up(workshop.artifacts, keys[1]) == Standing(keys[1], "missing")
    states.settle([look_up(workshop.artifacts, key) for key in keys])
    assert [i.state for i in states.page(Wanted(), before=None, limit=9).images] == [
        "missing",
        "missing",
        "complete",
    ]
