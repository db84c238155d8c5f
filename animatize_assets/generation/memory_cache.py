"""Caches in memory, each bounded in bytes, and all of them together.

Belongs here: keeping values and counting. Does not belong here: what is worth keeping (the caller
knows), results on disk (``result_store``).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Hashable, Mapping, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from cachetools import LRUCache
from pydantic import BaseModel

from animatize_assets.telemetry import cache_requests
from animatize_assets.telemetry.metrics import CacheName

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ALL_TOGETHER_BYTES = 200_000_000
"""What all caches in memory may hold together: the bound that the mission promises."""

ENTRY_OVERHEAD_BYTES = 400
"""Added to each entry for its key, its links and its dictionary slot; CPython 3.11 needs less."""


@dataclass(frozen=True)
class CacheUsage:
    """A cache at one moment, and its hits and misses since it was made."""

    name: str
    entries: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int

    @property
    def hit_rate(self) -> float | None:
        """Share of look-ups that found something, 0..1; None before the first look-up."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


class MemoryCache(Generic[K, V]):
    """Keeps the values used last, within ``max_bytes``. Safe to use from several threads.

    ``counted_as``: under which name the metrics count its look-ups; None: they do not.
    """

    def __init__(
        self,
        name: str,
        max_bytes: int,
        size_of: Callable[[V], int],
        *,
        counted_as: CacheName | None = None,
    ) -> None:
        self.name = name
        self.max_bytes = max_bytes
        self._counted_as = counted_as
        self._size_of = size_of
        self._kept: LRUCache[K, tuple[V, int]] = LRUCache(max_bytes, getsizeof=_weight)
        self._lock = threading.Lock()
        self._hits = 0
        self._misses = 0

    def get(self, key: K) -> V | None:
        """Return the value, or None when it is not kept (any more)."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self._misses += 1
            else:
                self._hits += 1
        if self._counted_as is not None:
            cache_requests.note(self._counted_as, hit=found is not None)
        return None if found is None else found[0]

    def put(self, key: K, value: V) -> bool:
        """Keep a value, at the cost of the ones used longest ago; False when it is too large."""
        size = self._size_of(value) + ENTRY_OVERHEAD_BYTES
        with self._lock:
            self._kept.pop(key, None)
            if size > self.max_bytes:
                return False
            self._kept[key] = (value, size)
            return True

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """Return the kept value, or make and keep it. Two threads at once may both make it."""
        found = self.get(key)
        if found is not None:
            return found
        made = make()
        self.put(key, made)
        return made

    def clear(self) -> None:
        """Forget every value; the counters stay."""
        with self._lock:
            self._kept.clear()

    def usage(self) -> CacheUsage:
        """Return the entries, bytes and counters of this moment."""
        with self._lock:
            return CacheUsage(
                name=self.name,
                entries=len(self._kept),
                bytes=int(self._kept.currsize),
                max_bytes=self.max_bytes,
                hits=self._hits,
                misses=self._misses,
            )


class MemoryBudget:
    """Hands out caches whose bounds add up to no more than ``max_bytes``."""

    def __init__(self, max_bytes: int = ALL_TOGETHER_BYTES) -> None:
        self.max_bytes = max_bytes
        self._caches: dict[str, MemoryCache[object, object]] = {}
        self._lock = threading.Lock()

    def cache(
        self,
        name: str,
        max_bytes: int,
        size_of: Callable[[V], int],
        *,
        counted_as: CacheName | None = None,
    ) -> MemoryCache[K, V]:
        """Make a cache of this budget.

        Raises:
            ValueError: the name is taken, or the caches together would pass the budget.
        """
        with self._lock:
            if name in self._caches:
                raise ValueError(f"There is a cache '{name}' already; share it or name another.")
            left = self.max_bytes - sum(each.max_bytes for each in self._caches.values())
            if max_bytes > left:
                raise ValueError(
                    f"The cache '{name}' asks for {max_bytes} bytes and {left} of "
                    f"{self.max_bytes} are left; make it smaller."
                )
            made: MemoryCache[K, V] = MemoryCache(name, max_bytes, size_of, counted_as=counted_as)
            self._caches[name] = made  # type: ignore[assignment]  # only asked for its usage
            return made

    def usage(self) -> tuple[CacheUsage, ...]:
        """Return the usage of every cache, in the order in which they were made."""
        with self._lock:
            return tuple(each.usage() for each in self._caches.values())


def size_in_bytes(value: object) -> int:
    """Estimate what a value holds in memory: arrays, texts, records and containers of them.

    A part that occurs twice is counted twice, so the estimate errs to the large side.
    """
    if isinstance(value, np.ndarray):
        return sys.getsizeof(value) if value.base is None else value.nbytes + sys.getsizeof(value)
    if isinstance(value, BaseModel):
        return sys.getsizeof(value) + size_in_bytes(value.__dict__)
    own = sys.getsizeof(value)
    if isinstance(value, Mapping):
        return own + sum(size_in_bytes(key) + size_in_bytes(each) for key, each in value.items())
    if isinstance(value, list | tuple | Set):
        return own + sum(size_in_bytes(each) for each in value)
    if hasattr(value, "__dict__"):
        return own + size_in_bytes(vars(value))
    return own


def _weight(kept: tuple[object, int]) -> int:
    return kept[1]
