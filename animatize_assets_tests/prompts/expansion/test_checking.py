from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.errors import InvalidRule
from animatize_assets.prompts.dialects import TARGETS, load_dialects
from animatize_assets.prompts.expansion.checking import checked, named_moves
from animatize_assets.prompts.expansion.schema import kept_ending, load_instructions
from animatize_assets.prompts.templates import load_templates
from animatize_assets_tests.prompts import scenes
from animatize_assets_tests.prompts.expansion.cases import compiled

INSTRUCTIONS = load_instructions()

HARMLESS = [
    "Rolling hills under a low sky, clouds drifting to the left.",
    "A red truck stands in the street; people move past it.",
    "Orbiting moons hang over the track where a runner moves.",
    "Water rises and falls, foliage swaying, lights flickering on the left third of the frame.",
    "One continuous shot of 5 seconds.",
    "A frying pan and a pan of milk on the stove.",
    "The crane in the harbor lifts a load, dust lifting off the ground.",
    "Everything holding still, fine film grain stirring.",
]
MOVES = [
    "The camera slowly drifts left.",
    "A slow zoom closes the shot.",
    "It pans left over the hills.",
    "A gentle dolly forward.",
    "Then tilt up to the sky.",
    "The lens tightens on the face.",
    "As the shot glides right, a boat passes.",
    "Handheld camera, alive with small motion.",
    "A tracking shot along the wall.",
    "It pushes in on the door.",
    "We pull back to see the town.",
    "camera_phrase and then rises over the roof.",
    "camera_phrase while slowly turning.",
    "The view sweeps across the bay.",
    "PANNING over the valley.",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_moves_in_the_picture_is_no_camera_move(text: str) -> None:
    assert named_moves(text, INSTRUCTIONS) == []


@pytest.mark.parametrize("text", MOVES)
def test_camera_moves_are_found_in_the_words_of_the_film_set(text: str) -> None:
    assert named_moves(text, INSTRUCTIONS)


@pytest.mark.parametrize(("move", "direction"), scenes.ALL_MOVES)
@pytest.mark.parametrize("target", TARGETS)
def test_every_compiled_prompt_would_pass_as_an_answer(
    target: str, move: str, direction: str | None
) -> None:
    dialect = load_dialects().of(target)
    for style in load_templates().style_names:
        prompt = compiled(target, move, direction=direction, style=style)
        text = prompt.positive.removesuffix(kept_ending(prompt, dialect))
        said = {"prompt": text}
        if dialect.negative.how == "parameter":
            said["negative"] = prompt.negative or ""
        judged = checked(json.dumps(said), prompt, dialect, INSTRUCTIONS)
        assert judged.problems == ()
        assert (judged.positive, judged.negative) == (prompt.positive, prompt.negative)


@pytest.mark.parametrize("target", TARGETS)
def test_the_phrase_of_another_move_is_refused(target: str) -> None:
    dialect = load_dialects().of(target)
    for move, direction in scenes.ALL_MOVES:
        prompt = compiled(target, move, direction=direction)
        for other, way in scenes.ALL_MOVES:
            if (other, way) == (move, direction):
                continue
            said = {"prompt": f"{prompt.camera_phrase}. {dialect.camera_phrase(other, way)}."}
            if dialect.negative.how == "parameter":
                said["negative"] = "blur"
            assert checked(json.dumps(said), prompt, dialect, INSTRUCTIONS).problems


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.sampled_from(TARGETS))
def test_any_answer_is_judged(answer: str, target: str) -> None:
    dialect = load_dialects().of(target)
    prompt = compiled(target)
    for text in (answer, json.dumps({"prompt": answer, "negative": answer})):
        judged = checked(text, prompt, dialect, INSTRUCTIONS)
        assert judged.problems  # none of them has the phrase
    said = {"prompt": f"{answer} {prompt.camera_phrase}."}
    if dialect.negative.how == "parameter":
        said["negative"] = "blur"
    judged = checked(json.dumps(said), prompt, dialect, INSTRUCTIONS)
    if not judged.problems:
        assert dialect.limit.length_of(judged.positive) <= dialect.limit.at_most
        assert judged.positive.isascii()
        assert judged.positive.count(prompt.camera_phrase) == 1


def test_a_negative_that_is_too_long_is_refused() -> None:
    dialect = load_dialects().of("wan")
    prompt = compiled("wan")
    said = {"prompt": f"{prompt.camera_phrase}.", "negative": "x" * 501}
    (problem,) = checked(json.dumps(said), prompt, dialect, INSTRUCTIONS).problems
    assert "501 characters, and 500" in problem


def test_instructions_that_cannot_be_used_say_everything_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        'version: "1"\nsystem: "{nothing}"\nnegative: "{negative_limit}"\nrepair: "{problems}"\n'
        "camera: '('\nalways: ['x']\nof_camera: ['y']\n"
    )
    with pytest.raises(InvalidRule, match="nothing") as caught:
        load_instructions(file)
    assert "no regular expression" in caught.value.message
