"""The data files: what ships is whole, and a broken one says everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from animatize_assets.errors import ImpossibleCameraPath, InvalidRule
from animatize_assets.movement.camera_path import check_camera_path
from animatize_assets.movement.models import CameraMove, Direction
from animatize_assets.movement.rules import load_rules
from animatize_assets.prompts.color_names import lab_of, nearest_name
from animatize_assets.prompts.compiler import compile_prompt
from animatize_assets.prompts.dialects import (
    DIALECTS_FILE,
    DIRECTIONS_OF,
    TARGETS,
    load_dialects,
)
from animatize_assets.prompts.templates import TEMPLATES_FILE, load_templates
from animatize_assets_tests.prompts import scenes

Edit = Callable[[dict[str, Any]], object]


def edited(original: Path, folder: Path, edit: Edit) -> Path:
    content = yaml.safe_load(original.read_text())
    edit(content)
    path = folder / original.name
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_every_target_names_every_move_in_every_direction() -> None:
    assert load_dialects().names == TARGETS
    assert set(DIRECTIONS_OF) == set(get_args(CameraMove))
    for target in TARGETS:
        phrases = [
            load_dialects().of(target).camera_phrase(move, direction)
            for move, directions in DIRECTIONS_OF.items()
            for direction in (directions or (None,))
        ]
        assert len(set(phrases)) == len(phrases) == len(scenes.ALL_MOVES)


def test_a_move_without_its_direction_is_refused() -> None:
    with pytest.raises(InvalidRule, match=r"'pan' with direction 'None'.*left, right"):
        load_dialects().of("veo").camera_phrase("pan", None)


def test_every_movement_that_a_rule_can_predict_has_words() -> None:
    types = {
        rule.move.type
        for rule in load_rules().rules
        if rule.category in ("character", "environment")
    }
    assert types - set(load_templates().file.words.movement) == set()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            lambda c: (c["dialects"]["veo"].pop("limit"), c["dialects"]["wan"].pop("negative")),
            ["dialects.veo.limit", "dialects.wan.negative"],
        ),
        (
            lambda c: (
                c["dialects"]["veo"]["camera"].pop("orbit"),
                c["dialects"]["flux"]["camera"]["pan"].pop("left"),
            ),
            ["veo.camera.orbit is missing", "flux.camera.pan must name exactly: left, right"],
        ),
        (lambda c: c["dialects"]["pika"]["duration"].pop("seconds"), ["pika.duration.seconds"]),
        (lambda c: c["dialects"]["runway"].update(aspect=["wide"]), ["'wide' is not W:H"]),
        (lambda c: c["dialects"]["sora"].update(mood="calm"), ["dialects.sora.mood"]),
        (
            lambda c: c["dialects"]["sora"]["camera"].update(static="Camera: slow dolly in"),
            ["sora.camera names two moves alike"],
        ),
        (lambda c: c.pop("version"), ["version"]),
    ],
)
def test_a_broken_dialect_file_lists_what_is_wrong(
    tmp_path: Path, edit: Edit, said: list[str]
) -> None:
    with pytest.raises(InvalidRule) as caught:
        load_dialects(edited(DIALECTS_FILE, tmp_path, edit))
    assert all(words in caught.value.message for words in said)


def say(part: int, text: str) -> Edit:
    return lambda content: content["parts"]["video"][part].update(text=text)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            lambda c: (say(3, "{mood} {weather}.")(c), say(4, "{smell}.")(c)),
            ["'mood'", "'weather'", "'smell'"],
        ),
        (say(0, "The camera moves."), ["no part with drop 0 says {camera_phrase}"]),
        (lambda c: c["styles"]["noir"].update(omits=["sound"]), ["no part is called 'sound'"]),
        (lambda c: c["words"].pop("key"), ["words.key"]),
        (lambda c: c["words"]["place"].pop("left"), ["words.place.left is missing"]),
        (lambda c: c["thresholds"].update(contrast_high=3), ["thresholds.contrast_high"]),
        (lambda c: c["colors"].update(sky="blue"), ["'blue' is not #rrggbb"]),
    ],
)
def test_a_broken_template_file_lists_what_is_wrong(
    tmp_path: Path, edit: Edit, said: list[str]
) -> None:
    with pytest.raises(InvalidRule) as caught:
        load_templates(edited(TEMPLATES_FILE, tmp_path, edit))
    assert all(words in caught.value.message for words in said)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [\n", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "templates.yaml"
    path.write_text(text)
    with pytest.raises(InvalidRule):
        load_templates(path)
    with pytest.raises(InvalidRule):
        load_templates(tmp_path / "missing.yaml")


def test_what_is_always_said_must_fit(tmp_path: Path) -> None:
    def narrow(content: dict[str, Any]) -> None:
        content["dialects"]["pika"]["limit"]["at_most"] = 5

    dialects = load_dialects(edited(DIALECTS_FILE, tmp_path, narrow))
    with pytest.raises(InvalidRule, match="'pika' takes 5"):
        compile_prompt(scenes.analysis(), scenes.prediction(), target="pika", dialects=dialects)


def test_a_changed_template_is_another_version_and_a_comment_is_not(tmp_path: Path) -> None:
    shipped = load_templates()
    edit = say(12, "Please avoid {avoid}.")
    other = load_templates(edited(TEMPLATES_FILE, tmp_path, edit))
    assert other.version != shipped.version
    assert other.version.split("+")[0] == shipped.version.split("+")[0]
    prompt = compile_prompt(scenes.analysis(), scenes.prediction(), templates=other)
    assert prompt.template_version == other.version
    assert "Please avoid" in prompt.positive

    commented = tmp_path / "commented.yaml"
    commented.write_text(f"# a remark\n{TEMPLATES_FILE.read_text()}")
    assert load_templates(commented).version == shipped.version


def test_a_changed_dialect_is_another_version(tmp_path: Path) -> None:
    def longer(content: dict[str, Any]) -> None:
        content["dialects"]["veo"]["limit"]["at_most"] += 1

    assert load_dialects(edited(DIALECTS_FILE, tmp_path, longer)).version != load_dialects().version


def test_lab_of_known_colors() -> None:
    # Reference values: CIE L*a*b*, D65, of the sRGB primaries.
    assert lab_of("#ffffff") == pytest.approx((100, 0, 0), abs=0.02)
    assert lab_of("#000000") == pytest.approx((0, 0, 0), abs=0.02)
    assert lab_of("#ff0000") == pytest.approx((53.24, 80.09, 67.20), abs=0.05)
    assert lab_of("#0000ff") == pytest.approx((32.30, 79.19, -107.86), abs=0.05)


def test_every_named_color_is_its_own_nearest() -> None:
    table = load_templates().file.colors
    assert [nearest_name(value, table) for value in table.values()] == list(table)


@pytest.mark.parametrize("move", get_args(CameraMove))
def test_every_path_that_can_be_shown_can_be_named(move: CameraMove) -> None:
    shown = 0
    for direction in (None, *get_args(Direction)):
        path = scenes.camera_path(move, direction)
        try:
            check_camera_path(path, 1600, 900)
        except ImpossibleCameraPath:
            continue
        shown += 1
        for target in TARGETS:
            assert load_dialects().of(target).camera_phrase(move, direction)
    assert shown >= max(1, len(DIRECTIONS_OF[move]))
