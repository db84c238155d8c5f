"""What is asked for is counted without its image, the latest most."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.pregeneration.patterns import decayed, pattern_counts, with_variations
from animatize_assets_tests.pregeneration.asking import DRAFT, NOW, TALL, WIDE, asked

PATTERNS = st.sampled_from([DRAFT, WIDE, TALL])
REQUESTS = st.lists(
    st.builds(
        asked,
        st.sampled_from("abc"),
        st.floats(0, 60),
        PATTERNS,
        st.sampled_from(["zoom_in", "pan"]),
    ),
    max_size=30,
)


def test_a_request_counts_half_after_the_half_life() -> None:
    assert decayed(timedelta()) == 1
    assert decayed(timedelta(days=7)) == pytest.approx(0.5)
    assert decayed(timedelta(days=6), half_life_days=3) == pytest.approx(0.25)


def test_what_was_asked_for_of_late_comes_before_what_was_asked_for_more_often() -> None:
    old = [asked(f"image-{number}", 50, WIDE) for number in range(5)]
    counts = pattern_counts([*old, asked("other", 1, TALL)], NOW)
    assert [each.pattern for each in counts] == [TALL, WIDE]
    assert counts[1].requests == 5


@given(REQUESTS)
def test_counts_are_of_all_requests_and_know_no_image(requests: list) -> None:  # type: ignore[type-arg]
    counts = pattern_counts(requests, NOW)
    assert sum(each.requests for each in counts) == len(requests)
    for each in counts:
        assert sum(each.movements.values()) == each.requests
        assert 0 < each.weight <= each.requests
    weights = [each.weight for each in counts]
    assert weights == sorted(weights, reverse=True)
    assert "image" not in str([each.model_dump() for each in counts])


def test_variations_exchange_one_part_and_come_after_what_was_asked_for() -> None:
    found = with_variations([WIDE, TALL])
    assert found[:2] == (WIDE, TALL)
    differences = {
        sum(
            getattr(other, part) != getattr(WIDE, part)
            for part in ("target", "style", "provider", "size")
        )
        for other in found
    }
    assert differences == {0, 1, 2}  # TALL itself differs in two
    assert len(found) == len(set(found)) == 4
    assert with_variations([DRAFT]) == (DRAFT,)
