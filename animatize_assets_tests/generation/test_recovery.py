"""Which pictures wait for a provider that was down, and what shows that it is back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from animatize_assets.generation.breaker import BreakerState
from animatize_assets.generation.health import HealthBoard
from animatize_assets.generation.models import Attempt, PictureRecord
from animatize_assets.generation.recovery import OF_THE_PROVIDER, is_known_to_be_back, was_down
from animatize_assets.generation.request_log import RequestLog
from animatize_assets_tests.generation.ledgers import Clock, database
from animatize_assets_tests.generation.test_request_log import logged

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def attempt(provider: str, reason: str | None) -> Attempt:
    return Attempt(
        provider=provider,
        model="m",
        started_at=NOON,
        seconds=1.0,
        outcome="failed" if reason else "made",
        reason=reason,
    )


def picture(*attempts: Attempt, provider: str = "local", **changes: Any) -> PictureRecord:
    values: dict[str, Any] = {
        "provider": provider,
        "model": "m",
        "path": "p.png",
        "media_type": "image/png",
        "sha256": "0" * 64,
        "width": 32,
        "height": 32,
        "seed": 0,
        "graded": False,
        "cost_usd": 0.0,
        "attempts": attempts,
        "asked_provider": "flux",
        "request": {},
        **changes,
    }
    return PictureRecord(**values)


def test_the_last_word_of_the_asked_provider_counts() -> None:
    made = attempt("local", None)
    assert was_down(picture(attempt("flux", "transient"), made), "flux")
    refused = (attempt("flux", "transient"), attempt("flux", "refused_content"), made)
    assert not was_down(picture(*refused), "flux")
    others = (attempt("flux", "quota"), attempt("openai", "refused_content"), made)
    assert was_down(picture(*others), "flux")
    assert not was_down(picture(made), "flux")  # nobody knows why
    # Of the next request for that image, or paid already: docs/decisions/0014.
    assert not was_down(picture(*others, asked_provider="openai"), "flux")
    assert not was_down(picture(attempt("flux", "quota"), provider="openai"), "flux")


def test_what_a_request_or_a_budget_ends_with_is_no_outage() -> None:
    assert {"transient", "rate_limited", "quota", "not_configured", "ambiguous"} <= OF_THE_PROVIDER
    assert OF_THE_PROVIDER.isdisjoint(
        {"refused_content", "invalid_request", "rendering", "budget_exceeded"}
    )


def test_the_newest_request_of_an_image_counts() -> None:
    clock = Clock(NOON)
    with database() as engine:
        log = RequestLog(engine, clock)
        log.write(logged(image_key="old", made_by="local"))
        clock.advance(days=8)
        log.write(logged(image_key="a", made_by="local"))
        log.write(logged(image_key="b", made_by="local"))
        log.write(logged(image_key="c", made_by="flux"))
        log.write(logged(image_key="d", made_by="local", provider="local"))
        log.write(logged(image_key="b", made_by="flux"))
        log.write(logged(image_key="c", made_by="local", provider="openai"))
        log.write(logged(image_key="e", made_by="local"))
        log.write(logged(image_key="e", outcome="failed"))
        found = log.fallen_back(since=clock.now - timedelta(days=7))
    assert [(each.asked.image_key, each.asked.provider) for each in found] == [
        ("a", "flux"),
        ("c", "openai"),
    ]


@pytest.mark.parametrize("shown", ["a picture", "a probe"])
def test_a_provider_is_back_when_it_shows_so_after_the_fallback(shown: str) -> None:
    clock = Clock(NOON)
    with database() as engine:
        log, health = RequestLog(engine, clock), HealthBoard(engine, clock)

        def show(provider: str) -> None:
            if shown == "a picture":
                log.write(logged(provider=provider, made_by=provider))
            else:
                health.note(BreakerState(provider, "closed", 0, None, None))

        show("flux")
        clock.advance(hours=1)
        since = clock.now
        clock.advance(minutes=1)
        log.write(logged(made_by="local"))
        health.note(BreakerState("openai", "open", 10, "transient", 30.0))
        show("imagen")
        assert not is_known_to_be_back("flux", log, health, since=since)
        assert not is_known_to_be_back("openai", log, health, since=since)
        show("flux")
        assert is_known_to_be_back("flux", log, health, since=since)
