"""One bad image in a batch costs no other, whichever asset it fails at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from animatize_assets.defs.checks import CHECK_SPECS
from animatize_assets.defs.partitions import range_tags
from animatize_assets.pipeline.stages import NEEDS, STAGES
from animatize_assets_tests.defs.runs import (
    QUIET,
    cheap_definitions,
    failed_images,
    materializations,
    register,
    run,
    states,
)
from animatize_assets_tests.pipeline.cheap import made, wish


def downstream(stage: str) -> set[str]:
    """``stage`` and everything that cannot be made without it."""
    cut = {stage}
    for later in STAGES:
        if cut & set(NEEDS[later]):
            cut.add(later)
    return cut


@pytest.mark.parametrize("stage", STAGES)
def test_nineteen_of_twenty_are_complete_and_one_says_why(
    stage: str, instance: dg.DagsterInstance, data_dir: Path, sizes: dict[str, Any]
) -> None:
    keys = register(instance, data_dir, sizes["batch"]["images"])
    bad = keys[len(keys) // 3]
    wish(data_dir, fail={bad: stage})

    result = run(instance, keys)

    assert not result.success
    failed = failed_images(result)
    assert set(failed) == {bad}
    told = {"asset": stage, "code": "provider_error", "reason": f"{stage} refused."}
    assert failed[bad].items() >= told.items()
    assert "another image" in failed[bad]["remedy"]
    lost = downstream(stage)
    for asset, by_key in states(instance, keys).items():
        assert {key for key, state in by_key.items() if state == "failed"} == (
            {bad} if asset in lost else set()
        )
        assert Counter(by_key.values())["materialized"] == len(keys) - (asset in lost)

    checks = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert len(checks) == len(CHECK_SPECS)  # all of them, though the run failed
    for check in checks.values():
        named = check.metadata["failing"].value
        assert isinstance(named, dict)
        assert set(named) == ({bad} if check.asset_key.to_user_string() in lost else set())
        assert check.passed == (check.asset_key.to_user_string() not in lost)

    before = len(made(data_dir))
    wish(data_dir)
    again = run(instance, keys)
    assert again.success
    assert made(data_dir)[before:] == [(bad, s) for s in STAGES if s in lost]
    assert all(
        set(by_key.values()) == {"materialized"} for by_key in states(instance, keys).values()
    )
    assert sum(
        made_.metadata["reused"].value is True for made_ in materializations(again).values()
    ) == len(keys) * len(STAGES) - len(lost)


def test_an_unexpected_exception_is_one_images_failure_too(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 3)
    wish(data_dir, crash={keys[1]: "scene_analysis"})
    result = run(instance, keys)
    failed = failed_images(result)
    assert set(failed) == {keys[1]}
    assert failed[keys[1]]["asset"] == "scene_analysis"
    assert failed[keys[1]]["code"] == "unexpected_error"
    assert failed[keys[1]]["reason"] == "ZeroDivisionError: nobody expected this"
    assert set(states(instance, keys)["animatic_clip"].values()) == {"materialized", "failed"}
    logged = [e.message for e in instance.all_logs(result.run_id)] + [
        e.user_message for e in instance.all_logs(result.run_id)
    ]
    assert any("Traceback" in text and "ZeroDivisionError" in text for text in logged if text)


def test_one_image_alone_uses_the_same_assets(instance: dg.DagsterInstance, data_dir: Path) -> None:
    (key,) = register(instance, data_dir, 1)
    assert run(instance, [key]).success
    assert all(by_key == {key: "materialized"} for by_key in states(instance, [key]).values())


def test_rendering_again_makes_only_picture_and_clip(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    assert run(instance, keys).success
    before = len(made(data_dir))
    result = run(instance, keys, job="rerender_images", seed=7)
    assert result.success
    assert {stage for _, stage in made(data_dir)[before:]} == {"generated_picture"}
    assert {asset for asset, _ in materializations(result)} == {
        "generated_picture",
        "animatic_clip",
    }
    assert {e.check_name for e in result.get_asset_check_evaluations()} == {
        "picture_is_readable",
        "picture_is_by_the_asked_provider",
        "clip_is_playable",
    }


def stored_file(data_dir: Path, stage: str, image_key: str, name: str) -> Path:
    (found,) = (data_dir / "artifacts" / stage / image_key).glob(f"*/{name}")
    return found


def test_checks_judge_also_what_is_made_without_its_movement(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    """Runs of single assets take the stored camera path; they do not pass for want of one."""
    keys = register(instance, data_dir, 2)
    assert run(instance, keys).success
    clip = stored_file(data_dir, "animatic_clip", keys[0], "clip.mp4")
    clip.write_bytes(clip.read_bytes()[:100])
    prompt = stored_file(data_dir, "motion_prompt", keys[1], "record.json")
    prompt.write_text(prompt.read_text().replace("Slow zoom in, ", "Slow pan left, "))

    def failing(*assets: str) -> dict[str, object]:
        ran = (
            cheap_definitions()
            .resolve_job_def("animate_images")
            .execute_in_process(
                instance=instance,
                tags=range_tags(keys),
                run_config=QUIET,
                asset_selection=[dg.AssetKey(asset) for asset in assets],
            )
        )
        return {
            check.check_name: check.metadata["failing"].value
            for check in ran.get_asset_check_evaluations()
            if not check.passed
        }

    (told,) = failing("generated_picture", "animatic_clip").items()
    assert told[0] == "clip_is_playable"
    assert list(told[1]) == [keys[0]]
    (told,) = failing("motion_prompt").items()
    assert told[0] == "prompt_fits_and_names_the_move"
    assert list(told[1]) == [keys[1]]


def test_rendering_again_what_was_never_made_says_what_to_do(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    (key,) = register(instance, data_dir, 1)
    result = run(instance, [key], job="rerender_images")
    why = failed_images(result)[key]
    assert why["code"] == "storage_failed"
    assert "has no source_image yet; materialize source_image first" in why["reason"]


def test_what_a_person_sees(instance: dg.DagsterInstance, data_dir: Path) -> None:
    (key,) = register(instance, data_dir, 1)
    shown = {asset: m.metadata for (asset, _), m in materializations(run(instance, [key])).items()}
    for metadata in shown.values():
        assert isinstance(metadata["seconds"].value, float)
        assert metadata["reused"].value is False
    assert "data:image/webp;base64," in str(shown["scene_analysis"]["preview"].value)
    moves = str(shown["movement_prediction"]["movement"].value)
    assert moves.startswith("- **zoom in** (camera, 0.72): ")
    assert "so the camera goes to it" in moves
    assert shown["motion_prompt"]["prompt"].value == "Slow zoom in, cinematic."
    assert shown["generated_picture"]["provider"].value == "local"
    assert shown["generated_picture"]["cost_usd"].value == 0.0
    assert "local made" in str(shown["generated_picture"]["picture"].value)
    assert Path(str(shown["animatic_clip"]["file"].value)).is_file()
