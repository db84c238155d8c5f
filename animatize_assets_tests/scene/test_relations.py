"""What must not change an answer, and what must change it in a known way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from animatize_assets.scene.analysis import MeasuredScene, analyze_scene
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene import scenes
from animatize_assets_tests.scene.scenes import Picture

LONG_SIDE = 640


def measured(picture: Picture) -> MeasuredScene:
    scale = LONG_SIDE / max(picture.shape[:2])
    if scale < 1:
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return analyze_scene(np.ascontiguousarray(picture), image_size=(640, 400))


def analysed(picture: Picture) -> SceneAnalysis:
    return measured(picture).analysis


def pictures() -> Iterator[tuple[str, Picture]]:
    rng = np.random.default_rng(11)
    yield "corridor", scenes.corridor(rng, 0.36, 0.45)
    yield "road", scenes.road(rng, 0.6, 0.4)
    yield "layers", scenes.layers(rng, (0.4, 0.7))
    yield "focused", scenes.focused(rng, 0.3, 0.6, 0.25)
    yield "shore", scenes.sky_and_ground(rng, 0.35, 5.0)
    yield "scattered", scenes.scattered(rng)
    # Odd sides: a third or a middle that falls inside a pixel.
    yield "odd", np.ascontiguousarray(scenes.corridor(rng, 0.6, 0.5)[:333, :501])


PICTURES = dict(pictures())


@pytest.mark.parametrize("name", PICTURES)
def test_mirroring_mirrors_every_left_and_right(name: str) -> None:
    picture = PICTURES[name]
    one, other = measured(picture), measured(picture[:, ::-1])
    a, b = one.analysis, other.analysis
    assert a.composition.thirds.top_left == pytest.approx(b.composition.thirds.top_right, abs=1e-3)
    assert a.composition.thirds.bottom_right == pytest.approx(
        b.composition.thirds.bottom_left, abs=1e-3
    )
    assert a.composition.balance.center_x == pytest.approx(
        1 - b.composition.balance.center_x, abs=2e-3
    )
    assert a.composition.negative_space.left == pytest.approx(
        b.composition.negative_space.right, abs=5e-3
    )
    assert a.composition.symmetry.horizontal == pytest.approx(
        b.composition.symmetry.horizontal, abs=0.02
    )
    assert (a.lighting.direction_deg is None) == (b.lighting.direction_deg is None)
    if a.lighting.direction_deg is not None and b.lighting.direction_deg is not None:
        apart = (a.lighting.direction_deg - (180 - b.lighting.direction_deg) + 180) % 360 - 180
        assert abs(apart) < 2
    point, mirrored = a.composition.vanishing_point, b.composition.vanishing_point
    assert (point is None) == (mirrored is None)
    if point is not None and mirrored is not None:
        assert point.x == pytest.approx(1 - mirrored.x, abs=0.02)
        assert point.y == pytest.approx(mirrored.y, abs=0.02)
    horizon, tilted = a.composition.horizon, b.composition.horizon
    assert (horizon is None) == (tilted is None)
    if horizon is not None and tilted is not None:
        assert horizon.angle_deg == pytest.approx(-tilted.angle_deg, abs=2)
        assert horizon.y == pytest.approx(tilted.y, abs=0.01)
    assert np.abs(one.depth - other.depth[:, ::-1]).mean() < 0.02


def _as_jpeg(picture: Picture) -> Picture:
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


SMALL_CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "brighter": lambda p: np.clip(p * 1.15, 0, 255).astype(np.uint8),
    "darker": lambda p: (p * 0.85).astype(np.uint8),
    "cropped": lambda p: p[12:, 19:],
    "as JPEG": _as_jpeg,
    "at 1.5 times the size": lambda p: _as_jpeg(
        np.asarray(cv2.resize(p, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC), np.uint8)
    ),
}


@pytest.mark.parametrize("change", SMALL_CHANGES)
def test_small_changes_change_little(change: str) -> None:
    for name in ("corridor", "road", "layers", "shore"):
        a, b = analysed(PICTURES[name]), analysed(SMALL_CHANGES[change](PICTURES[name]))
        one, other = a.composition, b.composition
        for field in ("center_x", "center_y"):
            assert abs(getattr(one.balance, field) - getattr(other.balance, field)) < 0.04, name
        for side in ("left", "right", "top", "bottom"):
            before, after = getattr(one.negative_space, side), getattr(other.negative_space, side)
            assert abs(before - after) < 0.12, (name, side)
        assert abs(one.sharpness - other.sharpness) < 0.25, name
        assert (one.horizon is None) == (other.horizon is None), name
        if one.horizon is not None and other.horizon is not None:
            assert abs(one.horizon.y - other.horizon.y) < 0.05, name
        assert (one.vanishing_point is None) == (other.vanishing_point is None), name
        assert abs(a.palette.warmth - b.palette.warmth) < 0.12, name
        assert {a.lighting.temperature, b.lighting.temperature} != {"warm", "cool"}, name
        assert abs(a.lighting.temperature_shift - b.lighting.temperature_shift) < 0.06, name
        assert abs(a.depth.spread - b.depth.spread) < 0.15, name
        assert abs(a.confidence - b.confidence) < 0.15, name


@pytest.mark.parametrize("deviation", [5, 25, 60])
def test_noise_gives_no_confident_answer(deviation: float) -> None:
    picture = scenes.noise(np.random.default_rng(int(deviation)), deviation)
    _nothing_is_claimed(analysed(picture))


@pytest.mark.parametrize("value", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (20, 90, 200)])
def test_flat_colour_gives_no_confident_answer(value: tuple[int, int, int]) -> None:
    analysis = analysed(scenes.flat(value))
    _nothing_is_claimed(analysis)
    assert analysis.composition.sharpness == 0
    assert analysis.composition.edge_density == 0
    assert analysis.palette.colors[0].share == 1


def _nothing_is_claimed(analysis: SceneAnalysis) -> None:
    composition = analysis.composition
    assert composition.horizon is None
    assert composition.vanishing_point is None
    assert composition.lines == ()
    assert composition.symmetry.horizontal < 0.15
    assert analysis.lighting.direction_deg is None
    assert analysis.depth.confidence < 0.1
    assert analysis.depth.spread < 0.1
    assert analysis.confidence < 0.1


def test_the_number_of_opencv_threads_changes_nothing() -> None:
    before = cv2.getNumThreads()
    try:
        for name in ("road", "scattered"):
            answers = []
            for threads in (1, 2, 4):
                cv2.setNumThreads(threads)
                scene = measured(PICTURES[name])
                answers.append(
                    (
                        scene.analysis.model_dump_json(),
                        scene.depth.tobytes(),
                        scene.regions.tobytes(),
                    )
                )
            assert answers[0] == answers[1] == answers[2]
    finally:
        cv2.setNumThreads(before)


ANSWER = """
import hashlib, numpy as np
from sklearn.datasets import load_sample_images
from animatize_assets.scene.analysis import analyze_scene
digest = hashlib.sha256()
for image in load_sample_images().images:
    scene = analyze_scene(np.ascontiguousarray(image), image_size=(640, 427))
    digest.update(scene.analysis.model_dump_json().encode() + scene.depth.tobytes())
print(digest.hexdigest())
"""


def test_the_number_of_blas_threads_changes_nothing() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ANSWER],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in ("1", "3")
    }
    assert len(answers) == 1


@pytest.mark.parametrize("shape", [(16, 16), (1, 640), (640, 2), (17, 33), (300, 5)])
def test_slivers_and_tiny_pictures_are_measured_too(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    for picture in (
        rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
        np.full((*shape, 3), 90, np.uint8),
    ):
        scene = analyze_scene(picture, image_size=(shape[1], shape[0]))
        assert scene.depth.shape == scene.regions.shape == shape
        assert scene.depth.dtype == np.float32
        assert scene.analysis.working_width == shape[1]
        assert scene.analysis.confidence < 0.3


def test_reduced_planes_halve_the_picture_and_keep_a_pixel() -> None:
    copy = WorkingCopy(scenes.scattered(np.random.default_rng(0))[:399, :637])
    assert copy.half.rgb.shape == (200, 319, 3)
    assert copy.quarter.rgb.shape == (100, 160, 3)
    assert copy.half is copy.half
    sliver = WorkingCopy(np.zeros((1, 3, 3), np.uint8))
    assert sliver.quarter.rgb.shape == (1, 1, 3)
