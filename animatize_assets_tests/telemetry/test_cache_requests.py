"""What a run's process counts of its caches, and what the instruments count with it."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.telemetry.cache_requests import CacheRequests, counted, note
from animatize_assets.telemetry.metrics import CACHES, CacheName
from animatize_assets_tests.telemetry.reading import sums

INSTRUMENT = "animatize.cache.requests"


def of_instrument(cache: CacheName) -> CacheRequests:
    told = sums(INSTRUMENT)
    hits, misses = (
        int(told.get(frozenset({("cache", cache), ("outcome", outcome)}), 0))
        for outcome in ("hit", "miss")
    )
    return CacheRequests(hits, misses)


@given(st.lists(st.tuples(st.sampled_from(CACHES), st.booleans()), max_size=40))
def test_both_count_what_was_looked_up(looked_up: list[tuple[CacheName, bool]]) -> None:
    before, seen_before = counted(), {cache: of_instrument(cache) for cache in CACHES}
    for cache, hit in looked_up:
        note(cache, hit=hit)
    for cache in CACHES:
        hits, misses = looked_up.count((cache, True)), looked_up.count((cache, False))
        assert counted()[cache].since(before[cache]) == CacheRequests(hits, misses)
        assert of_instrument(cache).since(seen_before[cache]) == CacheRequests(hits, misses)


def test_several_threads_lose_no_look_up() -> None:
    sums(INSTRUMENT)  # the SDK is there
    before, seen_before = counted()["vector"], of_instrument("vector")
    threads = [
        threading.Thread(target=lambda: [note("vector", hit=True) for _ in range(500)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted()["vector"].since(before) == CacheRequests(4000, 0)
    assert of_instrument("vector").since(seen_before) == CacheRequests(4000, 0)


@pytest.mark.parametrize(
    ("requests", "rate"),
    [
        (CacheRequests(0, 0), None),
        (CacheRequests(0, 2), 0.0),
        (CacheRequests(3, 1), 0.75),
    ],
)
def test_a_rate_needs_a_look_up(requests: CacheRequests, rate: float | None) -> None:
    assert requests.hit_rate == rate
