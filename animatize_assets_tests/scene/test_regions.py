"""Surfaces are told by colour and position and texture together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.scene.models import REGION_NAMES, Regions
from animatize_assets.scene.regions import MIN_REGION_SHARE, measure_regions
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene import painted


def measured(picture: painted.Picture) -> Regions:
    return measure_regions(WorkingCopy(picture), None)[0]


@pytest.mark.parametrize("horizon", [0.25, 0.4, 0.6])
def test_sky_and_grass_have_the_painted_shares(horizon: float) -> None:
    regions = measured(painted.meadow(horizon))
    assert regions.sky.share == pytest.approx(horizon, abs=0.05)
    assert regions.vegetation.share == pytest.approx(1 - horizon, abs=0.15)
    assert regions.sky.center_y is not None
    assert regions.sky.center_y == pytest.approx(horizon / 2, abs=0.04)


def test_blue_car_is_not_sky() -> None:
    assert measured(painted.blue_car()).sky.share == 0


def test_sky_upside_down_is_not_sky() -> None:
    """The same colours and textures in the wrong place."""
    upside_down = np.ascontiguousarray(painted.meadow(0.4)[::-1])
    assert measured(upside_down).sky.share == 0


def test_rough_blue_is_not_sky() -> None:
    rough = painted.textured(painted.meadow(0.5), 30, seed=5)
    assert measured(rough).sky.share == 0


@pytest.mark.parametrize("gain", [1.0, 1.1, 1.2])
def test_a_brighter_sky_keeps_its_share_though_its_blue_is_full(gain: float) -> None:
    picture = painted.meadow(0.5)
    picture[: painted.ROWS // 2] = (188, 215, 250)
    brighter = np.clip(picture * gain, 0, 255).astype(np.uint8)
    assert measured(brighter).sky.share == pytest.approx(0.5, abs=0.05)


def test_white_paper_is_not_sky_even_where_a_drawing_cuts_it_in_two() -> None:
    """With the lower part covered, the same white above the same band is a sky."""
    picture = painted.plain((255, 255, 255))
    picture[150:200] = painted.textured(painted.plain((70, 60, 50)), 40)[150:200]
    assert measured(picture).sky.share == 0
    picture[150:] = painted.textured(painted.plain((70, 60, 50)), 40)[150:]
    assert measured(picture).sky.share == pytest.approx(150 / painted.ROWS, abs=0.05)


def test_flat_green_is_not_vegetation() -> None:
    picture = painted.meadow(0.5)
    picture[painted.ROWS // 2 :] = painted.GRASS
    assert measured(picture).vegetation.share == 0


def test_green_thing_in_mid_paper_is_not_vegetation() -> None:
    picture = painted.plain((255, 255, 255))
    picture[120:280, 200:400] = painted.textured(painted.plain(painted.GRASS), 30)[120:280, 200:400]
    assert measured(picture).vegetation.share == 0


def test_rippled_blue_below_a_sky_is_water_and_without_the_sky_it_is_not() -> None:
    picture = painted.meadow(0.4)
    ripples = 14 * np.sin(np.arange(painted.ROWS) * 1.3) + 8 * np.sin(np.arange(painted.ROWS) / 3)
    sea = np.clip(np.array([60, 110, 150]) + ripples[:, None], 0, 255).astype(np.uint8)
    picture[240:] = sea[240:, None, :]
    assert measured(picture).water.share > 0.2
    picture[:160] = painted.textured(painted.plain((110, 80, 60)), 30)[:160]
    assert measured(picture).water.share == 0


def test_mask_agrees_with_the_shares_and_surfaces_do_not_overlap() -> None:
    copy = WorkingCopy(painted.meadow())
    regions, mask = measure_regions(copy, None)
    assert mask.shape == (copy.height, copy.width)
    assert mask.dtype == np.uint8
    for bit, name in enumerate(REGION_NAMES):
        share = float(((mask >> bit) & 1).mean())
        assert share == pytest.approx(getattr(regions, name).share, abs=0.01)
    assert set(np.unique(mask)) <= {0, *(1 << bit for bit in range(len(REGION_NAMES)))}


@given(
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    rows=st.integers(16, 90),
    columns=st.integers(16, 90),
)
@settings(max_examples=25, deadline=None)
def test_flat_colour_is_no_scenery(colour: tuple[int, int, int], rows: int, columns: int) -> None:
    regions = measured(painted.plain(colour, rows, columns))
    for name in ("sky", "vegetation", "water", "built"):
        assert getattr(regions, name).share == 0


@pytest.mark.parametrize("picture", [painted.meadow(0.4), painted.lone_disc(0.3)])
def test_mirroring_mirrors_the_surfaces(picture: painted.Picture) -> None:
    there, back = measured(picture), measured(painted.mirrored(picture))
    for name in REGION_NAMES:
        one, other = getattr(there, name), getattr(back, name)
        assert one.share == pytest.approx(other.share, abs=0.005)
        if one.center_x is not None and one.share > MIN_REGION_SHARE + 0.005:
            assert other.center_x == pytest.approx(1 - one.center_x, abs=0.01)
