"""Near and far on pictures whose layers are known, and each cue on its own."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from animatize_assets.scene.analysis import MeasuredScene, analyze_scene
from animatize_assets.scene.depth import separation
from animatize_assets.scene.depth_cues import find_cues
from animatize_assets.scene.models import Horizon
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene import scenes
from animatize_assets_tests.scene.scenes import HEIGHT, WIDTH, Picture


def measured(picture: Picture) -> MeasuredScene:
    return analyze_scene(picture, image_size=(WIDTH, HEIGHT))


@pytest.fixture
def cases(sizes: dict[str, Any]) -> range:
    """One seed per generated picture."""
    return range(sizes["scene_geometry"]["cases"])


def weights(scene: MeasuredScene) -> dict[str, float]:
    return {cue.name: cue.weight for cue in scene.analysis.depth.cues}


def test_ridges_lie_one_behind_the_other(cases: range) -> None:
    right = 0
    for seed in cases:
        rng = np.random.default_rng(seed)
        bounds = (rng.uniform(0.35, 0.5), rng.uniform(0.6, 0.8))
        depth = measured(scenes.layers(rng, bounds)).depth
        far, middle, near = (
            float(depth[int(start * HEIGHT) : int(end * HEIGHT)].mean())
            for start, end in (
                (0, bounds[0] - 0.2),
                (bounds[0] + 0.05, bounds[1] - 0.04),
                (bounds[1] + 0.05, 1),
            )
        )
        right += near > middle + 0.1 > far + 0.2
    assert right >= 0.9 * len(cases)


def test_what_is_sharp_is_nearer_than_its_blurred_background(cases: range) -> None:
    right = 0
    for seed in cases:
        rng = np.random.default_rng(seed)
        x, y, radius = rng.uniform(0.25, 0.75), rng.uniform(0.35, 0.65), rng.uniform(0.18, 0.3)
        scene = measured(scenes.focused(rng, x, y, radius))
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        distance = np.hypot(columns - x * WIDTH, rows - y * HEIGHT) / HEIGHT
        inside, outside = scene.depth[distance < 0.8 * radius], scene.depth[distance > 1.3 * radius]
        apart = scene.analysis.depth.subject_separation
        right += bool(inside.mean() > outside.mean() + 0.15 and apart is not None and apart > 0)
    assert right >= 0.9 * len(cases)


def test_a_corridor_is_near_at_its_frame_and_far_at_its_end() -> None:
    scene = measured(scenes.corridor(np.random.default_rng(0), 0.5, 0.5))
    height, width = scene.depth.shape
    end = scene.depth[
        int(0.46 * height) : int(0.54 * height), int(0.46 * width) : int(0.54 * width)
    ]
    floor = scene.depth[-height // 8 :]
    assert floor.mean() > end.mean() + 0.2
    assert weights(scene)["vanishing_point"] > 0.4


def test_cues_without_their_premise_are_silent() -> None:
    shore = weights(measured(scenes.sky_and_ground(np.random.default_rng(0), 0.4, 0)))
    assert shore["vanishing_point"] == 0
    assert shore["height"] > 0.7
    disc = weights(measured(scenes.focused(np.random.default_rng(0), 0.5, 0.5, 0.25)))
    assert disc["vanishing_point"] == 0
    assert disc["height"] < 0.2
    assert disc["defocus"] > 0.5
    flat = weights(measured(scenes.flat()))
    assert set(flat.values()) == {0}


def receding_texture(rng: np.random.Generator) -> Picture:
    """Grain that grows coarser towards the bottom."""
    grain = rng.normal(0, 1, (HEIGHT, WIDTH))
    layers = [cv2.GaussianBlur(grain, (0, 0), sigma) for sigma in (0.8, 1.5, 3, 5, 8)]
    layers = [layer / layer.std() for layer in layers]
    at = np.linspace(0, len(layers) - 1.001, HEIGHT)
    below = at.astype(int)
    rows = np.arange(HEIGHT)
    stack = np.stack(layers)
    part = (at - below)[:, None]
    mixed = (1 - part) * stack[below, rows] + part * stack[below + 1, rows]
    return np.clip(120 + 30 * mixed, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def test_a_frame_line_at_the_bottom_does_not_tilt_the_texture_gradient() -> None:
    picture = receding_texture(np.random.default_rng(0))
    plain = weights(measured(picture))["texture_gradient"]
    assert plain > 0.5
    picture[-6::2] = 0
    assert weights(measured(picture))["texture_gradient"] == pytest.approx(plain, abs=0.1)


def test_a_little_texture_says_little_of_the_ground() -> None:
    picture = receding_texture(np.random.default_rng(0))
    whole = weights(measured(picture))["texture_gradient"]
    picture[:, WIDTH // 10 :] = 120
    assert weights(measured(picture))["texture_gradient"] < 0.5 * whole


@pytest.mark.parametrize("strength", [0.5, 0.55, 0.6, 0.7, 0.9])
def test_a_horizon_that_is_only_just_found_moves_the_map_only_a_little(strength: float) -> None:
    copy = WorkingCopy(scenes.sky_and_ground(np.random.default_rng(0), 0.3, 0))
    found = measured(copy.rgb).analysis.composition
    horizon = Horizon(y=0.3, angle_deg=0, strength=strength)
    without = find_cues(copy, found.model_copy(update={"horizon": None}))[0]
    with_it = find_cues(copy, found.model_copy(update={"horizon": horizon}))[0]
    moved = float(np.abs(with_it.near - without.near).mean())
    sure = min(1.0, (strength - 0.5) / 0.2)
    assert moved <= 0.3 * sure + 1e-6
    assert with_it.weight - without.weight <= sure + 1e-6
    assert (moved > 0) == (strength > 0.5)


def test_removing_the_haze_removes_its_weight() -> None:
    rng = np.random.default_rng(0)
    hazy = scenes.layers(rng, (0.4, 0.7))
    clear = np.full_like(hazy, 60) + (hazy // 16)
    assert weights(measured(hazy))["haze"] > weights(measured(clear))["haze"] + 0.3


def test_depth_changes_where_the_picture_has_edges() -> None:
    scene = measured(scenes.focused(np.random.default_rng(1), 0.5, 0.5, 0.25))
    assert scene.depth.shape == (HEIGHT, WIDTH)
    assert 0 <= scene.depth.min() <= scene.depth.max() <= 1
    assert scene.analysis.depth.method == "cues"
    assert scene.analysis.depth.model is None


@pytest.mark.parametrize(
    ("box", "expected"), [((0.0, 0.0, 0.5, 1.0), 1.0), ((0.5, 0.0, 1.0, 1.0), -1.0)]
)
def test_separation_is_inside_minus_outside(
    box: tuple[float, float, float, float], expected: float
) -> None:
    depth = np.hstack([np.ones((10, 10)), np.zeros((10, 10))]).astype(np.float32)
    assert separation(depth, box) == pytest.approx(expected)


def test_separation_needs_an_inside_and_an_outside() -> None:
    depth = np.ones((10, 10), np.float32)
    assert separation(depth, None) is None
    assert separation(depth, (0, 0, 1, 1)) is None
    assert separation(depth, (0.5, 0.5, 0.5, 0.5)) is None
