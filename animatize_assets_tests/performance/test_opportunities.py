"""An opportunity is offered when the jobs show it, with what they show it is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from animatize_assets.performance.bottlenecks.detection import find_bottlenecks
from animatize_assets.performance.opportunities import (
    Opportunity,
    identify_optimization_opportunities,
)
from animatize_assets_tests.performance.fleet import Change, fleet


def offered(change: Change | None = None, **columns: Any) -> dict[str, Opportunity]:
    jobs = fleet(160, change=change).assign(**columns)
    found = identify_optimization_opportunities(jobs, find_bottlenecks(jobs))
    return {each.area: each for each in found}


def test_a_healthy_fleet_is_left_alone() -> None:
    assert offered() == {}
    assert identify_optimization_opportunities(fleet(0), ()) == ()


def test_each_bottleneck_is_an_opportunity_worth_its_gain() -> None:
    def many_steps(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        plan["steps"] = 100 if number % 5 < 2 else 25

    jobs = fleet(160, change=many_steps)
    found = find_bottlenecks(jobs)
    [told] = identify_optimization_opportunities(jobs, found)
    assert told.area == "suboptimal_parameters"
    assert told.potential_improvement == found[0].expected_gain
    took = jobs["total_time_seconds"]
    wasted = float(took[jobs["steps"] == 100].sum()) * 0.75
    assert told.potential_improvement == pytest.approx(wasted / float(took.sum()), abs=0.04)
    assert told.effort_required == "low"


def test_work_done_twice_is_worth_its_seconds() -> None:
    numbers = np.arange(160)
    told = offered(seed=numbers // 2, partition_key="image", width=512, height=512, steps=20)
    assert told["result_reuse"].potential_improvement == pytest.approx(0.5, abs=0.1)
    other = offered(seed=numbers, partition_key="image", width=512, height=512, steps=20)
    assert other == {}


def test_a_slow_worker_is_named() -> None:
    def one_slow(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        plan["slower"] = 1.6 if number % 2 else 1.0

    told = offered(one_slow)["worker_routing"]
    assert "gpu-1 takes 1." in told.description
    # 1.6 of 2.6 seconds are spent there, and 0.6 of these 1.6 too many.
    assert told.potential_improvement == pytest.approx(0.6 / 2.6, abs=0.05)


@pytest.mark.parametrize(("ratings", "is_offered"), [((4, 4), True), ((2, 5), False)])
def test_a_cheaper_model_is_offered_when_it_is_as_good(
    ratings: tuple[int, int], is_offered: bool
) -> None:
    dear = np.arange(160) % 2 == 1
    told = offered(
        model=np.where(dear, "dear", "cheap"),
        cost_usd=np.where(dear, 0.08, 0.02),
        user_rating=np.where(dear, ratings[1], ratings[0]).astype(float),
    )
    assert ("model_choice" in told) == is_offered
    if is_offered:
        assert told["model_choice"].saves == "money"
        assert told["model_choice"].potential_improvement == pytest.approx(0.6, abs=0.03)
