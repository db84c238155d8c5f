"""Models that a person adds: used when they are what they should be, refused in words if not."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from animatize_assets.errors import NotConfigured
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.optional_models import SceneModels, load_scene_models
from animatize_assets_tests.scene import scenes

Shape = list[int | str]


def write_network(
    path: Path,
    *,
    input_shape: Shape,
    output_shape: Shape,
    nodes: list[Any],
    constants: list[Any] | None = None,
    kind: int = TensorProto.FLOAT,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", kind, input_shape)],
        [helper.make_tensor_value_info("depth", kind, output_shape)],
        constants or [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def brightness_network(path: Path, *, side: int | str = 64, keep_channel: int = 0) -> Path:
    """A stand-in for a depth model: what is brighter is nearer."""
    mean = helper.make_node("ReduceMean", ["image"], ["depth"], axes=[1], keepdims=keep_channel)
    output: Shape = [1, 1, side, side] if keep_channel else [1, side, side]
    return write_network(path, input_shape=[1, 3, side, side], output_shape=output, nodes=[mean])


@pytest.mark.parametrize("side", [64, "side"], ids=["MiDaS: fixed", "Depth Anything: free"])
@pytest.mark.parametrize("keep_channel", [0, 1])
def test_depth_model_replaces_the_cues(tmp_path: Path, side: int | str, keep_channel: int) -> None:
    file = brightness_network(tmp_path / "tiny.onnx", side=side, keep_channel=keep_channel)
    models = load_scene_models(file, None)
    picture = scenes.sky_and_ground(np.random.default_rng(0), 0.4, 0)
    scene = analyze_scene(picture, image_size=(640, 400), models=models)
    assert scene.analysis.depth.method == "onnx"
    assert scene.analysis.depth.model == "tiny.onnx"
    assert scene.analysis.depth.cues == ()
    assert scene.depth.shape == picture.shape[:2]
    # The sky is bright, so to this network it is near: the answer is the network's, not the cues'.
    assert scene.depth[:100].mean() > scene.depth[-100:].mean() + 0.3
    assert 0.5 < scene.analysis.depth.confidence <= 1


def test_depth_model_gives_the_same_answer_twice(tmp_path: Path) -> None:
    models = load_scene_models(brightness_network(tmp_path / "tiny.onnx"), None)
    picture = scenes.corridor(np.random.default_rng(0), 0.5, 0.5)
    one, other = (analyze_scene(picture, image_size=(640, 400), models=models) for _ in range(2))
    assert one.analysis == other.analysis
    assert (one.depth == other.depth).all()


def test_a_model_that_sees_no_depth_earns_no_confidence(tmp_path: Path) -> None:
    models = load_scene_models(brightness_network(tmp_path / "tiny.onnx"), None)
    scene = analyze_scene(scenes.flat(), image_size=(640, 400), models=models)
    assert scene.analysis.depth.confidence == 0
    assert scene.analysis.depth.spread == 0


def test_nothing_named_is_nothing_loaded() -> None:
    assert load_scene_models(None, None) == SceneModels()


@pytest.mark.parametrize("kind", ["depth", "face"])
def test_missing_file_is_said(tmp_path: Path, kind: str) -> None:
    missing = tmp_path / "absent.onnx"
    with pytest.raises(NotConfigured, match=r"absent\.onnx is missing"):
        load_scene_models(*((missing, None) if kind == "depth" else (None, missing)))


@pytest.mark.parametrize("kind", ["depth", "face"])
def test_a_file_that_is_no_network_is_said(tmp_path: Path, kind: str) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(NotConfigured, match=r"broken\.onnx is not a"):
        load_scene_models(*((broken, None) if kind == "depth" else (None, broken)))


@pytest.mark.parametrize("shape", [[1, 1, 64, 64], [3, 64, 64], [2, 3, 64, 64]])
def test_a_network_with_another_input_is_said(tmp_path: Path, shape: Shape) -> None:
    copy = helper.make_node("Identity", ["image"], ["depth"])
    file = write_network(
        tmp_path / "other.onnx", input_shape=shape, output_shape=shape, nodes=[copy]
    )
    with pytest.raises(NotConfigured, match=r"other\.onnx"):
        load_scene_models(file, None)


def test_a_network_that_answers_with_no_map_is_said(tmp_path: Path) -> None:
    mean = helper.make_node("ReduceMean", ["image"], ["depth"], axes=[2, 3], keepdims=0)
    file = write_network(
        tmp_path / "classes.onnx", input_shape=[1, 3, 64, 64], output_shape=[1, 3], nodes=[mean]
    )
    models = load_scene_models(file, None)
    with pytest.raises(NotConfigured, match=r"classes\.onnx answered with shape"):
        analyze_scene(scenes.flat(), image_size=(640, 400), models=models)


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = brightness_network(tmp_path / "tiny.onnx")
    ordinary = builtins.__import__

    def without_onnxruntime(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError(name)
        return ordinary(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_onnxruntime)
    with pytest.raises(NotConfigured, match="extra 'depth'"):
        load_scene_models(file, None)
