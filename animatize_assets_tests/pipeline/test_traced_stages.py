"""An image's trace begins with its upload and goes through every stage, whoever continues it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from animatize_assets.errors import ProviderError
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.side_by_side import run_images
from animatize_assets.pipeline.stages import STAGES, StageOutcome, run_stages
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop
from animatize_assets.telemetry import tracing
from animatize_assets_tests.pipeline.cheap import cheap_stages, write_images
from animatize_assets_tests.telemetry.reading import points, sums
from animatize_assets_tests.telemetry.spans import Spans, attributes, linked, watched


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    data_dir = tmp_path / "data"
    opened = open_workshop(*open_stores(UPath(data_dir), ImageLimits()))
    return replace(opened, stages=cheap_stages(data_dir), run_id="run-1")


def ingested(workshop: Workshop, folder: Path, number: int = 1) -> list[str]:
    return [workshop.images.ingest(path).image_key or "" for path in write_images(folder, number)]


def run(workshop: Workshop, key: str) -> dict[str, StageOutcome]:
    found = run_stages(workshop, key, PipelineRequest())
    return {outcome.stage: outcome for outcome in found}


def test_one_trace_leads_from_the_upload_to_every_stage(workshop: Workshop, tmp_path: Path) -> None:
    with watched() as spans:
        (key,) = ingested(workshop, tmp_path)
        found = run(workshop, key)
    (trace_id,) = spans.trace_ids()
    assert {outcome.trace_id for outcome in found.values()} == {f"{trace_id:032x}"}
    for stage in STAGES:
        span = spans.named(stage)
        assert spans.above(span) == ["animate image", "ingest image"]
        told = attributes(span)
        assert told[tracing.IMAGE_KEY] == key
        assert told[tracing.RUN_ID] == "run-1"
        assert told[tracing.JOB_ID] == f"run-1/{stage}/{key}"
        assert told[tracing.STAGE_STATUS] == "done"


def test_what_is_found_again_is_no_job(workshop: Workshop, tmp_path: Path) -> None:
    (key,) = ingested(workshop, tmp_path)
    run(workshop, key)
    with watched() as spans:
        run(workshop, key)
    for stage in STAGES:
        told = attributes(spans.named(stage))
        assert told[tracing.STAGE_STATUS] == "reused"
        assert tracing.JOB_ID not in told


def test_images_side_by_side_keep_apart_and_know_their_run(
    workshop: Workshop, tmp_path: Path
) -> None:
    keys = ingested(workshop, tmp_path, 3)
    with watched() as spans, tracing.span("run") as around:
        assert len(list(run_images(workshop, keys, PipelineRequest(), at_once=3))) == 18
    images = Spans(span for span in spans if span.name == "animate image")
    assert len(images.trace_ids()) == len(keys)
    for image in images:
        assert linked(image) == [around.get_span_context().span_id]


def test_a_failed_stage_names_its_trace_and_what_to_do(workshop: Workshop, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise ProviderError("The account is empty.", kind="quota")

    stages = dict(workshop.stages)
    stages["generated_picture"] = replace(stages["generated_picture"], make=fail)
    failed = {"stage": "generated_picture", "error.type": "quota"}
    before = sums("animatize.errors").get(frozenset(failed.items()), 0)
    with watched() as spans:
        (key,) = ingested(workshop, tmp_path)
        found = run(replace(workshop, stages=stages), key)["generated_picture"]
    span = spans.named("generated_picture")
    assert attributes(span)["error.type"] == "quota"
    assert {found.trace_id} == {f"{trace_id:032x}" for trace_id in spans.trace_ids()}
    assert found.error is not None
    assert (found.error.code, found.error.kind) == ("provider_error", "quota")
    assert "Top up" in found.error.remedy
    assert sums("animatize.errors")[frozenset(failed.items())] == before + 1


def test_every_stage_is_measured_by_how_it_ended(workshop: Workshop, tmp_path: Path) -> None:
    def counts() -> dict[tuple[str, str], int]:
        return {
            (str(dict(key)["stage"]), str(dict(key)["status"])): point.count
            for key, point in points("animatize.stage.duration").items()
        }

    before = counts()
    (key,) = ingested(workshop, tmp_path)
    run(workshop, key)
    run(workshop, key)
    after = counts()
    for stage in STAGES:
        for status in ("done", "reused"):
            assert after[stage, status] - before.get((stage, status), 0) == 1
