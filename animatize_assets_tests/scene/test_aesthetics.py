"""Aesthetics is computed from measurements, without a constant term."""

from __future__ import annotations

import pytest

from animatize_assets.scene.aesthetics import WEIGHTS
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.models import Aesthetics
from animatize_assets_tests.scene import painted


def rated(picture: painted.Picture) -> Aesthetics:
    size = (picture.shape[1], picture.shape[0])
    return analyze_scene(picture, image_size=size).analysis.aesthetics


def test_overall_is_the_weighted_mean_of_the_components() -> None:
    aesthetics = rated(painted.lone_disc(1 / 3))
    assert set(aesthetics.components) == set(WEIGHTS)
    mean = sum(WEIGHTS[name] * value for name, value in aesthetics.components.items())
    assert aesthetics.overall == pytest.approx(mean / sum(WEIGHTS.values()), abs=1e-5)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_grey_scores_nothing(level: int) -> None:
    assert rated(painted.plain((level, level, level))).overall == pytest.approx(0, abs=0.02)


def test_subject_on_a_power_point_is_better_placed_than_one_in_a_corner() -> None:
    on_point = rated(painted.lone_disc(1 / 3, 1 / 3, 0.12)).components["placement"]
    in_corner = rated(painted.lone_disc(0.06, 0.08, 0.12)).components["placement"]
    assert on_point > in_corner
