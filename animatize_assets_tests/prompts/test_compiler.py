from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.errors import InvalidSetting
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.prompts.compiler import TEMPLATE_VERSION, compile_prompt
from animatize_assets.prompts.dialects import TARGETS, load_dialects
from animatize_assets.prompts.grade import AXES
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.prompts.templates import load_templates
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets_tests.prompts import scenes

STYLES = load_templates().style_names
CASES = [(target, style) for target in TARGETS for style in STYLES]


@settings(max_examples=300, deadline=None)
@given(scenes.analyses(), scenes.predictions(), st.sampled_from(CASES))
def test_every_prompt_keeps_its_limit_and_names_the_move(
    analysis: SceneAnalysis, prediction: MovementPrediction, case: tuple[str, str]
) -> None:
    target, style = case
    dialect = load_dialects().of(target)
    path = prediction.camera_path

    prompt = compile_prompt(analysis, prediction, target=target, style=style)

    assert prompt.length == dialect.limit.length_of(prompt.positive) <= prompt.length_limit
    assert prompt.camera_phrase == dialect.camera_phrase(path.move, path.direction)
    assert prompt.camera_phrase in prompt.positive
    assert (prompt.camera_move, prompt.camera_direction) == (path.move, path.direction)
    assert (prompt.negative is None) == (dialect.negative.how == "none")
    if dialect.negative.at_most:
        assert len(prompt.negative or "") <= dialect.negative.at_most
    assert prompt.positive.isascii()
    assert "None" not in prompt.positive
    assert "{" not in prompt.positive
    assert set(prompt.grade) == set(AXES)
    assert all(-1 <= float(value) <= 1 for value in prompt.grade.values())
    assert prompt == compile_prompt(analysis, prediction, target=target, style=style)
    assert prompt == MotionPrompt.model_validate_json(prompt.model_dump_json())


@pytest.mark.parametrize(("move", "direction"), scenes.ALL_MOVES)
@pytest.mark.parametrize("target", TARGETS)
def test_no_other_move_is_named(target: str, move: str, direction: str | None) -> None:
    prediction = scenes.prediction(scenes.camera_path(move, direction))
    positive = compile_prompt(scenes.analysis(), prediction, target=target).positive
    dialect = load_dialects().of(target)
    own = dialect.camera_phrase(prediction.camera_path.move, prediction.camera_path.direction)
    for other, other_direction in scenes.ALL_MOVES:
        phrase = dialect.camera_phrase(other, other_direction)
        assert phrase == own or phrase not in positive


def test_a_limit_drops_whole_parts_the_least_important_first() -> None:
    prediction = scenes.prediction(
        scenes.camera_path("pan", "left"), scenes.movement("environment", "clouds_drift", "left")
    )
    files = load_dialects()
    generic = files.of("generic")
    said = compile_prompt(scenes.analysis(), prediction).positive
    importance = {part.name: part.drop for part in load_templates().file.parts.video}
    shortest = len(generic.camera_phrase("pan", "left")) + 40

    for at_most in range(shortest, len(said) + 2, 7):
        narrow = generic.model_copy(
            update={"limit": generic.limit.model_copy(update={"at_most": at_most})}
        )
        prompt = compile_prompt(
            scenes.analysis(),
            prediction,
            dialects=files.model_copy(update={"by_target": {"generic": narrow}}),
        )
        assert prompt.length <= at_most
        assert [importance[name] for name in prompt.dropped] == sorted(
            (importance[name] for name in prompt.dropped), reverse=True
        )
        kept = prompt.positive.split(". ")
        assert all(sentence.rstrip(".") in said for sentence in kept)  # no sentence is cut
        assert (prompt.positive == said) == (not prompt.dropped)


@pytest.mark.parametrize(
    ("change", "absent", "present"),
    [
        ({"scene_type__type": "unknown"}, "waterside", "The picture shows sky and water"),
        ({"scene_type__type": "portrait"}, "with sky and water", "A portrait."),
        ({"lighting__temperature": "neutral"}, "color temperature", "Low-key"),
        ({"subject__bbox": None, "subject__center_x": None}, "subject is", "Palette"),
        ({"subject__area": 0.6}, "left third", "The subject fills much of the frame."),
        ({"subject__area": 0.01}, "The subject is", "Small in the frame, the subject is on"),
        ({"lighting__direction_deg": None}, "from the upper left", "Low-key"),
        ({"depth__confidence": 0.0}, "foreground", "Palette"),
        ({"composition__horizon": None}, "orizon", "vanishing"),
        ({"palette__colors": []}, "Palette", "Low-key"),
        ({"lighting__temperature": "cool"}, "Warm", "Cool color temperature"),
        ({"lighting__direction_deg": 0.0}, "upper left", "from the right"),
        ({"lighting__direction_deg": -90.0}, "upper left", "from below"),
    ],
)
def test_only_what_is_measured_is_said(change: dict[str, Any], absent: str, present: str) -> None:
    before = compile_prompt(scenes.analysis(), scenes.prediction()).positive
    after = compile_prompt(
        scenes.changed(scenes.analysis(), **change), scenes.prediction()
    ).positive
    assert absent in before
    assert absent not in after
    assert present in after


def test_people_are_counted_once_though_face_and_body_are_found() -> None:
    people = [
        {"bbox": (0.7, 0.2, 0.9, 0.9), "score": 0.9, "kind": "person"},
        {"bbox": (0.75, 0.2, 0.85, 0.4), "score": 0.9, "kind": "face"},
        {"bbox": (0.1, 0.2, 0.2, 0.4), "score": 0.1, "kind": "person"},
    ]
    analysis = scenes.changed(scenes.analysis(), subject__people=people)
    assert (
        "One person is on the right third of the frame"
        in compile_prompt(analysis, scenes.prediction()).positive
    )


def test_kept_movements_are_said_and_other_camera_moves_are_not() -> None:
    prediction = scenes.prediction(
        scenes.camera_path("push_in"),
        scenes.movement("environment", "clouds_drift", "left"),
        scenes.movement("camera", "pan", "right"),
        scenes.movement("character", "a_name_not_listed"),
    )
    positive = compile_prompt(scenes.analysis(), prediction).positive
    assert "In motion: clouds drifting to the left and a name not listed." in positive
    assert "pans" not in positive


def test_no_justification_is_in_the_prompt() -> None:
    prediction = scenes.prediction()
    assert "saliency" not in compile_prompt(scenes.analysis(), prediction).positive


@pytest.mark.parametrize(
    ("target", "duration_s", "asked"),
    [("runway", 5.0, 5), ("veo", 5.0, 6), ("sora", 5.0, 4), ("sora", 6.0, 8), ("pika", 60.0, 10)],
)
def test_duration_is_the_nearest_that_can_be_asked_for(
    target: str, duration_s: float, asked: int
) -> None:
    prediction = scenes.prediction(scenes.camera_path(duration_s=duration_s))
    prompt = compile_prompt(scenes.analysis(), prediction, target=target)
    assert prompt.parameters["duration_s"] == asked
    assert "seconds" not in prompt.positive


def test_duration_is_in_the_text_where_there_is_no_parameter() -> None:
    prompt = compile_prompt(scenes.analysis(), scenes.prediction())
    assert "One continuous shot of 5 seconds." in prompt.positive
    assert "duration_s" not in prompt.parameters


@pytest.mark.parametrize(
    ("aspect", "asked"), [(16 / 9, "16:9"), (0.5625, "9:16"), (1.3, "4:3"), (2.5, "21:9")]
)
def test_aspect_ratio_is_the_nearest_that_can_be_asked_for(aspect: float, asked: str) -> None:
    prediction = scenes.prediction(scenes.camera_path(aspect_ratio=aspect))
    prompt = compile_prompt(scenes.analysis(), prediction, target="runway")
    assert prompt.parameters["aspect_ratio"] == asked


def test_a_picture_is_framed_as_the_path_ends() -> None:
    pan = scenes.prediction(scenes.camera_path("pan", "left"))
    closer = scenes.prediction(scenes.camera_path("push_in"))
    assert "shifted to the left" in compile_prompt(scenes.analysis(), pan, target="flux").positive
    # 1.2 to 1.3 in zoom and 1 to 1.1 in travel are 19 percent together.
    assert (
        "about 19 percent tighter"
        in compile_prompt(scenes.analysis(), closer, target="flux").positive
    )


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidSetting, match=r"'midjourney'.*generic.*wan"):
        compile_prompt(scenes.analysis(), scenes.prediction(), target="midjourney")
    with pytest.raises(InvalidSetting, match=r"'baroque'.*cinematic.*noir"):
        compile_prompt(scenes.analysis(), scenes.prediction(), style="baroque")


def test_versions_are_part_of_the_result() -> None:
    prompt = compile_prompt(scenes.analysis(), scenes.prediction())
    assert prompt.template_version == TEMPLATE_VERSION == load_templates().version
    assert prompt.dialect_version == load_dialects().version
    assert TEMPLATE_VERSION.startswith("1.0+")
