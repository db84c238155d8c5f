"""Every instrument of this project: its name, its unit, its attributes.

The names are OpenTelemetry's. Without an SDK in the process every instrument does nothing; with
one (whoever starts the process sets it up) it counts from then on, wherever it was made before.
``docs/metrics.md`` is the list for people, and tests hold it against this module.

Belongs here: instruments, and one function for each thing that is recorded, so that no caller
knows a name or spells an attribute. Does not belong here: an SDK, exporters, when something is
recorded. An attribute takes few values, all known beforehand: never an image key, a run or a text.
See https://opentelemetry.io/docs/specs/semconv/general/metrics/.
"""

from __future__ import annotations

from typing import Literal, get_args

from opentelemetry import metrics

from animatize_assets import __version__

CacheName = Literal["artifact", "result", "semantic", "expansion", "analysis", "vector"]
"""What is looked up before it is made: artefacts of stages; paid pictures by the same request;
paid pictures by a text of the same meaning; answers of language models; and, in memory, analyses
that were read and vectors of texts."""

CACHES: tuple[CacheName, ...] = get_args(CacheName)

Outcome = Literal["hit", "miss"]

_meter = metrics.get_meter("animatize_assets", __version__)

_cache_requests = _meter.create_counter(
    "animatize.cache.requests",
    unit="{request}",
    description="Look-ups in a cache, by whether they found something.",
)


def count_cache_request(cache: CacheName, *, hit: bool) -> None:
    """Count one look-up that has been answered."""
    outcome: Outcome = "hit" if hit else "miss"
    _cache_requests.add(1, {"cache": cache, "outcome": outcome})
