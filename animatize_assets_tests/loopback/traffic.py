"""What reached the server, and how busy it was.

Belongs here: records that tests ask questions of. Does not belong here: answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

KEPT_BODY_BYTES = 65_536


@dataclass
class Received:
    """One request as it arrived, and what became of it."""

    provider: str
    route: str
    method: str
    address: str
    """Host, port and path with query, as the client asked for it."""
    headers: Mapping[str, str]
    body: bytes
    """Its first bytes: enough to search, bounded so that long runs stay small."""
    at: float
    """Monotonic seconds."""
    fault: str | None = None
    status: int | None = None
    """None while it is being answered, and for ever when it is not."""
    json: object = None


@dataclass(frozen=True)
class Span:
    """One piece of work of a provider, by the monotonic clock."""

    started: float
    ended: float


@dataclass
class Traffic:
    """Everything received, and the spans of work."""

    received: list[Received] = field(default_factory=list)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)
    """Keys that reached a place where they do not belong: provider and route, never the key."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, one: Received) -> None:
        """Keep a request."""
        with self.lock:
            self.received.append(one)

    def worked(self, provider: str, started: float, ended: float | None = None) -> None:
        """Keep a span of work that ends now or at ``ended``."""
        with self.lock:
            spans = self.spans.setdefault(provider, [])
            spans.append(Span(started, time.monotonic() if ended is None else ended))

    def calls(self, route: str | None = None) -> list[Received]:
        """Return what arrived at a route, or everything."""
        with self.lock:
            return [one for one in self.received if route in (None, one.route)]

    def worked_s(self, provider: str) -> float:
        """Return the seconds of work of all places together."""
        with self.lock:
            return sum(span.ended - span.started for span in self.spans.get(provider, []))

    def busy_share(self, provider: str, limit: int) -> float:
        """Return the share of ``limit`` places that worked, from first call to last answer."""
        with self.lock:
            spans = list(self.spans.get(provider, []))
        if not spans:
            return 0.0
        whole = max(span.ended for span in spans) - min(span.started for span in spans)
        return sum(span.ended - span.started for span in spans) / (limit * whole)
