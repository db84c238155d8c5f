"""Answers in the shapes that a real server of version 0.3.64 gave; names and ids are invented."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.errors import ProviderError
from animatize_assets.generation.comfyui_events import Progress, read_frame
from animatize_assets.generation.comfyui_outcome import (
    files_of,
    finished,
    is_queued,
    refusal,
    rejection,
)

MINE = "3f0e8a4c-9a57-4a43-a0f2-1d2c3b4a5968"
OTHER = "7c1f2e3d-4b5a-4697-8899-aabbccddeeff"
GRAPH = {"1": {"class_type": "EmptyImage", "inputs": {"width": 8}}}

NAMES = (
    *("status", "status_str", "outputs", "images", "messages", "type", "data", "node", "filename"),
    *("prompt_id", "value", "max", "errors", "node_errors", "error", "queue_running", MINE),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def entry(status: str, *messages: list[Any], outputs: dict[str, Any] | None = None) -> Any:
    told = [["execution_start", {"prompt_id": MINE, "timestamp": 1}], *messages]
    return {
        "prompt": [4, MINE, GRAPH, {"client_id": "me"}, ["3"]],
        "outputs": outputs or {},
        "status": {"status_str": status, "completed": status == "success", "messages": told},
        "meta": {},
    }


def images(*names: str, kind: str = "output", subfolder: str = "") -> dict[str, Any]:
    found = [{"filename": name, "subfolder": subfolder, "type": kind} for name in names]
    return {"images": found}


def error_of(history_entry: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        files_of(history_entry, MINE)
    return caught.value


def test_an_empty_history_says_nothing() -> None:
    assert finished({}, MINE) is None
    assert finished({OTHER: entry("success")}, MINE) is None
    assert finished({MINE: entry("success")}, MINE) is not None


def test_kept_files_come_before_previews() -> None:
    outputs = {
        "4": images("preview_00001_.png", kind="temp"),
        "3": images("a_00001_.png", "a_00002_.png", subfolder="batch"),
        "5": {"text": ["a caption"]},
    }
    files = files_of(entry("success", outputs=outputs), MINE)
    assert [file.filename for file in files] == [
        "a_00001_.png",
        "a_00002_.png",
        "preview_00001_.png",
    ]
    assert files[0].query == {"filename": "a_00001_.png", "subfolder": "batch", "type": "output"}


def test_a_success_without_a_picture_is_no_success() -> None:
    assert error_of(entry("success", outputs={"5": {"text": ["x"]}})).kind == "bad_output"


def test_an_interruption_passes_and_a_broken_node_does_not() -> None:
    facts = {"prompt_id": MINE, "node_id": "3", "node_type": "SaveImage", "executed": ["1"]}
    assert error_of(entry("error", ["execution_interrupted", facts])).kind == "transient"
    raised = {
        **facts,
        "exception_message": "cannot identify image file '/srv/comfy/input/x.png'\n",
        "exception_type": "PIL.UnidentifiedImageError",
        "traceback": ['  File "/srv/comfy/execution.py", line 496, in execute\n'],
    }
    error = error_of(entry("error", ["execution_error", raised]))
    assert error.kind == "invalid_request"
    assert "node '3' (SaveImage) with PIL.UnidentifiedImageError" in error.message
    assert "/srv" not in error.message


@pytest.mark.parametrize("name", ["torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"])
def test_too_little_memory_passes(name: str) -> None:
    raised = {"node_id": "5", "node_type": "KSampler", "exception_type": name}
    assert error_of(entry("error", ["execution_error", raised])).kind == "transient"


def test_the_queue_tells_whose_prompt_waits_and_whose_runs() -> None:
    queue = {
        "queue_running": [[12, OTHER, GRAPH, {}, ["3"]]],
        "queue_pending": [[-14, MINE, GRAPH, {}, ["3"]]],
    }
    assert is_queued(queue, MINE)
    assert is_queued(queue, OTHER)
    assert not is_queued(queue, MINE, running_only=True)
    assert is_queued(queue, OTHER, running_only=True)
    assert not is_queued({"queue_running": [], "queue_pending": []}, MINE)


def test_a_missing_checkpoint_is_named() -> None:
    body = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "failed", "details": ""},
        "node_errors": {
            "1": {
                "errors": [
                    {
                        "type": "value_not_in_list",
                        "message": "Value not in list",
                        "details": f"ckpt_name: 'x.safetensors' not in {['y' * 40] * 40}",
                        "extra_info": {"input_name": "ckpt_name"},
                    }
                ],
                "dependent_outputs": ["4"],
                "class_type": "CheckpointLoaderSimple",
            }
        },
    }
    error = refusal(400, body, MINE)
    assert error.kind == "invalid_request"
    assert "node '1' (CheckpointLoaderSimple): value_not_in_list (ckpt_name" in error.message
    assert len(error.message) < 300


def test_an_error_without_nodes_is_told_as_it_is() -> None:
    body = {
        "error": {
            "type": "invalid_prompt",
            "message": "Cannot execute because node NoSuchNode does not exist.",
            "details": "Node ID '#2'",
        },
        "node_errors": {},
    }
    assert "NoSuchNode does not exist. - Node ID '#2'." in rejection(body).message


def frame(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": {"prompt_id": MINE, **data}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (frame("executing", node="2", display_node="2"), Progress(node="2", share=None)),
        (frame("progress", node="5", value=5, max=20), Progress(node="5", share=0.25)),
        (frame("progress", node="5", value=5, max=0), Progress(node="5", share=None)),
        (frame("executing", node=None), Progress(node=None, share=None, ended=True)),
        (frame("execution_success"), Progress(node=None, share=None, ended=True)),
        (frame("execution_error", node_id="1"), Progress(node=None, share=None, ended=True)),
        (frame("execution_interrupted"), Progress(node=None, share=None, ended=True)),
        (frame("execution_cached", nodes=["1"]), None),
        (frame("executing", node="2", prompt_id=OTHER), None),
        ('{"type":"status","data":{"status":{"exec_info":{"queue_remaining":0}}}}', None),
        ("{", None),
    ],
)
def test_frames_of_the_websocket(text: str, told: Progress | None) -> None:
    assert read_frame(text, MINE) == told


@given(anything=ANYTHING, name=st.sampled_from(NAMES))
def test_whatever_a_server_says_is_understood_or_refused(anything: Any, name: str) -> None:
    read_frame(json.dumps({"type": "progress", "data": anything}), MINE)
    body = {name: anything}
    is_queued(body, MINE)
    assert rejection(body).kind == "invalid_request"
    assert rejection({"node_errors": {"1": body}}).kind == "invalid_request"
    found = finished({MINE: {"status": {}, **body}}, MINE)
    if found is not None:
        with suppress(ProviderError):
            assert files_of(found, MINE)
