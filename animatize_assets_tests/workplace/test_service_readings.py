"""What the performance system is told of breakers and of money, from the real tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from animatize_assets.generation.accounting import PlannedCall
from animatize_assets.generation.breaker import BreakerState
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.health import HealthBoard
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.request_log import RequestLog
from animatize_assets.settings import Settings
from animatize_assets.workplace.service_readings import STILL_DOWN, provider_states, spending
from animatize_assets_tests.generation.test_request_log import logged

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def pay(
    engine: Engine, provider: str, usd: float, at: datetime, *, is_settled: bool = True
) -> None:
    ledger = SqlLedger(engine, Budget(), lambda: at)
    call = ledger.open_call(PlannedCall(provider, "model", "fingerprint", usd))
    if is_settled:
        ledger.settle(call, cost_usd=usd, usage=None)


def spent(engine: Engine, **limits: object) -> dict[str, tuple[float, float]]:
    settings = Settings.model_validate({"budget_day_usd": None, **limits})
    return {
        each.limit_name: (each.spent_usd, each.limit_usd)
        for each in spending(engine, settings, now=NOON)
    }


def test_a_day_counts_what_was_and_what_may_have_been_billed(engine: Engine) -> None:
    pay(engine, "openai", 2.0, NOON - timedelta(hours=1))
    pay(engine, "flux", 0.5, NOON - timedelta(hours=2), is_settled=False)
    pay(engine, "openai", 7.0, NOON - timedelta(hours=13))  # yesterday
    limits = {"budget_day_usd": 25, "budget_provider_day_usd": {"openai": 4.0, "imagen": 3.0}}
    assert spent(engine, **limits) == {
        "day": (2.5, 25.0),
        "openai a day": (2.0, 4.0),
        "imagen a day": (0.0, 3.0),
    }
    assert spent(engine) == {}


def test_a_limit_of_nothing_is_news_only_when_something_was_paid(engine: Engine) -> None:
    assert spent(engine, budget_day_usd=0) == {}
    pay(engine, "openai", 2.0, NOON)
    assert spent(engine, budget_day_usd=0) == {"day": (2.0, 0.0)}


def test_a_breaker_that_went_silent_open_is_left_out(engine: Engine) -> None:
    for provider, state, ago in (
        ("openai", "open", timedelta(minutes=1)),
        ("flux", "open", STILL_DOWN),
        ("imagen", "closed", timedelta(days=30)),
    ):
        board = HealthBoard(engine, lambda ago=ago: NOON - ago)  # type: ignore[misc]
        board.note(BreakerState(provider, state, 3, "transient", None))  # type: ignore[arg-type]
    states = {each.provider: each.state for each in provider_states(engine, now=NOON)}
    assert states == {"openai": "open", "imagen": "closed"}


def test_a_provider_that_delivered_since_is_not_down_whoever_kept_its_breaker(
    engine: Engine,
) -> None:
    opened_at = NOON - timedelta(minutes=10)
    for provider in ("openai", "flux"):
        board = HealthBoard(engine, lambda: opened_at)
        board.note(BreakerState(provider, "open", 0, "not_configured", 60.0))
    made = logged(provider="openai", made_by="openai", outcome="made")
    RequestLog(engine, lambda: opened_at - timedelta(minutes=1)).write(made)
    assert {each.state for each in provider_states(engine, now=NOON)} == {"open"}
    RequestLog(engine, lambda: opened_at + timedelta(minutes=1)).write(made)
    states = {each.provider: each.state for each in provider_states(engine, now=NOON)}
    assert states == {"openai": "closed", "flux": "open"}
