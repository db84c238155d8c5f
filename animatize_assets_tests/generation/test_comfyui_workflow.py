from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.errors import InvalidRule
from animatize_assets.generation.comfyui_workflow import SLOTS, Workflow
from animatize_assets_tests.generation.workflows import sampling, scaling

VALUES: dict[str, str | int] = {
    "prompt": "a boat",
    "negative": "blur",
    "seed": 2**63,
    "width": 640,
    "height": 368,
    "image": "x.png",
}


def test_slots_are_filled_in_and_numbers_stay_numbers() -> None:
    graph = Workflow.load(sampling()).filled(VALUES, file_mark="1a2b")
    assert graph["2"]["inputs"]["text"] == "a boat, film grain"
    assert graph["3"]["inputs"]["text"] == "blur"
    assert graph["4"]["inputs"] == {"width": 640, "height": 368, "batch_size": 1}
    assert graph["5"]["inputs"]["seed"] == 2**63
    assert graph["5"]["inputs"]["positive"] == ["2", 0]
    assert graph["7"]["inputs"]["filename_prefix"] == "a_1a2b"


def test_filling_in_leaves_the_workflow_as_it_is() -> None:
    workflow = Workflow.load(sampling())
    first = workflow.filled(VALUES, file_mark="1")
    assert workflow.filled(VALUES, file_mark="1") == first
    assert workflow.filled(VALUES, file_mark="2") != first


@given(prompt=st.text(min_size=1))
def test_any_text_arrives_as_it_is(prompt: str) -> None:
    filled = Workflow.load(sampling()).filled({**VALUES, "prompt": prompt}, file_mark="1")
    assert filled["2"]["inputs"]["text"] == f"{prompt}, film grain"


def test_a_prompt_that_looks_like_a_slot_is_no_slot() -> None:
    graph = Workflow.load(sampling()).filled({**VALUES, "prompt": "{{seed}}"}, file_mark="1")
    assert graph["2"]["inputs"]["text"] == "{{seed}}, film grain"


def test_it_says_which_slots_it_has() -> None:
    assert Workflow.load(scaling()).slots == {"image", "width", "height"}
    assert Workflow.load(sampling()).slots == set(SLOTS) - {"image"}
    assert Workflow.load(scaling()).takes_size
    assert Workflow.load(scaling()).size_multiple == 1
    assert Workflow.load(sampling()).size_multiple == 16


def test_a_file_is_read_and_named_by_its_content(tmp_path: Path) -> None:
    one, other = tmp_path / "portrait.json", tmp_path / "same.json"
    one.write_text(json.dumps(scaling()))
    other.write_text(json.dumps(scaling(), indent=4, sort_keys=True))
    assert Workflow.load(one).name == "portrait"
    assert Workflow.load(one).digest == Workflow.load(other).digest
    assert Workflow.load(one).digest != Workflow.load(sampling()).digest


def _without_a_slot() -> dict[str, Any]:
    nodes = scaling()
    nodes["1"]["inputs"]["image"] = "fixed.png"
    return nodes


def _with(node: str, **changes: Any) -> dict[str, Any]:
    nodes = scaling()
    nodes[node] = {**nodes[node], **changes}
    return nodes


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({}, "no nodes"),
        ({"nodes": [], "links": []}, "Export (API)"),
        (_without_a_slot(), "neither the slot {{prompt}} nor {{image}}"),
        (_with("1", inputs={"image": "{{picture}}"}), "no slot 'picture'"),
        (_with("2", class_type=None), "Node '2' states no class_type"),
        (_with("3", inputs=None), "Node '3' (SaveImage) states no inputs"),
        (_with("3", inputs={"images": ["9", 0]}), "linked to node '9', which does not exist"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(nodes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        Workflow.load(nodes, name="shots")
    assert words in caught.value.message
    assert "'shots'" in caught.value.message


def test_every_problem_is_named_at_once() -> None:
    nodes = _with("1", inputs={"image": "{{picture}}"})
    nodes["2"]["inputs"]["image"] = ["7", 0]
    with pytest.raises(InvalidRule) as caught:
        Workflow.load(nodes)
    assert "'picture'" in caught.value.message
    assert "'7'" in caught.value.message


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "\x00"])
def test_a_file_that_is_no_workflow_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(InvalidRule, match=r"broken\.json"):
        Workflow.load(path)
    with pytest.raises(InvalidRule, match=r"missing\.json"):
        Workflow.load(tmp_path / "missing.json")
