"""How things stand, in Prometheus' words.

Every label takes few values, all known beforehand, so that there are at most 500 series however
many images, jobs and runs there are. What is not known is left out, never 0.

Belongs here: names, units, labels and help of the metrics. Does not belong here: reading the
databases (``metrics_readings``), HTTP (``routes.metrics``).
See https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from animatize_assets.performance.job_counts import BOUNDS, Counts, Kind

if TYPE_CHECKING:
    from animatize_assets.generation.spending import Totals
    from animatize_assets.performance.alert_models import ProviderState, Spending
    from animatize_assets.performance.gpu import GpuReading

MOST_GPUS = 8
"""Devices, or MIG instances of them, that are told: three series each."""

_MEGA = 1_000_000

_HISTOGRAMS: tuple[tuple[Kind, str, str, tuple[str, ...]], ...] = (
    ("seconds", "animatize_job_duration_seconds", "Jobs that ended well.", ("job_type",)),
    (
        "call_seconds",
        "animatize_provider_call_duration_seconds",
        "Calls to providers that ended well.",
        ("provider",),
    ),
    (
        "queue_seconds",
        "animatize_queue_duration_seconds",
        "Waiting before work began.",
        ("pipeline_type",),
    ),
    (
        "estimate_error",
        "animatize_estimate_error_ratio",
        "|estimated - actual| / actual time of jobs that ended well.",
        ("pipeline_type", "method"),
    ),
)


@dataclass(frozen=True)
class Readings:
    """What the databases say at one moment."""

    jobs: Counts
    calls: tuple[Totals, ...] = ()
    requests: Mapping[str, int] = field(default_factory=dict)
    """Requests for pictures by outcome."""
    images: Mapping[str, int] = field(default_factory=dict)
    """By state."""
    alerts: Mapping[str, int] = field(default_factory=dict)
    """Open ones by severity."""
    providers: tuple[ProviderState, ...] = ()
    """Breakers of which somebody knows how they are."""
    spending: tuple[Spending, ...] = ()
    """Of each limit of a day."""
    gpus: tuple[GpuReading, ...] = ()
    """Of this machine, at this moment."""


def families(now: Readings) -> Iterator[Metric]:
    """Return every metric with its samples."""
    yield from _of_jobs(now.jobs)
    yield from _of_calls(now.calls)
    yield _counter(
        "animatize_picture_requests",
        "Requests for pictures: made, answered from the store (exact, canonical, similar), failed.",
        ("outcome",),
        {(outcome,): count for outcome, count in now.requests.items()},
    )
    yield _gauge(
        "animatize_images",
        "Images by how far they are.",
        ("state",),
        {(state,): count for state, count in now.images.items()},
    )
    yield _gauge(
        "animatize_open_alerts",
        "Alerts that nobody has resolved.",
        ("severity",),
        {(severity,): count for severity, count in now.alerts.items()},
    )
    yield _gauge(
        "animatize_provider_available",
        "Whether a provider is asked (1) or left alone by its breaker (0); absent: nobody knows.",
        ("provider",),
        {(each.provider,): float(each.state == "closed") for each in now.providers},
    )
    yield _gauge(
        "animatize_budget_limit_usd",
        "What a day (UTC) may cost.",
        ("limit",),
        {(each.limit_name,): each.limit_usd for each in now.spending},
    )
    yield _gauge(
        "animatize_budget_spent_usd",
        "What this day (UTC) has cost, or may have.",
        ("limit",),
        {(each.limit_name,): each.spent_usd for each in now.spending},
    )
    yield from _of_gpus(now.gpus[:MOST_GPUS])


def _of_gpus(gpus: Sequence[GpuReading]) -> Iterator[Metric]:
    """Name them as OpenTelemetry does, in Prometheus' spelling.

    See https://opentelemetry.io/docs/specs/semconv/hardware/gpu/. What a device does not tell is
    left out, and of a machine without any nothing is told.
    """
    told = (
        ("utilization_ratio", "Share of the time in which a GPU computed.", "utilization", 0.01),
        ("memory_usage_bytes", "Memory of a GPU that is in use.", "memory_used_mb", _MEGA),
        ("memory_limit_bytes", "Memory of a GPU in all.", "memory_total_mb", _MEGA),
    )
    for name, said, field_name, unit in told if gpus else ():
        yield _gauge(
            f"hw_gpu_{name}",
            said,
            ("hw_id", "hw_name"),
            {
                (each.index, each.name or ""): value * unit
                for each in gpus
                if (value := getattr(each, field_name)) is not None
            },
        )


def _of_jobs(jobs: Counts) -> Iterator[Metric]:
    outcome = {"0": "failed", "1": "succeeded"}
    yield _counter(
        "animatize_jobs",
        "Finished jobs.",
        ("pipeline_type", "job_type", "outcome"),
        {
            (pipeline, job_type, outcome[success]): count
            for (pipeline, job_type, success), count in _counts(jobs, "jobs").items()
        },
    )
    yield _counter("animatize_job_errors", "Failed jobs.", ("error_type",), _counts(jobs, "errors"))
    yield _counter(
        "animatize_provider_retries",
        "Calls that were made once more.",
        ("provider",),
        _counts(jobs, "retries"),
    )
    for kind, name, said, labels in _HISTOGRAMS:
        yield _histogram(jobs, kind, name, said, labels)
    covered = {"0": "outside", "1": "inside"}
    yield _counter(
        "animatize_estimate_intervals",
        "80 % intervals of estimates, by whether the actual time was in them.",
        ("pipeline_type", "actual"),
        {
            (pipeline, covered[inside]): count
            for (pipeline, inside), count in _counts(jobs, "covered").items()
        },
    )


def _of_calls(calls: Iterable[Totals]) -> Iterator[Metric]:
    calls = tuple(calls)
    yield _counter(
        "animatize_provider_cost_usd",
        "What calls were billed, where it is known.",
        ("provider",),
        {(each.provider,): each.billed_usd for each in calls},
    )
    yield _gauge(
        "animatize_provider_possible_cost_usd",
        "What calls may have been billed besides.",
        ("provider",),
        {(each.provider,): each.possible_usd for each in calls},
    )
    yield _gauge(
        "animatize_provider_open_calls",
        "Calls whose outcome nobody knows yet.",
        ("provider",),
        {(each.provider,): each.open for each in calls},
    )


def _counts(jobs: Counts, kind: Kind) -> dict[tuple[str, ...], float]:
    return {line.labels: float(line.count) for line in jobs if line.kind == kind}


def _counter(
    name: str, said: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    metric = CounterMetricFamily(name, said, labels=labels)
    for of, value in sorted(values.items()):
        metric.add_metric(of, value)
    return metric


def _gauge(
    name: str, said: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    metric = GaugeMetricFamily(name, said, labels=labels)
    for of, value in sorted(values.items()):
        metric.add_metric(of, value)
    return metric


def _histogram(jobs: Counts, kind: Kind, name: str, said: str, labels: tuple[str, ...]) -> Metric:
    metric = HistogramMetricFamily(name, said, labels=labels)
    bounds = [*map(str, BOUNDS[kind]), "+Inf"]
    lines = [line for line in jobs if line.kind == kind]
    for of in sorted({line.labels for line in lines}):
        here = [line for line in lines if line.labels == of]
        counts = {line.bucket: line.count for line in here}
        below, so_far = [], 0
        for number, bound in enumerate(bounds):
            so_far += counts.get(number, 0)
            below.append((bound, so_far))
        metric.add_metric(of, below, sum_value=sum(line.total for line in here))
    return metric
