"""Finished work is found again, exactly what changed is made again, and failures stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from animatize_assets.generation.models import PictureRecord
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import NEEDS, STAGES, StageOutcome, run_stages
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop
from animatize_assets_tests.pipeline.cheap import cheap_stages, wish, write_images


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def workshop(data_dir: Path) -> Workshop:
    stores = open_stores(UPath(data_dir), ImageLimits())
    workshop = open_workshop(*stores)
    return replace(workshop, stages=cheap_stages(data_dir))


@pytest.fixture
def key(workshop: Workshop, tmp_path: Path) -> str:
    (path,) = write_images(tmp_path / "given", 1)
    return workshop.images.ingest(path).image_key or ""


def outcomes(
    workshop: Workshop, key: str, stages: Sequence[str] = STAGES, **request: object
) -> dict[str, StageOutcome]:
    asked = PipelineRequest.model_validate(request)
    return {outcome.stage: outcome for outcome in run_stages(workshop, key, asked, stages)}


def made(found: dict[str, StageOutcome]) -> set[str]:
    return {stage for stage, outcome in found.items() if outcome.status == "done"}


def test_the_second_run_makes_nothing(workshop: Workshop, key: str) -> None:
    first = outcomes(workshop, key)
    assert list(first) == list(STAGES)
    assert made(first) == set(STAGES)
    second = outcomes(workshop, key)
    assert {outcome.status for outcome in second.values()} == {"reused"}
    for stage in STAGES:
        assert second[stage].record == first[stage].record
        assert second[stage].data_version == first[stage].data_version
        assert second[stage].inputs == first[stage].inputs
        assert set(first[stage].inputs) == set(NEEDS[stage])


@pytest.mark.parametrize(
    ("request_", "remade"),
    [
        ({"target": "veo"}, {"motion_prompt", "generated_picture"}),
        ({"style": "noir"}, {"motion_prompt", "generated_picture"}),
        ({"seed": 1}, {"generated_picture"}),
        ({"grade": False}, {"generated_picture"}),
        ({"size": [64, 64]}, {"movement_prediction", "generated_picture", "animatic_clip"}),
    ],
)
def test_a_request_remakes_what_reads_it(
    request_: dict[str, object], remade: set[str], workshop: Workshop, key: str
) -> None:
    outcomes(workshop, key)
    assert made(outcomes(workshop, key, **request_)) == remade
    # Asking as before finds the results of before.
    back = outcomes(workshop, key)
    assert made(back) == set()
    for stage in remade:
        assert workshop.artifacts.current_fingerprint(stage, key) == back[stage].fingerprint


def test_other_rules_that_say_the_same_remake_nothing_after_them(
    workshop: Workshop, key: str
) -> None:
    outcomes(workshop, key)
    other = replace(workshop, rules=replace(workshop.rules, version="other"))
    assert made(outcomes(other, key)) == {"movement_prediction"}


def test_another_scene_model_remakes_the_scene_and_what_is_built_on_it(
    workshop: Workshop, key: str
) -> None:
    outcomes(workshop, key)
    other = replace(workshop, scene_models_digest="a depth model")
    assert made(outcomes(other, key)) == set(STAGES) - {"source_image"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_failure_costs_only_what_needs_it(
    stage: str, workshop: Workshop, key: str, data_dir: Path
) -> None:
    wish(data_dir, fail={key: stage})
    found = outcomes(workshop, key)
    cut = {stage}
    for later in STAGES:
        if cut & set(NEEDS[later]):
            cut.add(later)
    assert found[stage].status == "failed"
    assert found[stage].error is not None
    assert found[stage].error.code == "provider_error"
    assert {s for s, o in found.items() if o.status == "skipped"} == cut - {stage}
    assert made(found) == set(STAGES) - cut
    wish(data_dir)
    assert made(outcomes(workshop, key)) == cut


def test_a_makeshift_picture_stays_while_the_better_one_cannot_be_had(
    workshop: Workshop, key: str, data_dir: Path
) -> None:
    picture = workshop.stages["generated_picture"]
    unsure = {**workshop.stages, "generated_picture": replace(picture, is_final=lambda _: False)}
    workshop = replace(workshop, stages=unsure)
    first = outcomes(workshop, key)["generated_picture"].record
    assert isinstance(first, PictureRecord)
    wish(data_dir, fail={key: "generated_picture"})
    assert outcomes(workshop, key)["generated_picture"].status == "failed"
    assert workshop.artifacts.current("generated_picture", key, PictureRecord) == first
    assert workshop.artifacts.upath(first.path).exists()
    wish(data_dir)
    assert made(outcomes(workshop, key)) == {"generated_picture"}


def test_a_clip_is_made_without_a_provider(workshop: Workshop, key: str) -> None:
    found = outcomes(workshop, key, provider="nobody")
    assert found["generated_picture"].error is not None
    assert found["generated_picture"].error.code == "not_configured"
    assert "There is: local" in found["generated_picture"].error.reason
    assert found["animatic_clip"].status == "done"


def test_a_part_builds_on_what_is_stored(workshop: Workshop, key: str) -> None:
    missing = outcomes(workshop, key, ["animatic_clip"])["animatic_clip"]
    assert missing.status == "failed"
    assert missing.error is not None
    assert missing.error.code == "storage_failed"
    outcomes(workshop, key, STAGES[:3])
    assert made(outcomes(workshop, key, ["animatic_clip"])) == {"animatic_clip"}


def test_an_image_that_is_unknown_or_damaged_says_so(
    workshop: Workshop, key: str, data_dir: Path
) -> None:
    unknown = outcomes(workshop, "nobody-0000000000000000")
    assert unknown["source_image"].error is not None
    assert unknown["source_image"].error.code == "image_not_found"
    assert {o.status for s, o in unknown.items() if s != "source_image"} == {"skipped"}


def test_an_interrupt_is_nobodys_failure(workshop: Workshop, key: str) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    stage = replace(workshop.stages["scene_analysis"], make=interrupted)
    interrupting = replace(workshop, stages={**workshop.stages, "scene_analysis": stage})
    with pytest.raises(KeyboardInterrupt):
        outcomes(interrupting, key)
