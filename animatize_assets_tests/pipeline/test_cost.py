from __future__ import annotations

from datetime import UTC, datetime

import pytest

from animatize_assets.generation.models import Attempt, PictureRecord, Reuse
from animatize_assets.pipeline.cost import Cost
from animatize_assets.pipeline.stages import StageOutcome


def outcome(*costs: float | None, status: str = "done", reuse: Reuse | None = None) -> StageOutcome:
    attempts = tuple(
        Attempt(
            provider="flux",
            model="m",
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            seconds=1,
            outcome="made",
            cost_usd=cost,
        )
        for cost in costs
    )
    record = PictureRecord(
        provider="flux",
        model="m",
        path="p.png",
        media_type="image/png",
        sha256="0" * 64,
        width=1,
        height=1,
        seed=None,
        graded=False,
        cost_usd=None,
        attempts=attempts,
        asked_provider="flux",
        request={},
        reuse=reuse,
    )
    return StageOutcome(
        stage="generated_picture",
        image_key="k",
        status=status,  # type: ignore[arg-type]  # a literal
        seconds=1,
        code_version="1",
        record=record,
    )


def test_every_attempt_of_what_was_made_counts() -> None:
    cost = Cost().plus(outcome(0.03, 0.04)).plus(outcome(0.0))
    assert cost.usd == pytest.approx(0.07)
    assert str(cost) == "0.0700"


def test_an_unknown_cost_is_counted_and_never_zero() -> None:
    cost = Cost().plus(outcome(None, 0.03))
    assert (cost.usd, cost.unknown) == (0.03, 1)
    assert str(cost) == "0.0300 and 1 of unknown cost"


def test_what_was_there_before_costs_nothing() -> None:
    again = Reuse(level="exact", source_image_key="k", source_sha256="0" * 64, why="the same")
    assert not Cost().plus(outcome(0.03, status="reused")).plus(outcome(reuse=again))


def test_what_was_reused_and_made_in_the_shadow_costs_what_was_made() -> None:
    alike = Reuse(level="canonical", source_image_key="k", source_sha256="0" * 64, why="the same")
    assert Cost().plus(outcome(0.03, reuse=alike)).usd == 0.03
