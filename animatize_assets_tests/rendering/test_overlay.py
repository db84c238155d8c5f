from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from animatize_assets.rendering import overlay
from animatize_assets.rendering.overlay import draw_composition, draw_depth
from animatize_assets.rendering.thumbnail import reduce_to
from animatize_assets_tests.prompts import scenes

PLAIN: dict[str, Any] = {
    "composition__horizon": None,
    "composition__vanishing_point": None,
    "composition__lines": (),
    "composition__negative_space": {"left": 0, "right": 0, "top": 0, "bottom": 0},
    "subject__bbox": None,
}
GRAY = 120


def gray(width: int = 600, height: int = 400) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GRAY, np.uint8)


def like(pixels: NDArray[np.uint8], color: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Where the hue of ``color`` is: every channel within 60 of it."""
    return np.abs(pixels.astype(int) - color).max(axis=-1) < 60


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((600, 400), (600, 400)),
        ((2560, 1440), (1280, 720)),
        ((40, 800), (40, 800)),
        ((16, 16), (16, 16)),
    ],
)
def test_size_is_kept_up_to_the_limit(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    pixels = gray(*size)
    before = pixels.copy()
    result = draw_composition(pixels, scenes.analysis())
    assert result.shape == (drawn[1], drawn[0], 3)
    assert result.dtype == np.uint8
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    ("change", "color"),
    [
        ({"composition__horizon": {"y": 0.7, "angle_deg": 0, "strength": 1}}, overlay.HORIZON),
        ({"composition__vanishing_point": {"x": 0.8, "y": 0.5, "strength": 1}}, overlay.VANISHING),
        ({"subject__bbox": (0.4, 0.4, 0.6, 0.6)}, overlay.SUBJECT),
        (
            {"composition__negative_space": {"left": 0, "right": 1, "top": 0, "bottom": 0}},
            overlay.EMPTY,
        ),
        ({"composition__lines": [{"angle_deg": 45, "strength": 1}]}, overlay.LINES),
        (
            {"subject__people": [{"bbox": (0.1, 0.1, 0.3, 0.9), "score": 1.0, "kind": "person"}]},
            overlay.PERSON,
        ),
    ],
)
def test_each_finding_is_drawn_in_its_color_and_only_when_found(
    change: dict[str, Any], color: tuple[int, int, int]
) -> None:
    without = draw_composition(gray(), scenes.changed(scenes.analysis(), **PLAIN))
    found = draw_composition(gray(), scenes.changed(scenes.analysis(), **{**PLAIN, **change}))
    drawn = (without != found).any(axis=-1)
    assert (like(found, color) & drawn).sum() > 20
    # Still there at the size of a thumbnail: some pixels differ clearly.
    small = np.abs(reduce_to(found, 240).astype(int) - reduce_to(without, 240)).max(axis=-1)
    assert (small > 40).sum() >= 3


def test_the_subject_box_is_where_it_was_measured() -> None:
    analysis = scenes.changed(
        scenes.analysis(), **{**PLAIN, "subject__bbox": (0.5, 0.25, 0.75, 0.5)}
    )
    rows, columns = np.nonzero(like(draw_composition(gray(), analysis), overlay.SUBJECT))
    assert columns.min() / 599 == pytest.approx(0.5, abs=0.01)
    assert columns.max() / 599 == pytest.approx(0.75, abs=0.01)
    assert rows.min() / 399 == pytest.approx(0.25, abs=0.015)
    assert rows.max() / 399 == pytest.approx(0.5, abs=0.015)


def test_a_horizon_that_rises_to_the_right_is_drawn_so() -> None:
    horizon = {"y": 0.5, "angle_deg": 10, "strength": 1}
    analysis = scenes.changed(scenes.analysis(), **{**PLAIN, "composition__horizon": horizon})
    rows, columns = np.nonzero(like(draw_composition(gray(), analysis), overlay.HORIZON))
    assert rows[columns < 60].mean() > rows[columns > 540].mean() + 60


def test_regions_are_tinted_where_the_mask_says() -> None:
    regions = np.zeros((40, 60), np.uint8)
    regions[:20] = 1  # bit 0: sky
    analysis = scenes.changed(scenes.analysis(), **PLAIN)
    change = draw_composition(gray(), analysis, regions).astype(int) - draw_composition(
        gray(), analysis
    )
    assert change[50, 50, 2] > 20  # blue above
    assert not change[350, 50].any()


def test_depth_is_brighter_the_nearer() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[:, None].repeat(8, axis=1)
    luma = draw_depth(ramp).astype(float) @ (0.2126, 0.7152, 0.0722)
    assert draw_depth(ramp).shape == (64, 8, 3)
    assert (np.diff(luma[:, 0]) > -1).all()
    assert luma[-1, 0] > luma[0, 0] + 150
    assert np.array_equal(draw_depth(ramp.astype(np.float16))[0], draw_depth(ramp)[0])
