"""What a person changed makes exactly its results stale, as Dagster itself sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleCauseCategory
from dagster._core.loader import LoadingContextForTest

from animatize_assets.pipeline.stages import STAGES
from animatize_assets.pipeline.versions import code_versions
from animatize_assets_tests.defs.runs import cheap_definitions, register, run
from animatize_assets_tests.pipeline.cheap import made
from animatize_assets_tests.scene.test_optional_models import brightness_network


def stale(
    instance: dg.DagsterInstance, definitions: dg.Definitions, keys: Sequence[str]
) -> dict[tuple[str, str], set[StaleCauseCategory]]:
    """(asset, image key) -> why it is stale; fresh ones are left out."""
    resolver = CachingStaleStatusResolver(
        instance, definitions.resolve_asset_graph(), LoadingContextForTest(instance)
    )
    return {
        (stage, key): {cause.category for cause in causes}
        for stage in STAGES
        for key in keys
        if (causes := resolver.get_stale_causes(dg.AssetKey(stage), key))
    }


def test_nothing_is_stale_after_a_run(instance: dg.DagsterInstance, data_dir: Path) -> None:
    keys = register(instance, data_dir, 2)
    definitions = cheap_definitions()
    assert run(instance, keys, definitions=definitions).success
    assert stale(instance, definitions, keys) == {}
    assert run(instance, keys, definitions=definitions).success  # all of it reused
    assert stale(instance, definitions, keys) == {}


CODE, DATA = StaleCauseCategory.CODE, StaleCauseCategory.DATA


@pytest.mark.parametrize(
    ("changed", "touched"),
    [
        ({"rules_version": "2+other"}, "movement_prediction"),
        ({"dialects_version": "2+other"}, "motion_prompt"),
    ],
)
def test_another_rule_or_template_file_shows_on_its_asset_alone(
    changed: dict[str, str], touched: str, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 3)
    assert run(instance, keys[:2]).success
    new = cheap_definitions(code_versions(**changed), **changed)
    assert run(instance, keys[2:], definitions=new).success  # made with the new file already
    assert stale(instance, new, keys) == {(touched, key): {CODE} for key in keys[:2]}

    before = len(made(data_dir))
    assert run(instance, keys, definitions=new).success
    assert stale(instance, new, keys) == {}
    # The new file gave the same answers, so nothing was built on them again.
    assert made(data_dir)[before:] == [(key, touched) for key in keys[:2]]


@pytest.mark.parametrize("stage", STAGES)
def test_another_code_version_shows_on_its_asset_alone(
    stage: str, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    (key,) = register(instance, data_dir, 1)
    assert run(instance, [key]).success
    changed = cheap_definitions(code_versions() | {stage: "another"})
    assert stale(instance, changed, [key]) == {(stage, key): {CODE}}


def test_a_new_result_makes_what_was_built_on_the_old_one_stale(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    definitions = cheap_definitions()
    assert run(instance, keys, definitions=definitions).success
    only_prompt = definitions.resolve_job_def("animate_images").execute_in_process(
        instance=instance,
        partition_key=keys[0],
        asset_selection=[dg.AssetKey("motion_prompt")],
        run_config={"ops": {"image_pipeline": {"config": {"style": "noir"}}}},
    )
    assert only_prompt.success
    assert stale(instance, definitions, keys) == {("generated_picture", keys[0]): {DATA}}


def test_another_depth_model_shows_on_the_scene_analysis_alone(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = register(instance, data_dir, 3)
    assert run(instance, keys[:2]).success
    model = data_dir / "depth.onnx"
    monkeypatch.setenv("ANIMATIZE_DEPTH_MODEL", str(model))

    def shown(key: str) -> dict[tuple[str, str], set[StaleCauseCategory]]:
        return {("scene_analysis", key): {CODE}}

    # Named, but not there: the code location loads all the same, and its runs say what is wrong.
    without_file = cheap_definitions()
    assert stale(instance, without_file, keys[:1]) == shown(keys[0])
    assert not run(instance, keys[:1], definitions=without_file).success

    brightness_network(model)
    with_model = cheap_definitions()
    assert run(instance, keys[2:], definitions=with_model).success
    assert stale(instance, with_model, keys) == shown(keys[0]) | shown(keys[1])

    brightness_network(model, side=32)  # another model under the same name
    assert stale(instance, cheap_definitions(), keys[2:]) == shown(keys[2])
    monkeypatch.delenv("ANIMATIZE_DEPTH_MODEL")
    assert stale(instance, cheap_definitions(), keys) == shown(keys[2])
