"""A share of reuses is made again, and the counts say how often reuse was wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.generation.semantic.shadow import FalseHits, is_shadowed


def test_the_share_is_kept() -> None:
    keys = [str(number) for number in range(20_000)]
    for share in (0.01, 0.1, 0.5):
        chosen = sum(is_shadowed(key, share) for key in keys) / len(keys)
        assert chosen == pytest.approx(share, rel=0.15)


@given(st.text(max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_contains_the_smaller(key: str, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert is_shadowed(key, larger) >= is_shadowed(key, smaller)
    assert is_shadowed(key, 1)
    assert not is_shadowed(key, 0)


def test_the_interval_is_wilsons() -> None:
    found = FalseHits(compared=10, wrong=1).interval
    assert found == pytest.approx((0.0179, 0.4042), abs=1e-4)  # Newcombe (1998), method 3
    assert FalseHits(compared=0, wrong=0).interval is None
    assert FalseHits(compared=0, wrong=0).rate is None
    assert FalseHits(0, 0).sentence == "not measured yet"


@given(st.integers(1, 500), st.data())
def test_the_interval_holds_the_share(compared: int, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, compared))
    counted = FalseHits(compared, wrong)
    assert counted.interval is not None
    assert counted.rate is not None
    low, high = counted.interval
    assert 0 <= low <= counted.rate + 1e-12
    assert counted.rate - 1e-12 <= high <= 1
