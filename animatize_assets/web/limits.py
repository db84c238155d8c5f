"""How much one client may ask for.

Belongs here: the rate of requests, and the size of bodies that routes allow unless they say
otherwise (FastAPI's ``max_body_size`` keeps them). Does not belong here: who a client is
(``access``).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_BODY_BYTES = 256_000
"""Of a request that brings no file: a list of 5,000 image keys fits."""

MOST_CLIENTS = 10_000
"""Remembered at once, about a megabyte; who came least recently is forgotten first."""


LEAST_BURST = 2.0
"""Requests at once that even a low rate allows: a page asks for two things."""


class RateLimit:
    """A token bucket per client: ``rate_per_s`` requests a second, twice as many at once.

    Threads may share it; ``timer`` counts seconds. (RFC 2697 describes such a meter.)
    """

    def __init__(
        self,
        rate_per_s: float,
        *,
        most_clients: int = MOST_CLIENTS,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate_per_s
        self._burst = max(LEAST_BURST, 2 * rate_per_s)
        self._most_clients = most_clients
        self._timer = timer
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Client -> requests that are left, and when that was so."""
        self._lock = threading.Lock()

    def take(self, client: str) -> float:
        """Count one request; returns 0, or how many seconds to wait where it is one too many."""
        with self._lock:
            now = self._timer()
            left, at = self._buckets.pop(client, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._rate)
            is_allowed = left >= 1
            self._buckets[client] = left - 1 if is_allowed else left, now
            if len(self._buckets) > self._most_clients:
                self._buckets.popitem(last=False)
            return 0.0 if is_allowed else (1 - left) / self._rate

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._buckets)
