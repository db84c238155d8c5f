"""Key, contrast, direction and colour of the light."""

from __future__ import annotations

import numpy as np
import pytest

from animatize_assets.scene.lighting import measure_lighting
from animatize_assets.scene.models import Lighting
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene import scenes
from animatize_assets_tests.scene.scenes import HEIGHT, WIDTH, Picture


def of(picture: Picture) -> Lighting:
    return measure_lighting(WorkingCopy(picture))


def lit_from(angle_deg: float) -> Picture:
    """Grey that grows brighter towards a direction (0 = right, 90 = top), with grain."""
    x = np.linspace(-1, 1, WIDTH)[None, :]
    y = np.linspace(1, -1, HEIGHT)[:, None]
    slope = np.cos(np.radians(angle_deg)) * x + np.sin(np.radians(angle_deg)) * y
    grain = np.random.default_rng(0).normal(0, 15, (HEIGHT, WIDTH))
    return np.clip(128 + 50 * slope + grain, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)


@pytest.mark.parametrize("angle", [0, 60, 90, 150, -150, -90, -30])
def test_light_comes_from_where_it_is_brighter(angle: float) -> None:
    lighting = of(lit_from(angle))
    assert lighting.direction_deg is not None
    assert abs((lighting.direction_deg - angle + 180) % 360 - 180) < 6
    assert lighting.direction_strength > 0.5


def test_even_light_has_no_direction() -> None:
    assert of(scenes.flat()).direction_deg is None
    assert of(scenes.scattered(np.random.default_rng(3))).direction_deg is None


@pytest.mark.parametrize(("value", "key"), [(225, "high"), (120, "normal"), (30, "low")])
def test_key(value: int, key: str) -> None:
    lighting = of(scenes.flat((value, value, value)))
    assert lighting.key == key
    assert lighting.mean_luma == pytest.approx(value / 255, abs=0.01)


@pytest.mark.parametrize(
    ("tint", "expected"),
    [((150, 138, 118), "warm"), ((140, 140, 140), "neutral"), ((118, 136, 158), "cool")],
)
@pytest.mark.parametrize("exposure", [0.6, 1.0, 1.4])
def test_temperature_does_not_depend_on_exposure(
    tint: tuple[int, int, int], expected: str, exposure: float
) -> None:
    picture = np.full((HEIGHT, WIDTH, 3), tint, np.uint8) * exposure
    picture += np.random.default_rng(0).normal(0, 4, (HEIGHT, WIDTH, 1))
    assert of(np.clip(picture, 0, 255).astype(np.uint8)).temperature == expected


def test_shadows_highlights_and_contrast() -> None:
    picture = scenes.flat((128, 128, 128)).copy()
    picture[:, : WIDTH // 4] = 0
    picture[:, WIDTH // 2 :] = 255
    lighting = of(picture)
    assert lighting.shadow_share == pytest.approx(0.25, abs=0.02)
    assert lighting.highlight_share == pytest.approx(0.5, abs=0.02)
    assert lighting.contrast == pytest.approx(1, abs=0.02)
