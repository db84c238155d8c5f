"""Driving the sensors' ticks by hand: what they ask for, and that they ask for it once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from animatize_assets.defs.nvidia import NvidiaMonitorResource
from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.defs.resources import Stores
from animatize_assets.defs.run_tags import ESTIMATED_TAG, METHOD_TAG
from animatize_assets.defs.run_telemetry import TRACE_TAG
from animatize_assets.defs.sensors import new_images, new_uploads
from animatize_assets.telemetry.tracing import IMAGE_KEY
from animatize_assets_tests.defs.runs import QUIET, cheap_definitions, states
from animatize_assets_tests.pipeline.cheap import made, write_images
from animatize_assets_tests.telemetry.spans import attributes, linked, watched

PERFORMANCE = PerformanceResource(nvidia=NvidiaMonitorResource())


class Daemon:
    """Ticks both sensors and remembers their cursors, like Dagster's daemon."""

    def __init__(self, instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
        self.instance = instance
        self.definitions = definitions
        self.uploads_cursor: str | None = None
        self.images_cursor: str | None = None

    def look_for_uploads(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.uploads_cursor)
        result = new_uploads(context, Stores())
        self.uploads_cursor = result.cursor
        return list(result.run_requests or [])

    def look_for_images(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.images_cursor)
        result = new_images(context, Stores(), PERFORMANCE)
        self.images_cursor = result.cursor or self.images_cursor
        return list(result.run_requests or [])

    def execute(self, request: dg.RunRequest, job: str, **changes: Any) -> bool:
        definitions = changes.get("definitions", self.definitions)
        return (
            definitions.resolve_job_def(job)
            .execute_in_process(
                instance=self.instance,
                run_config={**request.run_config, **QUIET},
                tags=request.tags,
                raise_on_error=False,
            )
            .success
        )

    def tick(self) -> int:
        """Let both sensors look, execute what they ask for; how many runs that was."""
        runs = 0
        for request in self.look_for_uploads():
            self.execute(request, "ingest_uploads")
            runs += 1
        for request in self.look_for_images():
            self.execute(request, "animate_images")
            runs += 1
        return runs


def files_of(request: dg.RunRequest) -> Sequence[str]:
    return request.run_config["ops"]["ingest_files"]["config"]["files"]  # type: ignore[no-any-return]


def untraced(request: dg.RunRequest) -> dict[str, str]:
    """The tags without the trace's, which is there once any test of this process has traced."""
    return {name: value for name, value in request.tags.items() if name != TRACE_TAG}


@pytest.fixture
def daemon(instance: dg.DagsterInstance) -> Daemon:
    return Daemon(instance, cheap_definitions())


def plan(daemon: Daemon, request: dg.RunRequest, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    """A run as another process would have left it."""
    job = daemon.definitions.resolve_job_def("ingest_uploads")
    run = daemon.instance.create_run_for_job(job, run_config=dict(request.run_config))
    if status is dg.DagsterRunStatus.STARTED:
        daemon.instance.report_dagster_event(
            dg.DagsterEvent("PIPELINE_START", job.name), run.run_id
        )
    if status is dg.DagsterRunStatus.FAILURE:
        daemon.instance.report_run_failed(run)
    return run


def test_dropped_files_become_complete_images_in_two_runs(daemon: Daemon, data_dir: Path) -> None:
    write_images(data_dir / "uploads", 3)
    assert daemon.tick() == 0  # may still be growing
    assert daemon.tick() == 2  # one takes them in, one makes them
    keys = daemon.instance.get_dynamic_partitions("images")
    assert len(keys) == 3
    assert all(
        set(of.values()) == {"materialized"} for of in states(daemon.instance, keys).values()
    )
    assert daemon.tick() == 0
    assert daemon.tick() == 0


def test_traces_go_from_the_sensors_into_what_they_ask_for(daemon: Daemon, data_dir: Path) -> None:
    write_images(data_dir / "uploads", 2)
    with watched() as spans:
        assert daemon.tick() == 0
    assert not [each for each in spans if each.name.startswith("sensor ")]
    with watched() as spans:
        assert daemon.tick() == 2
    taken_in = [each for each in spans if each.name == "ingest image"]
    assert len(taken_in) == 2
    assert spans.above(taken_in[0]) == ["run ingest_files", "sensor new_uploads"]
    sensor, run = spans.named("sensor new_images"), spans.named("run image_pipeline")
    assert spans.above(run) == ["sensor new_images"]
    asked = [each for each in spans if each.name == "ask for image"]
    made_here = [each for each in spans if each.name == "animate image"]
    keys = set(daemon.instance.get_dynamic_partitions("images"))
    for found, origin in ((asked, sensor), (made_here, run)):
        assert {attributes(each)[IMAGE_KEY] for each in found} == keys
        assert all(linked(each) == [origin.context.span_id] for each in found if origin.context)
        assert {each.context.trace_id for each in found if each.context} == {
            each.context.trace_id for each in taken_in if each.context
        }


ODD_NAMES = (b"caf\xe9.png", b"-rf.png", b"new\nline.png", b"a" * 250 + b".png", b"null", b"~")


def test_files_of_any_name_become_images_and_what_is_none_is_put_aside(
    daemon: Daemon, data_dir: Path
) -> None:
    uploads = data_dir / "uploads"
    for path, name in zip(write_images(uploads, len(ODD_NAMES)), ODD_NAMES, strict=True):
        path.rename(uploads / os.fsdecode(name))
    (uploads / os.fsdecode(b"refused\xff.png")).write_bytes(b"no picture")
    (uploads / "loop").symlink_to("loop")
    os.mkfifo(uploads / "pipe")
    assert [daemon.tick() for _ in range(4)] == [0, 2, 0, 0]
    keys = daemon.instance.get_dynamic_partitions("images")
    assert len(keys) == len(ODD_NAMES)
    assert set(states(daemon.instance, keys)["animatic_clip"].values()) == {"materialized"}
    assert list(uploads.iterdir()) == []
    aside = {os.fsencode(path.name) for path in (data_dir / "quarantine").iterdir()}
    assert {b"refused\xff.png", b"loop", b"pipe", b"loop.json", b"pipe.json"} <= aside


def test_many_files_at_once_are_few_runs(
    daemon: Daemon, data_dir: Path, sizes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 files at full size: at most 20 runs altogether, ten of them chains."""
    count, per_run = sizes["drop"]["files"], sizes["drop"]["files_per_run"]
    monkeypatch.setattr("animatize_assets.pipeline.watched_folder.BATCH_AFTER_TRIES", (per_run, 1))
    write_images(data_dir / "uploads", count)
    ticks = [daemon.tick() for _ in range(count // per_run + 3)]
    assert sum(ticks) <= 2 * count // per_run
    keys = daemon.instance.get_dynamic_partitions("images")
    assert len(keys) == count
    assert set(states(daemon.instance, keys)["animatic_clip"].values()) == {"materialized"}
    assert len(made(data_dir)) == 6 * count  # nothing twice


def test_a_run_that_is_not_over_keeps_its_files(daemon: Daemon, data_dir: Path) -> None:
    write_images(data_dir / "uploads", 2)
    daemon.look_for_uploads()
    (request,) = daemon.look_for_uploads()
    plan(daemon, request, dg.DagsterRunStatus.STARTED)
    assert daemon.look_for_uploads() == []
    daemon.uploads_cursor = None  # a restart that lost its memory
    assert daemon.look_for_uploads() == []
    assert daemon.look_for_uploads() == []
    write_images(data_dir / "uploads", 1, start=7)
    daemon.look_for_uploads()
    (other,) = daemon.look_for_uploads()
    assert set(files_of(other)).isdisjoint(files_of(request))


def test_a_run_that_died_is_tried_again_but_not_for_ever(daemon: Daemon, data_dir: Path) -> None:
    write_images(data_dir / "uploads", 1)
    daemon.look_for_uploads()
    for _ in range(3):
        (request,) = daemon.look_for_uploads()
        plan(daemon, request, dg.DagsterRunStatus.FAILURE)
    assert daemon.look_for_uploads() == []
    assert (data_dir / "uploads" / "picture 0000.png").exists()
    # Dropped again, it has another chance.
    write_images(data_dir / "uploads", 1)
    daemon.look_for_uploads()
    assert len(daemon.look_for_uploads()) == 1


def test_images_of_a_run_that_goes_on_wait_for_its_end(daemon: Daemon, data_dir: Path) -> None:
    write_images(data_dir / "uploads", 2)
    daemon.look_for_uploads()
    (request,) = daemon.look_for_uploads()
    run = plan(daemon, request, dg.DagsterRunStatus.STARTED)
    daemon.instance.add_dynamic_partitions("images", ["a", "b"])
    for key in ("a", "b"):
        observed = dg.AssetObservation("source_image", partition=key)
        daemon.instance.report_dagster_event(
            dg.DagsterEvent(
                "ASSET_OBSERVATION",
                "ingest_uploads",
                event_specific_data=dg._core.events.AssetObservationData(observed),  # type: ignore[attr-defined]
            ),
            run.run_id,
        )
    assert daemon.look_for_images() == []
    daemon.instance.report_run_failed(run)  # it registered them before it died
    (chain,) = daemon.look_for_images()
    assert untraced(chain) == {
        "dagster/asset_partition_range_start": "a",
        "dagster/asset_partition_range_end": "b",
    }
    assert daemon.look_for_images() == []


def test_a_run_is_queued_with_its_estimate(daemon: Daemon, data_dir: Path) -> None:
    write_images(data_dir / "uploads", 2)
    daemon.look_for_uploads()
    (request,) = daemon.look_for_uploads()
    daemon.execute(request, "ingest_uploads")
    (chain,) = daemon.look_for_images()
    assert float(chain.tags[ESTIMATED_TAG]) > 0
    assert chain.tags[METHOD_TAG] == "heuristic, 0 jobs"

    # When there is something to tell by: the first chain's own jobs.
    assert daemon.execute(chain, "animate_images")
    write_images(data_dir / "uploads", 1, start=2)
    daemon.look_for_uploads()
    (request,) = daemon.look_for_uploads()
    daemon.execute(request, "ingest_uploads")
    (chain,) = daemon.look_for_images()
    assert chain.tags[METHOD_TAG] == "heuristic, 2 jobs"


def test_what_cannot_be_estimated_is_asked_for_all_the_same(
    daemon: Daemon, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(data_dir / "uploads", 1)
    daemon.look_for_uploads()
    (request,) = daemon.look_for_uploads()
    daemon.execute(request, "ingest_uploads")
    a_folder = f"sqlite:///{data_dir}"
    monkeypatch.setenv("ANIMATIZE_PERFORMANCE_DATABASE_URL", a_folder)
    (chain,) = daemon.look_for_images()
    assert set(untraced(chain)) == {"dagster/partition"}


def test_other_images_between_the_new_ones_are_left_alone(daemon: Daemon, data_dir: Path) -> None:
    write_images(data_dir / "uploads", 1)
    daemon.look_for_uploads()
    (first,) = daemon.look_for_uploads()
    daemon.execute(first, "ingest_uploads")
    daemon.instance.add_dynamic_partitions("images", ["somebody-elses"])
    write_images(data_dir / "uploads", 2, start=1)
    daemon.look_for_uploads()
    (second,) = daemon.look_for_uploads()
    daemon.execute(second, "ingest_uploads")
    (one,) = daemon.look_for_images()
    assert one.partition_key is None
    assert "dagster/partition" in one.tags
    assert "dagster/asset_partition_range_start" not in one.tags
    daemon.execute(one, "animate_images")
    (two,) = daemon.look_for_images()
    assert "dagster/asset_partition_range_start" in two.tags
    daemon.execute(two, "animate_images")
    assert daemon.look_for_images() == []
    clips = states(daemon.instance, daemon.instance.get_dynamic_partitions("images"))
    assert clips["animatic_clip"]["somebody-elses"] is None
    assert list(clips["animatic_clip"].values()).count("materialized") == 3


def test_an_image_that_is_there_already_is_not_made_again(daemon: Daemon, data_dir: Path) -> None:
    write_images(data_dir / "uploads", 1)
    daemon.tick()
    assert daemon.tick() == 2
    write_images(data_dir / "uploads", 1)
    daemon.tick()
    assert daemon.tick() == 1  # taken in as a duplicate; no chain
    assert list((data_dir / "uploads").iterdir()) == []


def test_without_a_folder_there_is_nothing_to_do(daemon: Daemon) -> None:
    assert daemon.look_for_uploads() == []
