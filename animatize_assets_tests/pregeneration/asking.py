"""Requests of a made-up past, for the tests of what is likely."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from animatize_assets.pregeneration.demand import Asked, Demand
from animatize_assets.pregeneration.patterns import Pattern

NOW = datetime(2026, 6, 10, 2, tzinfo=UTC)
DAY = timedelta(days=1)
DRAFT = Pattern("generic", "cinematic", "openai", None)
WIDE = Pattern("generic", "cinematic", "openai", (1920, 1080))
TALL = Pattern("generic", "documentary", "openai", (1080, 1920))


def asked(
    image_key: str, days_ago: float, pattern: Pattern = DRAFT, movement: str = "zoom_in"
) -> Asked:
    return Asked(NOW - days_ago * DAY, image_key, pattern, movement)


def demand(requests: Iterable[Asked], stored: dict[str, float]) -> Demand:
    """``stored``: image key -> days ago."""
    return Demand(
        tuple(sorted(requests, key=lambda each: each.at)),
        {key: NOW - days * DAY for key, days in stored.items()},
    )
