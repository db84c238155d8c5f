from __future__ import annotations

import cv2
import numpy as np
import pytest

from animatize_assets.rendering.layers import cut_into_layers
from animatize_assets_tests.rendering.scenes import disc, textured

SIZE = (320, 180)


def _steps(*values: float) -> np.ndarray:
    """Upright stripes of even depth, from left to right."""
    return np.repeat(np.asarray(values, np.float32), 320 // len(values))[None].repeat(180, axis=0)


def test_an_even_depth_is_one_layer() -> None:
    image = textured(*SIZE)
    (layer,) = cut_into_layers(image, np.full((90, 160), 0.4, np.float32), drift_px=20)
    assert np.array_equal(layer.picture, image)
    assert layer.alpha.min() == 255
    assert np.allclose(layer.depth, 0.4)


def test_a_slope_is_not_cut() -> None:
    slope = np.tile(np.linspace(0, 1, 180, dtype=np.float32)[:, None], (1, 320))
    (layer,) = cut_into_layers(textured(*SIZE), slope, drift_px=20)
    assert np.abs(layer.depth - slope).max() < 0.1


@pytest.mark.parametrize("near", [0.5, 0.8, 1.0])
def test_an_edge_of_depth_is_cut_where_it_is(near: float) -> None:
    depth = np.where(disc(*SIZE), near, 0.1).astype(np.float32)
    far, front = cut_into_layers(textured(*SIZE), depth, drift_px=20)
    inside = front.alpha > 127
    wrong = inside != disc(*SIZE)
    assert np.count_nonzero(wrong) < 1.0 * 2 * np.pi * 45 * 2  # at most two pixels all around
    visible = cv2.erode(disc(*SIZE).astype(np.uint8), np.ones((41, 41), np.uint8)) == 0
    assert np.allclose(far.depth[visible], 0.1, atol=0.03)
    assert front.depth[90, 160] == pytest.approx(near, abs=0.02)


def test_three_depths_are_three_layers() -> None:
    layers = cut_into_layers(textured(*SIZE), _steps(0.05, 0.5, 0.95, 0.5), drift_px=10)
    assert [
        round(float(np.median(layer.depth[:, [10, 120, 200, 300][i]])), 1)
        for i, layer in zip((0, 1, 2), layers, strict=True)
    ] == [0.1, 0.5, 0.9]


def test_without_motion_nothing_is_cut() -> None:
    assert len(cut_into_layers(textured(*SIZE), _steps(0.0, 1.0), drift_px=0)) == 1


def test_neighbours_never_drift_apart_more_than_a_picture_can_bear() -> None:
    noise = np.random.default_rng(0).random((180, 320), dtype=np.float32)
    drift = 30
    for layer in cut_into_layers(textured(*SIZE), noise, drift_px=drift):
        dx, dy = np.diff(layer.depth, axis=1), np.diff(layer.depth, axis=0)
        assert max(np.abs(dx).max(), np.abs(dy).max()) * drift < 0.75


def test_layers_put_together_are_the_image() -> None:
    image = textured(*SIZE)
    whole = np.zeros((180, 320, 3))
    for layer in cut_into_layers(image, _steps(0.05, 0.95, 0.5, 0.9), drift_px=10):
        alpha = layer.alpha[..., None] / 255
        whole = whole * (1 - alpha) + layer.picture * alpha
    assert np.abs(whole - image).max() <= 2
