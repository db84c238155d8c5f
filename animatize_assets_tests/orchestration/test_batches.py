"""How far a batch is, read from a real Dagster instance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.partitions.subset import DefaultPartitionsSubset
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.defs import run_tags
from animatize_assets.errors import BatchNotFound
from animatize_assets.orchestration import (
    BATCH_TAG,
    BatchProgress,
    batch_progress,
    ended_runs,
    finishing,
    open_instance,
    register_images,
    run_images,
)
from animatize_assets.orchestration.batches import ESTIMATED_TAG, RANGE_TAG
from animatize_assets.orchestration.code_location import load_definitions
from animatize_assets.orchestration.runs import PROCESS_TAG

FAKE = "animatize_assets_tests.orchestration.fake_code_location"
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEYS = ["a", "b", "c", "d"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def instance(data_dir: Path) -> Iterator[DagsterInstance]:
    with open_instance(data_dir) as instance:
        register_images(instance, KEYS)
        yield instance


def run(instance: DagsterInstance, keys: list[str], **tags: str) -> tuple[str, ...]:
    named = {name.replace("__", "/"): value for name, value in tags.items()}
    return run_images(
        keys, {}, instance=instance, code_location=FAKE, tags_of=lambda _: named
    ).run_ids


def batch(**changes: Any) -> BatchProgress:
    known: dict[str, Any] = {
        "batch_id": "x",
        "kind": "run",
        "status": "running",
        "run_ids": ("x",),
        "images": 4,
        "results_made": 12,
        "results_wanted": 24,
        "progress": 0.5,
        "failed_images": {},
        "problems": (),
        "queued_at": NOW - timedelta(seconds=60),
        "started_at": NOW - timedelta(seconds=50),
        "ended_at": None,
        "estimated_seconds": 100.0,
        "estimated_interval_80": (80.0, 140.0),
    }
    return BatchProgress(**known | changes)


def test_the_tags_are_those_that_runs_get() -> None:
    assert (ESTIMATED_TAG, RANGE_TAG) == (run_tags.ESTIMATED_TAG, run_tags.RANGE_TAG)


def test_a_run_tells_what_was_asked_and_what_is_made(instance: DagsterInstance) -> None:
    (run_id,) = run(
        instance,
        ["b", "c"],
        animatize__estimated_seconds="12.5",
        animatize__estimated_range="9.1 to 21 (80 %)",
    )
    told = batch_progress(instance, run_id)
    assert (told.kind, told.status, told.run_ids) == ("run", "complete", (run_id,))
    assert (told.images, told.results_made, told.results_wanted) == (2, 12, 12)
    assert told.progress == 1
    assert (told.estimated_seconds, told.estimated_interval_80) == (12.5, (9.1, 21.0))
    assert told.queued_at is not None
    assert told.started_at is not None
    assert told.ended_at is not None
    assert told.queued_at <= told.started_at <= told.ended_at
    assert finishing(told, NOW) is None


def test_failed_images_are_named_with_their_reasons(
    instance: DagsterInstance, data_dir: Path
) -> None:
    (data_dir / "fake.json").write_text(json.dumps({"fail": {"b": "generated_picture"}}))
    (run_id,) = run(instance, ["a", "b"])
    told = batch_progress(instance, run_id)
    assert told.status == "failed"
    assert list(told.failed_images) == ["b"]
    assert told.failed_images["b"].startswith("generated_picture: ")
    assert told.problems == ()
    assert 0 < told.progress < 1


def test_a_failure_of_no_image_is_a_problem(instance: DagsterInstance, data_dir: Path) -> None:
    (data_dir / "fake.json").write_text(json.dumps({"crash": True}))
    told = batch_progress(instance, run(instance, ["a"])[0])
    assert told.failed_images == {}
    assert "the cellar is flooded" in told.problems[0]


def test_the_runs_of_one_request_are_told_together(instance: DagsterInstance) -> None:
    tags = {BATCH_TAG.replace("/", "__"): "batch-1", "animatize__estimated_seconds": "5"}
    run_ids = run(instance, ["a", "c", "d"], **tags)
    assert len(run_ids) == 2
    told = batch_progress(instance, "batch-1")
    assert (told.kind, told.run_ids, told.images) == ("batch", run_ids, 3)
    assert (told.results_made, told.progress, told.estimated_seconds) == (18, 1, 10)
    assert told.estimated_interval_80 is None


def test_a_range_without_a_count_is_counted_in_partition_order(instance: DagsterInstance) -> None:
    definition = load_definitions(FAKE).resolve_job_def("animate_images")
    tags = {"dagster/asset_partition_range_start": "b", "dagster/asset_partition_range_end": "d"}
    waiting = instance.create_run_for_job(definition, tags=tags)
    told = batch_progress(instance, waiting.run_id)
    assert (told.status, told.images, told.results_made) == ("queued", 3, 0)
    assert told.started_at is told.ended_at is None


def test_a_backfill_counts_what_its_target_holds(instance: DagsterInstance) -> None:
    backfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id="fillback",
        asset_graph_subset=AssetGraphSubset(
            partitions_subsets_by_asset_key={
                dg.AssetKey(name): DefaultPartitionsSubset({"a", "b", "c"})
                for name in ("source_image", "scene_analysis")
            }
        ),
        backfill_timestamp=NOW.timestamp(),
        tags={},
        dynamic_partitions_store=instance,
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    told = batch_progress(instance, "fillback")
    assert (told.kind, told.status, told.queued_at) == ("backfill", "queued", NOW)
    assert (told.results_made, told.results_wanted, told.progress) == (0, 6, 0)
    instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELED))
    assert batch_progress(instance, "fillback").status == "canceled"


def test_what_is_not_there_is_said_so(instance: DagsterInstance) -> None:
    with pytest.raises(BatchNotFound, match="'nowhere'"):
        batch_progress(instance, "nowhere")


def test_runs_that_are_over_gone_or_killed_have_ended(instance: DagsterInstance) -> None:
    (done,) = run(instance, ["a"])
    definition = load_definitions(FAKE).resolve_job_def("animate_images")

    def waiting(**tags: str) -> str:
        return instance.create_run_for_job(
            definition, status=DagsterRunStatus.STARTED, tags=tags
        ).run_id

    killed, alive = waiting(**{PROCESS_TAG: "of a dead process"}), waiting()
    assert ended_runs(instance, [done, "gone", killed, alive]) == {done, "gone", killed}
    assert ended_runs(instance, []) == frozenset()


def test_what_remains_of_the_estimate_is_still_to_come() -> None:
    told = finishing(batch(), NOW)
    assert told is not None
    assert told.finishing_at == NOW + timedelta(seconds=50)
    assert told.interval_80 == (NOW + timedelta(seconds=40), NOW + timedelta(seconds=70))


def test_without_an_estimate_the_pace_goes_on() -> None:
    told = finishing(batch(estimated_seconds=None, estimated_interval_80=None), NOW)
    assert told is not None
    assert (told.finishing_at, told.interval_80) == (NOW + timedelta(seconds=50), None)
    assert finishing(batch(estimated_seconds=None, progress=0), NOW) is None
    assert finishing(batch(progress=None), NOW) is None


@given(share=st.floats(0, 1), further=st.floats(0, 1))
def test_more_progress_never_means_later(share: float, further: float) -> None:
    less, more = sorted((share, further))
    later, sooner = (finishing(batch(progress=each), NOW) for each in (less, more))
    assert later is not None
    assert sooner is not None
    assert NOW <= sooner.finishing_at <= later.finishing_at
