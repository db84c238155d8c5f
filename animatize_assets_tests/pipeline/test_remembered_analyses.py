"""An analysis that was read once is not read again, unless something else is stored there now."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from animatize_assets.generation.memory_cache import MemoryBudget, MemoryCache, size_in_bytes
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.remembered_analyses import STAGE, RememberedAnalyses, Stored
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.source_opening import memory_usage
from animatize_assets.pipeline.stages import run_stages
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets_tests.pipeline.cheap import cheap_stages, write_images


@pytest.fixture
def kept() -> MemoryCache[Stored, SceneAnalysis]:
    return MemoryBudget().cache("analyses", 1_000_000, size_in_bytes)


@pytest.fixture
def workshop(tmp_path: Path, kept: MemoryCache[Stored, SceneAnalysis]) -> Workshop:
    opened = open_workshop(*open_stores(UPath(tmp_path / "data"), ImageLimits()))
    return replace(
        opened, stages=cheap_stages(tmp_path / "data"), analyses=RememberedAnalyses(kept)
    )


@pytest.fixture
def key(workshop: Workshop, tmp_path: Path) -> str:
    (path,) = write_images(tmp_path / "given", 1)
    return workshop.images.ingest(path).image_key or ""


def status_of_the_analysis(workshop: Workshop, key: str, **request: object) -> str:
    asked = PipelineRequest.model_validate(request)
    return {each.stage: each.status for each in run_stages(workshop, key, asked)}[STAGE]


def test_another_style_reads_no_analysis_again(
    workshop: Workshop, key: str, kept: MemoryCache[Stored, SceneAnalysis]
) -> None:
    styles = ("cinematic", "noir", "warm", "vivid")
    assert [status_of_the_analysis(workshop, key, style=style) for style in styles] == [
        "done", "reused", "reused", "reused",
    ]  # fmt: skip
    assert kept.usage().hits == 2  # made, read, and then remembered
    assert 0 < kept.usage().bytes <= 1_000_000


def test_what_was_changed_or_removed_since_is_noticed(workshop: Workshop, key: str) -> None:
    for _ in range(2):
        status_of_the_analysis(workshop, key)
    (record,) = Path(workshop.artifacts.data_dir.path).glob(
        f"artifacts/{STAGE}/{key}/*/record.json"
    )
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"confidence": 0.125}))
    assert workshop.analyses is not None
    found = workshop.analyses.find(workshop.artifacts, key, record.parent.name)
    assert found is not None
    assert found.confidence == 0.125
    record.unlink()
    assert workshop.analyses.find(workshop.artifacts, key, record.parent.name) is None
    assert status_of_the_analysis(workshop, key) == "done"


def test_a_workshop_shares_the_processs_cache(tmp_path: Path) -> None:
    for name in ("one", "other"):
        workshop = open_workshop(*open_stores(UPath(tmp_path / name), ImageLimits()))
        assert workshop.analyses is not None
    told = {each.name: each for each in memory_usage()}
    assert told["analyses"].max_bytes <= 200_000_000
    assert sum(each.max_bytes for each in told.values()) <= 200_000_000
