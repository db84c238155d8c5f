"""How often a request for a picture was answered from what was made before.

Belongs here: these sums, for the view Performance. Does not belong here: the log
(``generation.request_log``).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from animatize_assets.generation.request_log import RequestLog
from animatize_assets.web.service import Service

LEVELS: Final = ("exact", "canonical", "similar")
"""How alike the earlier request was, the most alike first."""


@dataclass(frozen=True)
class CacheUse:
    """How the requests that named one provider were answered."""

    provider: str
    outcomes: dict[str, int]
    """How -> how often; LEVELS, ``made``, ``failed``."""

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())

    @property
    def hit_rate(self) -> float:
        """Share that was answered from what was made before."""
        return sum(self.outcomes.get(level, 0) for level in LEVELS) / self.requests


def cache_use(service: Service, days: int) -> tuple[CacheUse, ...]:
    """Return how the requests of the last days were answered, by provider."""
    since = datetime.now(UTC) - timedelta(days=days)
    counts = RequestLog(service.images.engine).counts(["provider", "outcome"], since=since)
    by_provider: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (provider, outcome), count in counts.items():
        by_provider[str(provider)][str(outcome)] = count
    return tuple(CacheUse(name, found) for name, found in sorted(by_provider.items()))
