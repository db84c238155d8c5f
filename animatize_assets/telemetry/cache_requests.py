"""Hits and misses of this process, for whoever ends before anybody could ask it for its metrics.

A run's process lives for seconds and is never scraped, so it reads its own figures here and writes
them down where they stay. Belongs here: counting, in this process and in the instruments alike.
Does not belong here: names and attributes of instruments (``metrics``), what is a hit (the caches).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from animatize_assets.telemetry.metrics import CACHES, CacheName, count_cache_request

_lock = threading.Lock()
_hits: Counter[CacheName] = Counter()
_misses: Counter[CacheName] = Counter()


@dataclass(frozen=True)
class CacheRequests:
    """The look-ups in one cache."""

    hits: int
    misses: int

    @property
    def hit_rate(self) -> float | None:
        """Share of look-ups that found something, 0..1; None before the first look-up."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    def since(self, earlier: CacheRequests) -> CacheRequests:
        """Return those that came after ``earlier`` was counted."""
        return CacheRequests(self.hits - earlier.hits, self.misses - earlier.misses)


def note(cache: CacheName, *, hit: bool) -> None:
    """Count one look-up that has been answered."""
    with _lock:
        (_hits if hit else _misses)[cache] += 1
    count_cache_request(cache, hit=hit)


def counted() -> Mapping[CacheName, CacheRequests]:
    """Return the look-ups of this process since it began, cache by cache."""
    with _lock:
        return {cache: CacheRequests(_hits[cache], _misses[cache]) for cache in CACHES}
