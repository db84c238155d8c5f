"""Where a layer hides what is behind it: told for parts of a frame, true of every pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.rendering.coverage import measure_coverage


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.floats(0, 40), density=st.sampled_from([1, 2]))
def test_what_is_called_opaque_or_empty_is_so_within_reach(
    seed: int, reach: float, density: int
) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.integers(40, 160, 2)
    alpha = np.full((rows, columns), 255, np.uint8)
    for _ in range(3):
        top, left = random.integers(0, rows), random.integers(0, columns)
        alpha[top : top + 30, left : left + 30] = random.choice([0, 100, 255])
    alpha[:, : random.integers(1, columns)] *= np.uint8(random.integers(0, 2))
    coverage = measure_coverage(alpha, density, reach)
    at = random.uniform(0, 1, (2, 50)).astype(np.float32)
    x, y = at[0] * columns, at[1] * rows
    nodes = coverage.at(x[None] * density, y[None] * density)
    for index in range(50):
        near = alpha[
            max(0, int(y[index] - reach)) : int(y[index] + reach) + 1,
            max(0, int(x[index] - reach)) : int(x[index] + reach) + 1,
        ]
        assert not nodes.opaque[0, index] or near.min() == 255
        assert nodes.seen[0, index] or near.max() == 0


def test_spans_are_found_in_all_of_the_rows() -> None:
    alpha = np.zeros((320, 640), np.uint8)
    alpha[:, 160:560] = 255
    alpha[200:, 400:] = 128
    coverage = measure_coverage(alpha, 1, 8.0)
    x, y = np.meshgrid(np.arange(8, 640, 16), np.arange(8, 320, 16))
    nodes = coverage.at(x.astype(np.float32), y.astype(np.float32))
    above, below = nodes.hiding((0, 10)), nodes.hiding((0, 20))
    assert above[0] * 16 >= 160
    assert 340 < above[1] * 16 <= 560  # a margin of the reach on both sides
    assert below[0] == above[0]
    assert below[1] * 16 <= 400
    shown = nodes.showing((0, 10))
    assert shown[0] * 16 <= 160
    assert shown[1] * 16 >= 560
    assert nodes.showing((0, 10)) != (0, 40)


def test_nothing_opaque_hides_nothing() -> None:
    coverage = measure_coverage(np.full((64, 64), 254, np.uint8), 1, 4.0)
    nodes = coverage.at(*np.meshgrid(np.float32([5, 30, 60]), np.float32([5, 30, 60])))
    assert nodes.hiding((0, 3)) == (0, 0)
    empty = measure_coverage(np.zeros((64, 64), np.uint8), 1, 4.0)
    assert empty.at(np.float32([[5]]), np.float32([[5]])).showing((0, 1)) == (0, 0)
