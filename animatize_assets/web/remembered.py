"""Answers that take long to compute, kept for a moment.

Many pages that look at the same figures every few seconds must not keep both cores busy. An answer
is given again while nothing is new; and where something is new all the time, for four times as long
as it took to compute. So at most a fifth of one core goes into each, and what is quick is fresh.
Nobody waits for what takes long: the answer before is given while the new one is computed.

Belongs here: keeping them. Does not belong here: what is computed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from cachetools import LRUCache

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Shaped = TypeVar("Shaped")

REST: Final = 4.0
"""Times as long as the computing took."""

LONGEST_S: Final = 30.0
"""An answer about the last days is no older than this, also when nothing is new: days pass."""

LONG_S: Final = 1.0
"""From so many seconds of computing on nobody waits for it, unless there is no answer before."""

OLDEST_S: Final = 300.0
"""An answer that is older is not given any more."""

MOST_ANSWERS: Final = 64


@dataclass(frozen=True)
class _Told:
    answer: Any
    version: object
    took_s: float
    computed_at: float


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the answer is computed."""
    told: _Told | None = None


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="remembered", daemon=True).start()


@dataclass(frozen=True)
class Timed(Generic[Answer]):
    """An answer whose computing was timed elsewhere, such as in a process that had to start."""

    answer: Answer
    took_s: float

    def then(self, shape: Callable[[Answer], Shaped]) -> Timed[Shaped]:
        """Return the answer in another shape, with the same time."""
        return Timed(shape(self.answer), self.took_s)


class Remembered:
    """Keeps answers by key. Threads may share it: one computes, those that ask meanwhile wait.

    ``timer`` counts seconds; ``start`` begins work that nobody waits for.
    """

    def __init__(
        self,
        timer: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] = _in_a_thread,
    ) -> None:
        self._timer = timer
        self._start = start
        self._kept: LRUCache[Hashable, _Kept] = LRUCache(MOST_ANSWERS)
        self._lock = threading.Lock()

    def get(self, key: Hashable, version: object, compute: Callable[[], Answer]) -> Answer:
        """Return the answer of ``key``; ``version`` differs when something is new.

        What ``compute`` raises is raised here, or logged when nobody waits for it.
        """

        def timed() -> Timed[Answer]:
            began = self._timer()
            answer = compute()
            return Timed(answer, self._timer() - began)

        return self.get_timed(key, version, timed)

    def get_timed(
        self, key: Hashable, version: object, compute: Callable[[], Timed[Answer]]
    ) -> Answer:
        """Return the same of what tells itself how long it took."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                kept = self._kept[key] = _Kept()
        told = kept.told
        if told is None or not self._is_bearable(told):
            with kept.lock:
                told = kept.told
                if told is None or not self._is_good(told, version):
                    told = kept.told = self._computed(version, compute)
        elif not self._is_good(told, version) and kept.lock.acquire(blocking=False):
            self._start(partial(self._renew, kept, version, compute))
        answer: Answer = told.answer
        return answer

    def _renew(self, kept: _Kept, version: object, compute: Callable[[], Timed[Any]]) -> None:
        """Compute anew; the lock, which whoever asked for it has taken, is given back."""
        try:
            kept.told = self._computed(version, compute)
        except Exception:  # noqa: BLE001  # nobody waits for it; the answer before stays
            _log.exception("An answer could not be computed anew.")
        finally:
            kept.lock.release()

    def _computed(self, version: object, compute: Callable[[], Timed[Any]]) -> _Told:
        timed = compute()
        return _Told(timed.answer, version, timed.took_s, self._timer())

    def _is_bearable(self, told: _Told) -> bool:
        """Whether the answer may be given although there is news: it took long, and is not old."""
        return told.took_s >= LONG_S and self._timer() - told.computed_at < OLDEST_S

    def _is_good(self, told: _Told, version: object) -> bool:
        age = self._timer() - told.computed_at
        return age < LONGEST_S if told.version == version else age < REST * told.took_s
