"""A client gets its rate and no more, and clients without number cost no memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.web.limits import LEAST_BURST, RateLimit


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@given(
    rate=st.floats(0.5, 500),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_no_client_gets_more_than_its_rate(rate: float, gaps: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(rate, timer=clock)
    allowed = 0
    for gap in gaps:
        clock.seconds += gap
        allowed += limit.take("one") == 0
    burst = max(LEAST_BURST, 2 * rate)
    assert allowed <= burst + rate * clock.seconds + 1e-6


@given(rate=st.floats(0.5, 500), count=st.integers(1, 300))
def test_who_keeps_to_the_rate_never_waits(rate: float, count: int) -> None:
    clock = Clock()
    limit = RateLimit(rate, timer=clock)
    for number in range(count):
        clock.seconds = number / rate
        assert limit.take("one") == 0


def test_who_waits_as_long_as_told_is_let_in() -> None:
    clock = Clock()
    limit = RateLimit(2.0, timer=clock)
    while not (wait_s := limit.take("one")):
        pass
    clock.seconds += wait_s * 0.99
    assert limit.take("one") > 0
    clock.seconds += wait_s * 0.01 + 1e-9
    assert limit.take("one") == 0


def test_one_client_takes_nothing_from_another() -> None:
    limit = RateLimit(1.0, timer=Clock())
    while not limit.take("greedy"):
        pass
    assert limit.take("modest") == 0


@pytest.mark.parametrize("most", [1, 10])
def test_clients_without_number_are_forgotten(most: int) -> None:
    limit = RateLimit(1.0, most_clients=most, timer=Clock())
    for number in range(100):
        limit.take(f"client-{number}")
    assert len(limit) == most
