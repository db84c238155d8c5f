"""What this process's instruments have counted, read as an exporter would read it.

OpenTelemetry takes one SDK per process and never gives it back, so every test that looks at metrics
shares this one and compares what is there before and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    NumberDataPoint,
)

Attributes = frozenset[tuple[str, object]]


@cache
def reader() -> InMemoryMetricReader:
    """The reader of this process's SDK, which is set up when it is first asked for."""
    made = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([made], shutdown_on_exit=False))
    return made


def points(instrument: str) -> Mapping[Attributes, HistogramDataPoint]:
    """The distribution of a histogram for each combination of attributes."""
    return {
        frozenset((point.attributes or {}).items()): point
        for point in _data_points(instrument)
        if isinstance(point, HistogramDataPoint)
    }


def sums(instrument: str) -> Mapping[Attributes, float]:
    """The value of a counter for each combination of attributes that it was ever given."""
    return {
        frozenset((point.attributes or {}).items()): point.value
        for point in _data_points(instrument)
        if isinstance(point, NumberDataPoint)
    }


def _data_points(instrument: str) -> list[object]:
    read = reader().get_metrics_data()
    return [
        point
        for resource in (read.resource_metrics if read else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == instrument
        for point in metric.data.data_points
    ]
