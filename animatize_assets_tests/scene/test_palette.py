"""Colours, their shares and their arrangement on the hue circle."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from animatize_assets.scene.models import Palette
from animatize_assets.scene.palette import measure_palette
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene.scenes import Picture

BLOCK = 64


def of(picture: Picture) -> Palette:
    return measure_palette(WorkingCopy(picture))


def stripes(*colors: tuple[int, int, int], widths: tuple[int, ...] | None = None) -> Picture:
    widths = widths or (1,) * len(colors)
    blocks = [
        np.full((4 * BLOCK, BLOCK * width, 3), color, np.uint8)
        for color, width in zip(colors, widths, strict=True)
    ]
    return np.hstack(blocks)


def hues(*degrees: float) -> Picture:
    """Stripes of equal size at these hues of the RGB circle."""
    return stripes(
        *(
            tuple(round(255 * part) for part in colorsys.hsv_to_rgb(degree / 360, 0.8, 0.8))
            for degree in degrees
        )
    )


def test_shares_are_those_of_the_stripes() -> None:
    palette = of(stripes((200, 30, 30), (30, 60, 200), (240, 240, 240), widths=(4, 2, 2)))
    by_hex = {color.hex: color.share for color in palette.colors}
    assert by_hex["#c81e1e"] == pytest.approx(0.5, abs=0.02)
    assert by_hex["#1e3cc8"] == pytest.approx(0.25, abs=0.02)
    assert by_hex["#f0f0f0"] == pytest.approx(0.25, abs=0.02)
    assert palette.colors[0].hex == "#c81e1e"


def test_where_the_colours_are_does_not_matter() -> None:
    picture = stripes((200, 30, 30), (30, 60, 200), (90, 160, 60), (240, 240, 240))
    assert of(picture) == of(picture[::-1]) == of(np.ascontiguousarray(picture[:, ::-1]))


def test_at_most_six_colours_which_share_at_most_the_whole() -> None:
    rng = np.random.default_rng(0)
    palette = of(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    assert 1 <= len(palette.colors) <= 6
    assert sum(color.share for color in palette.colors) <= 1 + 1e-6


def test_orange_is_warm_and_blue_is_cool() -> None:
    warm, cool = of(stripes((230, 140, 40))), of(stripes((40, 90, 220)))
    assert warm.warmth > 0.7
    assert cool.warmth < -0.5
    assert abs(of(stripes((128, 128, 128))).warmth) < 0.01


def test_grey_has_no_saturation_colourfulness_or_hue() -> None:
    palette = of(stripes((60, 60, 60), (200, 200, 200)))
    assert palette.saturation == 0
    assert palette.colorfulness == 0
    assert palette.harmony.type == "achromatic"


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        ((25,), "monochromatic"),
        ((10, 20, 35, 50), "analogous"),
        ((30, 215), "complementary"),
        ((0, 130, 255), "triadic"),
        ((0, 60, 120, 180, 240, 300), "none"),
    ],
)
def test_harmony_names_the_arrangement(degrees: tuple[float, ...], expected: str) -> None:
    assert of(hues(*degrees)).harmony.type == expected


def test_colourfulness_grows_with_saturation() -> None:
    dull = of(stripes((140, 120, 120), (120, 120, 140)))
    vivid = of(stripes((220, 40, 40), (40, 40, 220)))
    assert vivid.colorfulness > dull.colorfulness + 0.3
