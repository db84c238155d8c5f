"""The most probable pictures are made, within money, time and waste; what is free comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.pregeneration.offers import Offer
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.pregeneration.planning import (
    Candidate,
    LeftOut,
    Limits,
    Plan,
    Quoted,
    plan_night,
)
from animatize_assets_tests.pregeneration.asking import DRAFT

OWN = Pattern("generic", "cinematic", "comfyui", None)
WIDE_LIMITS = Limits(budget_usd=100, window_s=1e6, most=1000, waste=1.0)


def candidate(number: int, probability: float, pattern: Pattern = DRAFT) -> Candidate:
    return Candidate(f"image-{number:03d}", pattern, probability)


def batch(each: Candidate) -> Quoted:
    return Quoted(each.image_key, "model", "zoom_in", Offer("batch", 0.02, 0.04))


def own(each: Candidate, seconds: float = 60) -> Quoted:
    return Quoted(each.image_key, "workflow", "zoom_in", Offer("own", 0.0, 0.0), seconds)


def quote(each: Candidate) -> Quoted:
    return own(each) if each.pattern == OWN else batch(each)


def planned(candidates: Sequence[Candidate], limits: Limits) -> Plan:
    return plan_night(candidates, quote, limits, own=frozenset({"comfyui"}))


def test_the_most_probable_come_first_and_what_is_free_before_them() -> None:
    plan = planned(
        [candidate(1, 0.6), candidate(2, 0.9), candidate(3, 0.7, OWN), candidate(4, 0.8, OWN)],
        WIDE_LIMITS,
    )
    assert [each.image_key for each in plan.pictures] == [
        "image-004", "image-003", "image-002", "image-001",
    ]  # fmt: skip
    assert plan.cost_usd == pytest.approx(0.04)
    assert plan.by_day_usd == pytest.approx(0.08)
    assert plan.seconds == 120


def test_the_budget_is_kept() -> None:
    plan = planned([candidate(n, 0.9) for n in range(10)], replace(WIDE_LIMITS, budget_usd=0.07))
    assert len(plan.pictures) == 3
    assert plan.left_out == {"over_budget": 7}


def test_the_window_is_kept_by_the_estimates() -> None:
    own_ones = [candidate(n, 0.9, OWN) for n in range(5)]
    plan = planned(own_ones, replace(WIDE_LIMITS, window_s=150))
    assert len(plan.pictures) == 2
    assert plan.left_out == {"no_time": 3}


def test_a_batch_that_costs_more_than_it_will_save_is_not_sent() -> None:
    plan = planned([candidate(1, 0.51), candidate(2, 0.5), candidate(3, 0.4)], WIDE_LIMITS)
    assert [each.image_key for each in plan.pictures] == ["image-001"]
    assert plan.left_out == {"not_cheaper": 2}


def test_why_a_candidate_cannot_be_made_is_counted() -> None:
    told: dict[str, LeftOut] = {"image-001": "kept", "image-002": "not_ready"}
    plan = plan_night(
        [candidate(n, 0.9) for n in range(4)],
        lambda each: told.get(each.image_key) or batch(each),
        WIDE_LIMITS,
        own=frozenset(),
    )
    assert plan.left_out == {"kept": 1, "not_ready": 1}
    assert len(plan.pictures) == 2


@given(
    st.lists(st.floats(0.3, 1.0), max_size=40),
    st.floats(0, 1),
    st.floats(0, 0.5),
    st.integers(1, 20),
)
def test_every_limit_holds_whatever_there_is(
    chances: list[float], budget: float, waste: float, most: int
) -> None:
    candidates = [
        candidate(number, chance, OWN if number % 3 == 0 else DRAFT)
        for number, chance in enumerate(chances)
    ]
    limits = Limits(budget_usd=budget, window_s=500, most=most, waste=waste)
    plan = planned(candidates, limits)
    assert plan.cost_usd <= budget + 1e-6
    assert plan.seconds <= 500
    assert len(plan.pictures) <= most
    if plan.pictures:
        assert 1 - plan.expected_uses / len(plan.pictures) <= waste + 1e-5
    assert len(plan.pictures) + sum(plan.left_out.values()) == len(candidates)
    assert plan == planned(list(reversed(candidates)), limits)
