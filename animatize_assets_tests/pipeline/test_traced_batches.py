"""A question in a batch remembers its image's trace, and the batch the one that sent it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from upath import UPath

from animatize_assets.database.tables import expansion_lines
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.batching import submit_expansions
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import run_stages
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.pipeline.cheap import write_images
from animatize_assets_tests.telemetry.spans import attributes, linked, watched


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@pytest.fixture
def workshop(server: LoopbackServer, tmp_path: Path) -> Iterator[Workshop]:
    openai = ProviderSetup(SecretStr(server.keys["openai"]), server.openai_url)
    stores = open_stores(UPath(tmp_path / "data"), ImageLimits())
    opened = open_workshop(*stores, generation=GenerationSetup(providers={"openai": openai}))
    with closing(opened):
        yield opened


def test_a_batch_leads_back_to_its_images_traces(
    workshop: Workshop, server: LoopbackServer, tmp_path: Path
) -> None:
    request = PipelineRequest(expand="draft")
    with watched() as uploads:
        (path,) = write_images(tmp_path / "given", 1)
        key = workshop.images.ingest(path).image_key or ""
    for _ in run_stages(
        workshop, key, PipelineRequest(), ("source_image", "scene_analysis", "movement_prediction")
    ):
        pass
    with watched() as spans:
        assert submit_expansions(workshop, [key], request).asked == 1
    asked, created = spans.named("ask in a batch"), spans.named("create batch gpt-6-luna")
    assert asked.context is not None
    assert {asked.context.trace_id} == uploads.trace_ids()
    with workshop.images.engine.connect() as connection:
        (kept,) = connection.scalars(select(expansion_lines.c.traceparent))
    assert kept.startswith(f"00-{asked.context.trace_id:032x}-{asked.context.span_id:016x}-")
    assert linked(created) == [asked.context.span_id]
    (sent,) = server.calls("openai.batches")
    metadata = json.loads(sent.body)["metadata"]
    assert created.context is not None
    assert metadata["traceparent"].split("-")[1] == f"{created.context.trace_id:032x}"
    assert metadata["animatize_batch"] == attributes(created)["animatize.batch.key"]
