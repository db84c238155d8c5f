"""``/metrics``: how things stand, for Prometheus.

Belongs here: the route and its formats. Does not belong here: the figures (``metrics_readings``,
``own_process``), their names (``metrics_page``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder

from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.metrics_page import families
from animatize_assets.web.metrics_readings import read

if TYPE_CHECKING:
    from animatize_assets.web.service import Service

router = APIRouter(tags=["operations"])


class _Collected:
    """Prometheus' protocol of a collector, over families that are there already."""

    def __init__(self, metrics: tuple[Metric, ...]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Return every metric."""
        yield from self._metrics


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}},
)
def metrics(request: Request, service: ServiceDep) -> Response:
    """Tell jobs, money, caches, alerts, images and this process, as text.

    The figures come from the databases, so a run whose process has ended is counted. Computing
    takes at most a fifth of one core, however often it is asked.
    """
    everything = CollectorRegistry(auto_describe=False)
    everything.register(service.own_process.registry)
    # a new version each time: the answer is kept for a moment, not until something changes
    kept = service.remembered.get("metrics", object(), lambda: _families(service))
    everything.register(_Collected(kept))
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(everything), media_type=media_type)


def _families(service: Service) -> tuple[Metric, ...]:
    readings = read(
        service.workplace,
        jobs=service.job_sums.read(),
        images=service.gallery.counts(),
        now=datetime.now(UTC),
    )
    return tuple(families(readings))
