"""Answers that take long to compute, kept for a moment.

Many pages that look at the same figures every few seconds must not keep both cores busy. An answer
is given again while nothing is new; and where something is new all the time, for four times as long
as it took to compute. So at most a fifth of one core goes into each, and what is quick is fresh.

Belongs here: keeping them. Does not belong here: what is computed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from cachetools import LRUCache

Answer = TypeVar("Answer")

REST: Final = 4.0
"""Times as long as the computing took."""

LONGEST_S: Final = 30.0
"""An answer about the last days is no older than this, also when nothing is new: days pass."""

MOST_ANSWERS: Final = 64


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    version: object = None
    answer: Any = None
    took_s: float = 0.0
    computed_at: float | None = None


class Remembered:
    """Keeps answers by key. Threads may share it: one computes, those that ask meanwhile wait.

    ``timer`` counts seconds.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._kept: LRUCache[Hashable, _Kept] = LRUCache(MOST_ANSWERS)
        self._lock = threading.Lock()

    def get(self, key: Hashable, version: object, compute: Callable[[], Answer]) -> Answer:
        """Return the answer of ``key``; ``version`` differs when something is new."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                kept = self._kept[key] = _Kept()
        with kept.lock:
            if not self._is_good(kept, version):
                began = self._timer()
                kept.answer = compute()
                kept.computed_at = self._timer()
                kept.took_s = kept.computed_at - began
                kept.version = version
            answer: Answer = kept.answer
            return answer

    def _is_good(self, kept: _Kept, version: object) -> bool:
        if kept.computed_at is None:
            return False
        age = self._timer() - kept.computed_at
        return age < LONGEST_S if kept.version == version else age < REST * kept.took_s
