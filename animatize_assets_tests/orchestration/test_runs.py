"""Runs through the door, against a code location that computes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.orchestration import (
    PipelineRunResult,
    StageFinished,
    end_abandoned_runs,
    image_keys,
    image_states,
    open_instance,
    recent_runs,
    register_images,
    run_images,
)
from animatize_assets.orchestration.code_location import pipeline_assets

FAKE = "animatize_assets_tests.orchestration.fake_code_location"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def instance(data_dir: Path) -> Iterator[DagsterInstance]:
    with open_instance(data_dir) as instance:
        yield instance


def run(instance: DagsterInstance, keys: list[str], **options: object) -> PipelineRunResult:
    return run_images(keys, {}, instance=instance, code_location=FAKE, **options)


def wish(data_dir: Path, **wishes: object) -> None:
    (data_dir / "fake.json").write_text(json.dumps(wishes))


def statuses(result: PipelineRunResult) -> dict[str, str]:
    return {image.image_key: image.status for image in result.images}


def test_neighbours_share_a_run_and_strangers_do_not(instance: DagsterInstance) -> None:
    register_images(instance, ["a", "b", "c", "d", "e"])
    result = run(instance, ["e", "a", "b"])
    assert [image.image_key for image in result.images] == ["e", "a", "b"]
    assert set(statuses(result).values()) == {"complete"}
    assert [image.seconds for image in result.images] == [1.5, 1.5, 1.5]
    assert {image.provider for image in result.images} == {"local"}
    assert {image.cost_usd for image in result.images} == {0.0}
    assert len(result.run_ids) == 2
    assert {run.images for run in recent_runs(instance)} == {"a...b", "e"}
    states = image_states(instance, ["a", "b", "c", "d", "e"], pipeline_assets(FAKE))
    assert states == {
        "a": "complete",
        "b": "complete",
        "c": "missing",
        "d": "missing",
        "e": "complete",
    }


def test_one_bad_image_costs_no_other_and_says_why(
    instance: DagsterInstance, data_dir: Path
) -> None:
    keys = ["a", "b", "c"]
    register_images(instance, keys)
    wish(data_dir, fail={"b": "motion_prompt"})
    result = run(instance, keys)
    assert statuses(result) == {"a": "complete", "b": "failed", "c": "complete"}
    assert result.images[1].reason == "motion_prompt: motion_prompt of b broke."
    assert result.images[1].seconds == 0.75
    assert not result.problems
    states = image_states(instance, keys, pipeline_assets(FAKE))
    assert states == {"a": "complete", "b": "failed", "c": "complete"}

    wish(data_dir)
    assert statuses(run(instance, ["b"])) == {"b": "complete"}
    assert image_states(instance, ["b"], pipeline_assets(FAKE)) == {"b": "complete"}


def test_a_run_that_breaks_is_told_in_one_line(instance: DagsterInstance, data_dir: Path) -> None:
    register_images(instance, ["a"])
    wish(data_dir, crash=True)
    result = run(instance, ["a"])
    assert statuses(result) == {"a": "failed"}
    assert result.images[0].reason == "In step 'image_pipeline': the cellar is flooded"
    assert result.problems == (result.images[0].reason,)


def test_cancel_keeps_what_was_finished_and_marks_the_run_canceled(
    instance: DagsterInstance,
) -> None:
    keys = ["a", "b", "c"]
    register_images(instance, keys)
    cancel = Event()
    seen: list[StageFinished] = []

    def after_the_first_image(stage: StageFinished) -> None:
        seen.append(stage)
        if len(seen) == 6:
            cancel.set()

    result = run(instance, keys, on_event=after_the_first_image, cancel=cancel)
    assert result.canceled
    assert statuses(result) == {"a": "complete", "b": "failed", "c": "failed"}
    assert result.images[1].reason == "Canceled before it was complete."
    (only,) = recent_runs(instance)
    assert only.status == "canceled"
    assert image_states(instance, keys, pipeline_assets(FAKE))["a"] == "complete"
    assert statuses(run(instance, ["b", "c"])) == {"b": "complete", "c": "complete"}


def test_a_run_canceled_before_it_starts_never_starts(instance: DagsterInstance) -> None:
    register_images(instance, ["a"])
    cancel = Event()
    cancel.set()
    result = run(instance, ["a"], cancel=cancel)
    assert result.run_ids == ()
    assert result.images[0].reason == "Canceled before its run started."


def test_an_unknown_key_is_refused(instance: DagsterInstance) -> None:
    with pytest.raises(OrchestrationFailed, match="nobody"):
        run(instance, ["nobody"])


def test_a_part_of_the_pipeline(instance: DagsterInstance) -> None:
    register_images(instance, ["a"])
    result = run(instance, ["a"], assets=["source_image", "scene_analysis"])
    assert statuses(result) == {"a": "complete"}
    assert set(result.stages["a"]) == {"source_image", "scene_analysis"}
    assert image_states(instance, ["a"], pipeline_assets(FAKE)) == {"a": "missing"}


def test_other_code_or_other_inputs_show_as_stale(
    instance: DagsterInstance, data_dir: Path
) -> None:
    register_images(instance, ["a", "b"])
    wish(data_dir, code_version="0")
    run(instance, ["a"])
    wish(data_dir)
    run(instance, ["b"])
    assert image_states(instance, ["a", "b"], pipeline_assets(FAKE)) == {
        "a": "stale",
        "b": "complete",
    }


def test_registering_twice_changes_nothing(instance: DagsterInstance) -> None:
    register_images(instance, ["b", "a"])
    register_images(instance, ["a", "c", "b", "c"])
    assert image_keys(instance) == ("b", "a", "c")


def test_a_killed_process_leaves_a_run_that_the_next_one_ends(
    instance: DagsterInstance, data_dir: Path
) -> None:
    keys = ["a", "b", "c"]
    register_images(instance, keys)
    wish(data_dir, kill_at=1)
    script = (
        "from pathlib import Path\n"
        "from animatize_assets.orchestration import open_instance, run_images\n"
        f"with open_instance(Path({str(data_dir)!r})) as instance:\n"
        f"    run_images({keys!r}, {{}}, instance=instance, code_location={FAKE!r})\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], env=dict(os.environ), check=False)
    assert killed.returncode == -9
    (left,) = recent_runs(instance)
    assert left.status == "started"

    assert end_abandoned_runs(instance) == (left.run_id,)
    run_after = instance.get_run_by_id(left.run_id)
    assert run_after is not None
    assert run_after.status is DagsterRunStatus.FAILURE
    assert end_abandoned_runs(instance) == ()
    states = image_states(instance, keys, pipeline_assets(FAKE))
    assert states == {"a": "complete", "b": "failed", "c": "failed"}
    wish(data_dir)
    assert statuses(run(instance, ["b", "c"])) == {"b": "complete", "c": "complete"}
