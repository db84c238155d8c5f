"""Sending traces and metrics away, by OTLP over HTTP, while a process runs and before it ends.

Belongs here: setting up OpenTelemetry's SDK once for this process, and the flush at its end. Does
not belong here: what is measured (``metrics``, ``tracing``), which process sends where (whoever
starts one). What the standard's variables say beside the address (``OTEL_EXPORTER_OTLP_HEADERS``,
``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_TRACES_SAMPLER``, ...) is read by the SDK itself.
See https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from opentelemetry import metrics, trace

from animatize_assets import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

_log = logging.getLogger(__name__)

SEND_S = 5.0
"""The longest that one message waits for the collector, retries included. A process that ends sends
two at most, so a collector that is away costs it twice that."""

MOST_SPANS = 2048
"""Spans kept for sending, and in one message: the standard's ``OTEL_BSP_MAX_QUEUE_SIZE``."""

Temporality = Literal["delta", "cumulative"]

_lock = threading.Lock()
_flushes: list[Callable[[], object]] = []


def export_to(endpoint: str, *, role: str, temporality: Temporality = "delta") -> None:
    """Send the traces and metrics of this process to ``endpoint`` from now on.

    ``endpoint``: the address of an OTLP receiver, without ``/v1/traces``. ``role``: what this
    process is, an attribute of everything it sends. ``temporality``: whether sums tell what came
    since they were last sent, or since the process began. Of processes that live for seconds only
    the former can be added up: they all begin at 0. A process sends to one place: the first call
    counts.
    """
    with _lock:
        if _flushes:
            return
        base, resource = endpoint.rstrip("/"), _resource(role)
        traces = _traces(f"{base}/v1/traces", resource)
        figures = _metrics(f"{base}/v1/metrics", resource, temporality)
        trace.set_tracer_provider(traces)
        metrics.set_meter_provider(figures)
        _flushes.extend([traces.force_flush, figures.force_flush])


def flush() -> None:
    """Send what has not been sent; to be called before a process ends. Never raises.

    A collector that is away is told in the log, once per message, and costs nothing else.
    """
    with _lock:
        for send in _flushes:
            try:
                send()
            except Exception as error:  # noqa: BLE001  # telemetry never costs the work
                _log.warning("Telemetry could not be sent: %s", type(error).__name__)


def _resource(role: str) -> Resource:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    ours = Resource.create(
        {
            "service.name": "animatize",
            "service.version": __version__,
            "animatize.role": role,
        }
    )
    # what a person sets in the environment counts more
    return ours.merge(OTELResourceDetector().detect())


def _traces(address: str, resource: Resource) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=resource)
    provider.add_span_processor(
        BatchSpanProcessor(
            OTLPSpanExporter(endpoint=address, timeout=SEND_S),
            max_queue_size=MOST_SPANS,
            max_export_batch_size=MOST_SPANS,
        )
    )
    return provider


def _metrics(address: str, resource: Resource, temporality: Temporality) -> MeterProvider:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        PeriodicExportingMetricReader,
    )

    kind = AggregationTemporality[temporality.upper()]
    exporter = OTLPMetricExporter(
        endpoint=address,
        timeout=SEND_S,
        preferred_temporality={Counter: kind, Histogram: kind},
    )
    return MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(exporter)], resource=resource
    )
