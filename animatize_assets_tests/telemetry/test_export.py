"""A process has sent what it measured when it ends; one that is told nothing loads nothing.

OpenTelemetry takes one SDK per process, so each case has a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from animatize_assets_tests.loopback.otlp import otlp_receiver

WORK = """
import sys
from animatize_assets.settings import Settings
from animatize_assets.telemetry import export, metrics, tracing
from animatize_assets.workplace.process_telemetry import process_telemetry

export.SEND_S = 0.2
with process_telemetry(Settings.read(), "run"):
    with process_telemetry(Settings.read(), "command"):
        with tracing.span("work", {tracing.RUN_ID: "r"}):
            metrics.record_stage("source_image", "failed", 0.5, "image_empty")
print("done")
"""

QUIET = """
import sys
from animatize_assets.settings import Settings
from animatize_assets.workplace.process_telemetry import process_telemetry

with process_telemetry(Settings.read(), "service"):
    loaded = {name for name in sys.modules if name.startswith("opentelemetry")}
print(any(".sdk" in name or ".exporter" in name for name in loaded))
"""


def run(code: str, **variables: str) -> tuple[str, str]:
    """What a process that runs ``code`` prints on standard output and error."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=dict(os.environ) | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr


def test_what_was_measured_is_sent_before_the_end() -> None:
    with otlp_receiver() as received:
        run(
            WORK,
            OTEL_EXPORTER_OTLP_ENDPOINT=received.url + "/",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=studio",
        )
    (span,) = received.spans
    assert span.name == "work"
    assert {each.key: each.value.string_value for each in span.attributes} == {
        "animatize.run.id": "r"
    }
    (resource,) = received.resources
    assert resource["service.name"] == "animatize"
    assert resource["animatize.role"] == "run"
    assert resource["deployment.environment.name"] == "studio"
    (errors,) = received.measured["animatize.errors"]
    (point,) = errors.sum.data_points
    assert point.as_int == 1
    assert {each.key: each.value.string_value for each in point.attributes} == {
        "stage": "source_image",
        "error.type": "image_empty",
    }
    delta = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    assert errors.sum.aggregation_temporality == delta
    (durations,) = received.measured["animatize.stage.duration"]
    assert durations.unit == "s"
    assert durations.histogram.aggregation_temporality == delta
    assert durations.histogram.data_points[0].sum == 0.5


def test_the_standards_variables_count() -> None:
    with otlp_receiver() as received:
        run(
            WORK,
            ANIMATIZE_OTLP_ENDPOINT=received.url,
            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="CUMULATIVE",
            OTEL_SERVICE_NAME="ours",
        )
    assert [each["service.name"] for each in received.resources] == ["ours"]
    *_, errors = received.measured["animatize.errors"]
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert errors.sum.aggregation_temporality == cumulative


def test_a_collector_that_is_away_costs_no_work() -> None:
    with otlp_receiver() as received:
        gone = received.url
    out, err = run(WORK, ANIMATIZE_OTLP_ENDPOINT=gone)
    assert out == "done"
    assert "Traceback" not in err


def test_without_an_address_nothing_of_the_sdk_is_loaded() -> None:
    assert run(QUIET)[0] == "False"
