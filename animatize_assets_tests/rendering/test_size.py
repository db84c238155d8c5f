from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.errors import RenderingFailed
from animatize_assets.rendering.size import output_size

sides = st.integers(16, 8192)


@given(sides, sides, st.integers(64, 4096))
def test_sizes_are_even_and_keep_the_aspect(width: int, height: int, long_side: int) -> None:
    w, h = output_size(width, height, long_side_px=long_side)
    assert w % 2 == h % 2 == 0
    assert abs(max(w, h) - long_side) <= 1
    if min(w, h) > 16:
        exact = long_side * min(width, height) / max(width, height)
        assert abs(min(w, h) - exact) <= 1


@pytest.mark.parametrize("asked", [(1920, 1080), (1080, 1920), (640, 640)])
def test_an_asked_size_is_kept(asked: tuple[int, int]) -> None:
    assert output_size(3000, 2000, size=asked) == asked


def test_an_odd_size_becomes_even() -> None:
    w, h = output_size(3000, 2000, size=(641, 359))
    assert (w, h) == (640, 360)


@pytest.mark.parametrize("asked", [(8, 800), (5000, 800), (-640, 480), (0, 0)])
def test_a_size_that_no_player_takes_is_refused(asked: tuple[int, int]) -> None:
    with pytest.raises(RenderingFailed):
        output_size(3000, 2000, size=asked)
