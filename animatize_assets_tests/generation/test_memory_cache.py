"""Caches in memory stay within their bytes and count what they do."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.generation.memory_cache import (
    ALL_TOGETHER_BYTES,
    ENTRY_OVERHEAD_BYTES,
    MemoryBudget,
    MemoryCache,
    size_in_bytes,
)


def test_the_one_used_longest_ago_goes_first() -> None:
    cache: MemoryCache[str, bytes] = MemoryCache("x", 3 * (100 + ENTRY_OVERHEAD_BYTES), len)
    for key in "abc":
        cache.put(key, bytes(100))
    assert cache.get("a") == bytes(100)
    cache.put("d", bytes(100))
    assert [key for key in "abcd" if cache.get(key) is not None] == ["a", "c", "d"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000)), max_size=60))
def test_never_more_than_its_bytes(puts: list[tuple[int, int]]) -> None:
    cache: MemoryCache[int, bytes] = MemoryCache("x", 4000, len)
    for key, size in puts:
        assert cache.put(key, bytes(size))
        assert cache.get(key) == bytes(size)
        assert cache.usage().bytes <= 4000


def test_what_is_too_large_is_not_kept_and_replaces_nothing_else() -> None:
    cache: MemoryCache[str, bytes] = MemoryCache("x", 2000, len)
    assert cache.put("small", bytes(10))
    assert not cache.put("large", bytes(2000))
    assert cache.get("large") is None
    assert cache.get("small") == bytes(10)


def test_an_old_value_does_not_outlive_a_new_one_that_is_too_large() -> None:
    cache: MemoryCache[str, bytes] = MemoryCache("x", 2000, len)
    cache.put("a", b"old")
    cache.put("a", bytes(5000))
    assert cache.get("a") is None


def test_hits_and_misses_are_counted() -> None:
    cache: MemoryCache[str, str] = MemoryCache("x", 10_000, len)
    assert cache.usage().hit_rate is None
    assert [cache.get_or_make("a", lambda: "made") for _ in range(4)] == ["made"] * 4
    usage = cache.usage()
    assert (usage.hits, usage.misses, usage.hit_rate, usage.entries) == (3, 1, 0.75, 1)
    cache.clear()
    assert cache.usage().bytes == 0


def test_threads_share_one_cache() -> None:
    cache: MemoryCache[int, bytes] = MemoryCache("x", 20_000, len)

    def work() -> None:
        for turn in range(300):
            cache.put(turn % 40, bytes(turn))
            cache.get(turn % 7)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    usage = cache.usage()
    assert usage.bytes <= 20_000
    assert usage.hits + usage.misses == 4 * 300


def test_all_caches_together_stay_within_the_budget() -> None:
    budget = MemoryBudget()
    budget.cache("analyses", 150_000_000, size_in_bytes)
    budget.cache("vectors", 50_000_000, size_in_bytes)
    assert sum(each.max_bytes for each in budget.usage()) == ALL_TOGETHER_BYTES == 200_000_000
    with pytest.raises(ValueError, match="0 of 200000000 are left"):
        budget.cache("more", 1, size_in_bytes)
    with pytest.raises(ValueError, match="already"):
        budget.cache("vectors", 0, size_in_bytes)


def test_sizes_are_no_smaller_than_what_is_held() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    assert size_in_bytes(pixels) >= 30_000
    assert size_in_bytes(pixels[:50]) >= 15_000
    assert size_in_bytes({"a": [pixels, pixels], "b": "x" * 1000}) >= 61_000
