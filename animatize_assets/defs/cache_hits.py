"""How often a run found what it needed, written on the run: its process is never asked for metrics.

Belongs here: the tag and its words. Does not belong here: counting (``telemetry.cache_requests``),
the hit rates of all requests that were ever made (``animatize cache stats``).
"""

from animatize_assets.telemetry.cache_requests import CacheRequests, counted

CACHE_HITS_TAG = "animatize/cache_hits"
"""Tag of a run: cache by cache, the look-ups that found something, of all."""


class CacheHits:
    """What is found in this process's caches from now on. One run works in a process at a time."""

    def __init__(self) -> None:
        self._before = counted()

    def tags(self) -> dict[str, str]:
        """Return the run's tag; empty when nothing was looked up."""
        now = {name: count.since(self._before[name]) for name, count in counted().items()}
        told = [_told(name, count) for name, count in now.items() if count.hit_rate is not None]
        return {CACHE_HITS_TAG: ", ".join(told)} if told else {}


def _told(name: str, count: CacheRequests) -> str:
    return f"{name} {count.hits} of {count.hits + count.misses}"
