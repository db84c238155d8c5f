"""How probable a request is: learned from what was seen, told honestly of what was not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.pregeneration.likelihood import Likelihood
from animatize_assets_tests.pregeneration.asking import (
    DRAFT,
    NOW,
    TALL,
    WIDE,
    asked,
    demand,
)


def learned(requests: list, stored: dict[str, float]) -> Likelihood:  # type: ignore[type-arg]
    return Likelihood.learn(demand(requests, stored), NOW, [DRAFT, WIDE, TALL])


def habit(images: int, share: float, seed: int = 1) -> tuple[list, dict[str, float]]:  # type: ignore[type-arg]
    """A draft on the first day; on the next one a wide picture of ``share`` of the images."""
    dice = random.Random(seed)
    requests, stored = [], {}
    for number in range(images):
        key, days_ago = f"image-{number:03d}", 10.5 + number % 10
        stored[key] = days_ago + 0.2
        requests.append(asked(key, days_ago))
        if dice.random() < share:
            requests.append(asked(key, days_ago - 1.1, WIDE))
    return requests, stored


def test_a_habit_is_learned_and_told_of_an_image_in_its_situation() -> None:
    requests, stored = habit(60, 1.0)
    requests.append(asked("new", 0.6))
    likelihood = learned(requests, stored | {"new": 0.7})
    assert likelihood.probability("new", WIDE, 2) > 0.9
    assert likelihood.probability("new", TALL, 2) < 0.05
    assert likelihood.had("new") == {DRAFT}


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_told_is_what_comes(share: float) -> None:
    requests, stored = habit(400, share)
    requests.append(asked("new", 0.6))
    told = learned(requests, stored | {"new": 0.7}).probability("new", WIDE, 7)
    came = sum(each.pattern == WIDE for each in requests) / 400
    assert told == pytest.approx(came, abs=0.05)


def test_a_quiet_image_is_not_taken_for_a_new_one() -> None:
    requests, stored = habit(60, 1.0)
    requests.append(asked("forgotten", 30))
    likelihood = learned(requests, stored | {"forgotten": 30.5})
    assert likelihood.probability("forgotten", WIDE, 7) < 0.3


def test_what_was_asked_for_is_not_expected_again() -> None:
    requests, stored = habit(60, 1.0)
    likelihood = learned(requests, stored)
    done = next(key for key in stored if likelihood.had(key) == {DRAFT, WIDE})
    told = dict(likelihood.likely(done, 7, 0.0))
    assert set(told) == {TALL}


def test_without_any_request_nothing_is_likely() -> None:
    likelihood = learned([], {"new": 0.5})
    assert likelihood.probability("new", WIDE, 7) == 0
    assert likelihood.likely("new", 7, 0.1) == ()


def test_a_later_habit_overrules_an_earlier_one() -> None:
    early = [
        request
        for number in range(20)
        for request in (asked(f"early-{number}", 50.5), asked(f"early-{number}", 49.4, TALL))
    ]
    requests, stored = habit(20, 1.0)
    stored |= {f"early-{number}": 50.7 for number in range(20)}
    requests.append(asked("new", 0.6))
    likelihood = learned([*early, *requests], stored | {"new": 0.7})
    assert likelihood.probability("new", WIDE, 2) > 0.8
    assert likelihood.probability("new", TALL, 2) < 0.2


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.floats(0.1, 30), st.sampled_from([DRAFT, WIDE, TALL])
        ),
        max_size=25,
    ),
    st.integers(1, 7),
)
def test_it_is_a_probability_that_grows_with_time(
    seen: list[tuple[str, float, object]], days: int
) -> None:
    requests = [asked(key, days_ago, pattern) for key, days_ago, pattern in seen]  # type: ignore[arg-type]
    stored = dict.fromkeys("abcd", 31.0)
    likelihood = learned(requests, stored)
    for key in stored:
        for pattern in (DRAFT, WIDE, TALL):
            sooner = likelihood.probability(key, pattern, days)
            assert 0 <= sooner <= likelihood.probability(key, pattern, days + 1) <= 1
        told = dict(likelihood.likely(key, days, 0.3))
        for pattern in {DRAFT, WIDE, TALL} - likelihood.had(key):
            probable = likelihood.probability(key, pattern, days)
            assert told.get(pattern) == (probable if probable >= 0.3 else None)
