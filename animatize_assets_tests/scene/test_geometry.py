"""Horizon, vanishing point, lines and symmetry on pictures whose geometry is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from animatize_assets.scene.composition import measure_composition
from animatize_assets.scene.horizon import find_horizon
from animatize_assets.scene.lines import dominant_lines, find_segments, find_vanishing_point
from animatize_assets.scene.models import Composition
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene import scenes
from animatize_assets_tests.scene.scenes import HEIGHT, WIDTH, Picture

DIAGONAL = float(np.hypot(WIDTH, HEIGHT))


def composition_of(picture: Picture) -> Composition:
    copy = WorkingCopy(picture)
    return measure_composition(copy, find_segments(copy), find_horizon(copy))


@pytest.fixture
def cases(sizes: dict[str, Any]) -> range:
    """One seed per generated picture."""
    return range(sizes["scene_geometry"]["cases"])


def share_right(check: Callable[[np.random.Generator], bool], cases: range) -> float:
    return float(np.mean([check(np.random.default_rng(seed)) for seed in cases]))


@pytest.mark.parametrize("draw", [scenes.corridor, scenes.road])
def test_vanishing_point_is_found(draw: Callable[..., Picture], cases: range) -> None:
    def right(rng: np.random.Generator) -> bool:
        x, y = rng.uniform(0.25, 0.75), rng.uniform(0.3, 0.62)
        point = find_vanishing_point(find_segments(WorkingCopy(draw(rng, x, y))))
        if point is None:
            return False
        miss = np.hypot((point.x - x) * WIDTH, (point.y - y) * HEIGHT)
        return bool(miss < 0.05 * DIAGONAL)

    assert share_right(right, cases) >= 0.9


@pytest.mark.parametrize(
    "draw", [scenes.grid, scenes.facade, scenes.scattered, scenes.noise, scenes.parallels]
)
def test_lines_that_do_not_converge_have_no_vanishing_point(
    draw: Callable[[np.random.Generator], Picture], cases: range
) -> None:
    def right(rng: np.random.Generator) -> bool:
        return find_vanishing_point(find_segments(WorkingCopy(draw(rng)))) is None

    assert share_right(right, cases) >= 0.95


def test_horizon_is_found_with_its_tilt(cases: range) -> None:
    def right(rng: np.random.Generator) -> bool:
        y, angle = rng.uniform(0.15, 0.85), rng.uniform(-10, 10)
        horizon = find_horizon(WorkingCopy(scenes.sky_and_ground(rng, y, angle)))
        if horizon is None:
            return False
        return abs(horizon.y - y) < 0.02 and abs(horizon.angle_deg - angle) < 2.5

    assert share_right(right, cases) >= 0.9


@pytest.mark.parametrize(
    "draw",
    [
        scenes.grid,
        scenes.facade,
        scenes.scattered,
        scenes.noise,
        lambda rng: scenes.corridor(rng, 0.5, 0.5),
        lambda rng: scenes.focused(rng, 0.5, 0.5, 0.25),
        lambda rng: np.ascontiguousarray(scenes.sky_and_ground(rng, 0.5, 0.0)[::-1]),
    ],
    ids=["grid", "facade", "scattered", "noise", "corridor", "focused", "upside down"],
)
def test_without_a_horizon_none_is_found(
    draw: Callable[[np.random.Generator], Picture], cases: range
) -> None:
    def right(rng: np.random.Generator) -> bool:
        return find_horizon(WorkingCopy(draw(rng))) is None

    assert share_right(right, cases) >= 0.95


def test_a_mirrored_front_is_symmetric_and_scattered_windows_are_not(cases: range) -> None:
    def symmetric(rng: np.random.Generator) -> bool:
        return composition_of(scenes.facade(rng)).symmetry.horizontal > 0.8

    def lopsided(rng: np.random.Generator) -> bool:
        return composition_of(scenes.scattered(rng)).symmetry.horizontal < 0.4

    assert share_right(symmetric, cases) >= 0.9
    assert share_right(lopsided, cases) >= 0.9


def test_turning_the_front_moves_its_symmetry_to_the_other_axis() -> None:
    front = scenes.facade(np.random.default_rng(5))
    upright, turned = composition_of(front), composition_of(np.ascontiguousarray(np.rot90(front)))
    assert turned.symmetry.vertical == pytest.approx(upright.symmetry.horizontal, abs=0.02)
    assert upright.symmetry.vertical < 0.4


@pytest.mark.parametrize("angle", [-60, -35, 0, 20, 45, 70, 90])
def test_the_dominant_direction_is_that_of_the_lines(angle: float) -> None:
    picture = scenes.parallels(np.random.default_rng(3), angle)
    lines = dominant_lines(find_segments(WorkingCopy(picture)))
    apart = (lines[0].angle_deg - angle + 90) % 180 - 90
    assert abs(apart) < 1.5
    assert lines[0].strength > 0.8


def test_directions_are_ranked_by_their_share_of_the_length() -> None:
    lines = composition_of(scenes.grid(np.random.default_rng(0))).lines
    assert {round(abs(line.angle_deg)) for line in lines} == {0, 90}
    assert list(lines) == sorted(lines, key=lambda line: -line.strength)
    assert sum(line.strength for line in lines) <= 1 + 1e-6


def test_mass_on_one_side_moves_the_balance_there() -> None:
    rng = np.random.default_rng(1)
    composition = composition_of(scenes.focused(rng, 1 / 3, 1 / 3, 0.2))
    assert composition.balance.center_x < 0.485
    assert composition.balance.center_y < 0.49
    thirds = composition.thirds
    assert thirds.top_left > 1.8 * max(thirds.top_right, thirds.bottom_left, thirds.bottom_right)
    assert composition.negative_space.right > composition.negative_space.left + 0.1


def test_blur_lowers_sharpness_and_removing_detail_lowers_texture() -> None:
    picture = scenes.sky_and_ground(np.random.default_rng(4), 0.4, 0.0)
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 4), np.uint8)
    sharp, soft = composition_of(picture), composition_of(blurred)
    assert soft.sharpness < sharp.sharpness - 0.3
    assert soft.texture < sharp.texture - 0.1
    assert soft.edge_density < sharp.edge_density
