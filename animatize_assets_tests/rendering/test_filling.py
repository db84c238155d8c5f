from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.rendering.filling import fill_unknown


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_what_is_known_stays_and_the_rest_lies_between(rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.random((rows, columns), dtype=np.float32)
    known = (random.random((rows, columns)) > 0.6).astype(np.float32)
    filled = fill_unknown(values, known)
    assert np.array_equal(filled[known > 0], values[known > 0])
    if known.any():
        assert filled.min() >= values[known > 0].min() - 1e-4
        assert filled.max() <= values[known > 0].max() + 1e-4


@pytest.mark.parametrize("channels", [None, 3])
def test_a_hole_in_an_even_plane_gets_its_value(channels: int | None) -> None:
    shape = (50, 70) if channels is None else (50, 70, channels)
    values = np.full(shape, 42, np.float32)
    values[10:30, 20:50] = -1000
    known = np.ones((50, 70), np.float32)
    known[10:30, 20:50] = 0
    assert np.allclose(fill_unknown(values, known), 42, atol=0.01)
