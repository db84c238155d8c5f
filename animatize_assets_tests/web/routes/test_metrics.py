"""``/metrics`` tells how things stand, in few series, however much there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from animatize_assets.database.tables import (
    generation_calls,
    generation_requests,
    image_states,
    images,
    provider_health,
)
from animatize_assets.performance.alert_models import SEVERITIES
from animatize_assets.performance.gpu import GpuReading
from animatize_assets.performance.job_counts import ERROR_TYPES, JOB_TYPES, PROVIDERS
from animatize_assets.performance.models import PIPELINE_TYPES, JobRecord, Promise
from animatize_assets.web.service import Service
from animatize_assets_tests.performance.jobs import MONDAY, job
from animatize_assets_tests.performance.stubbed_nvml import ONE_GPU, compiled_stub

MOST_SERIES = 500
"""The issue's figure."""

UNKNOWN = ("unheard-of 1", "unheard-of 2")
PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
STATES = ("unknown", "missing", "in_progress", "failed", "complete")
OUTCOMES = ("made", "exact", "canonical", "similar", "failed")


def scraped(client: httpx.Client) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: Mapping[str, Metric], sample: str, **labels: str) -> float | None:
    found = [
        each.value
        for family in families.values()
        for each in family.samples
        if each.name == sample and each.labels == labels
    ]
    return found[0] if found else None


def a_job(name: str, job_type: str, seconds: float, **known: Any) -> JobRecord:
    provider = known.pop("provider", "local")
    parameters = {"job_type": job_type, "provider": provider}
    return job(job_id=name, seconds=seconds, parameters=parameters, **known)


def rows(engine: Any, table: Any, values: Iterable[Mapping[str, Any]]) -> None:
    with engine.begin() as connection:
        connection.execute(insert(table), list(values))


def add_images(service: Service, number: int) -> None:
    """Images as rows alone: files would say nothing here."""
    engine = service.images.engine
    plain = dict.fromkeys(("byte_count", "width", "height", "exif_orientation"), 1) | {
        "frame_count": 1,
        "original_name": "a.png",
        "format": "png",
        "source_mode": "RGB",
        "has_icc_profile": False,
        "flattened_alpha": False,
        "original_path": "a",
        "normalized_path": "a",
        "registered_at": datetime.now(UTC),
    }
    rows(
        engine,
        images,
        (
            plain | {"id": n, "sha256": f"{n:064x}", "image_key": f"image-{n:016x}"}
            for n in range(1, number + 1)
        ),
    )
    with engine.begin() as connection:
        connection.execute(image_states.delete())
    rows(
        engine,
        image_states,
        (
            {"image_id": n, "state": STATES[n % len(STATES)], "updated_at": datetime.now(UTC)}
            for n in range(1, number + 1)
        ),
    )


def test_an_empty_data_folder_has_figures_of_the_process_alone(client: httpx.Client) -> None:
    client.get("/nothing")
    found = scraped(client)
    assert value(found, "animatize_http_request_duration_seconds_count", status="4xx") == 1
    assert (value(found, "process_resident_memory_bytes") or 0) > 1_000_000
    assert value(found, "animatize_budget_spent_usd", limit="day") == 0
    assert not found["animatize_jobs"].samples


def test_jobs_are_told_by_outcome_and_step_with_times_and_estimates(
    client: httpx.Client, service: Service
) -> None:
    promise = Promise(predicted_seconds=11.0, low_seconds=8.0, high_seconds=12.0, method="ml_model")
    service.performance.store.record(
        a_job("1", "scene_analysis", 0.2, queue_time_seconds=2.0),
        a_job("2", "scene_analysis", 400.0, success=False, error_type="StorageFailed"),
        a_job("3", "provider_call", 10.0, provider="flux", retries=2, promise=promise),
    )
    found = scraped(client)
    jobs = {"pipeline_type": "image", "job_type": "scene_analysis"}
    assert value(found, "animatize_jobs_total", **jobs, outcome="succeeded") == 1
    assert value(found, "animatize_jobs_total", **jobs, outcome="failed") == 1
    assert value(found, "animatize_job_errors_total", error_type="StorageFailed") == 1
    name = "animatize_job_duration_seconds"
    step = {"job_type": "scene_analysis"}
    assert value(found, f"{name}_bucket", **step, le="0.1") == 0
    assert value(found, f"{name}_bucket", **step, le="0.3") == 1
    assert value(found, f"{name}_bucket", **step, le="+Inf") == 1
    assert value(found, f"{name}_sum", **step) == 0.2
    call = "animatize_provider_call_duration_seconds"
    assert value(found, f"{call}_sum", provider="flux") == 10.0
    assert value(found, "animatize_provider_retries_total", provider="flux") == 2
    assert value(found, "animatize_queue_duration_seconds_sum", pipeline_type="image") == 2.0
    estimates = {"pipeline_type": "image", "method": "ml_model"}
    error = "animatize_estimate_error_ratio"
    assert value(found, f"{error}_bucket", **estimates, le="0.05") == 0
    assert value(found, f"{error}_bucket", **estimates, le="0.1") == 1
    assert (
        value(found, "animatize_estimate_intervals_total", pipeline_type="image", actual="inside")
        == 1
    )


def test_money_caches_breakers_and_images_are_told(client: httpx.Client, service: Service) -> None:
    engine, now = service.images.engine, datetime.now(UTC)
    call = {"purpose": "picture", "provider": "flux", "model": "m", "fingerprint": "f"}
    rows(
        engine,
        generation_calls,
        [
            call
            | {"call_id": "1", "state": "settled", "cost_nanousd": 40_000_000}
            | {"expected_nanousd": 50_000_000, "opened_at": now},
            call
            | {"call_id": "2", "state": "open", "cost_nanousd": None}
            | {"expected_nanousd": 50_000_000, "opened_at": now},
        ],
    )
    rows(
        engine,
        provider_health,
        [
            {"provider": "flux", "state": "open", "failures": 5, "changed_at": now},
            {"provider": "openai", "state": "closed", "failures": 0, "changed_at": now},
            {
                "provider": "imagen",
                "state": "open",
                "failures": 5,
                "changed_at": now - timedelta(days=2),
            },
        ],
    )
    add_images(service, 10)
    found = scraped(client)
    assert value(found, "animatize_provider_cost_usd_total", provider="flux") == 0.04
    assert value(found, "animatize_provider_possible_cost_usd", provider="flux") == 0.05
    assert value(found, "animatize_provider_open_calls", provider="flux") == 1
    assert value(found, "animatize_budget_limit_usd", limit="day") == 25
    assert value(found, "animatize_budget_spent_usd", limit="day") == 0.09
    assert value(found, "animatize_provider_available", provider="flux") == 0
    assert value(found, "animatize_provider_available", provider="openai") == 1
    assert value(found, "animatize_provider_available", provider="imagen") is None
    assert value(found, "animatize_images", state="complete") == 2
    for severity in SEVERITIES:
        assert value(found, "animatize_open_alerts", severity=severity) == 0


class Gpus:
    """A monitor that tells what the test says."""

    problem = foreign_pids = None
    is_exclusive = False

    def __init__(self, *readings: GpuReading) -> None:
        self._readings = readings

    def read(self) -> tuple[GpuReading, ...]:
        return self._readings


def watching(service: Service, *readings: GpuReading) -> None:
    """Let the service of the test, whose room may be open already, watch such GPUs."""
    object.__setattr__(service.performance, "gpu_monitor", Gpus(*readings))


def test_gpus_are_told_as_far_as_they_tell(client: httpx.Client, service: Service) -> None:
    watching(
        service,
        GpuReading("0", "GPU-0", "Big", 40.0, 6_000.0, 80_000.0),
        GpuReading("1.0", None, None, None, 1_000.0, None, is_mig=True),
    )
    found = scraped(client)
    big = {"hw_id": "0", "hw_name": "Big"}
    assert value(found, "hw_gpu_utilization_ratio", **big) == pytest.approx(0.4)
    assert value(found, "hw_gpu_memory_usage_bytes", **big) == 6e9
    assert value(found, "hw_gpu_memory_limit_bytes", **big) == 8e10
    instance = {"hw_id": "1.0", "hw_name": ""}
    assert value(found, "hw_gpu_utilization_ratio", **instance) is None
    assert value(found, "hw_gpu_memory_usage_bytes", **instance) == 1e9


def test_a_machine_without_gpus_tells_of_none(client: httpx.Client) -> None:
    assert not [name for name in scraped(client) if name.startswith("hw_")]


READ_GPUS = """
from dataclasses import replace
from datetime import UTC, datetime
from prometheus_client import CollectorRegistry, generate_latest
from animatize_assets.performance.nvml import NvidiaMonitor
from animatize_assets.web.metrics_page import families
from animatize_assets.web.metrics_readings import read
from animatize_assets.workplace.opening import open_workplace
workplace = replace(open_workplace(), gpu_monitor=NvidiaMonitor())
for family in families(read(workplace, jobs=(), images={}, now=datetime.now(UTC))):
    for sample in family.samples:
        if family.name.startswith("hw_"):
            print(family.name, sample.labels, sample.value)
"""


def test_the_driver_of_nvidia_is_asked(tmp_path: Path) -> None:
    library, state = compiled_stub(tmp_path), tmp_path / "state"
    state.write_text("".join(f"{key}={told}\n" for key, told in ONE_GPU.items()))
    done = subprocess.run(
        [sys.executable, "-c", READ_GPUS],
        env=os.environ | {"LD_LIBRARY_PATH": str(library), "NVML_STUB_STATE": str(state)},
        capture_output=True,
        text=True,
        check=True,
    )
    device = "{'hw_id': '0', 'hw_name': 'Stub 80GB'}"
    assert done.stdout.splitlines() == [
        f"hw_gpu_utilization_ratio {device} 0.4",
        f"hw_gpu_memory_usage_bytes {device} 6000000000.0",
        f"hw_gpu_memory_limit_bytes {device} 80000000000.0",
    ]


def everything(service: Service, number_of_images: int) -> None:
    """Every label with every value that it takes, and values that nobody knows."""
    error_types = (*ERROR_TYPES, *UNKNOWN)
    promises = (
        Promise(predicted_seconds=2.0, low_seconds=low, high_seconds=3.0, method=method)
        for low, method in product((0.5, 2.5), ("ml_model", "heuristic"))
    )
    told = list(promises)
    kinds = product(PIPELINE_TYPES, (*JOB_TYPES, *UNKNOWN), (*PROVIDERS, *UNKNOWN), (True, False))
    service.performance.store.record(
        *(
            a_job(
                f"job-{number}",
                job_type,
                1.0,
                provider=provider,
                pipeline_type=pipeline,
                success=success,
                error_type=None if success else error_types[number % len(error_types)],
                queue_time_seconds=1.0,
                promise=told[number // 2 % len(told)],
            )
            for number, (pipeline, job_type, provider, success) in enumerate(kinds)
        )
    )
    engine, now = service.images.engine, datetime.now(UTC)
    call = {"purpose": "picture", "model": "m", "fingerprint": "f", "state": "settled"}
    rows(
        engine,
        generation_calls,
        (
            call | {"call_id": name, "provider": name, "cost_nanousd": 1, "opened_at": now}
            for name in (*PROVIDERS, *UNKNOWN)
        ),
    )
    request = {"image_key": "k", "target": "t", "style": "s", "provider": "flux", "model": "m"}
    rows(
        engine,
        generation_requests,
        (
            request
            | {"width": 1, "height": 1, "movement": "m", "requested_at": MONDAY, "outcome": each}
            for each in OUTCOMES
        ),
    )
    rows(
        engine,
        provider_health,
        (
            {"provider": name, "state": "closed", "failures": 0, "changed_at": now}
            for name in (*PROVIDERS, *UNKNOWN)
        ),
    )
    add_images(service, number_of_images)
    watching(service, *(GpuReading(str(n), None, f"GPU {n}", 1.0, 1.0, 1.0) for n in range(20)))


def test_there_are_few_series_however_much_there_is(
    client: httpx.Client, service: Service, sizes: dict[str, Any]
) -> None:
    everything(service, sizes["metrics"]["images"])
    for path in ("/nothing", "/api/anime/performance/model-status"):
        client.get(path)
    scraped(client)  # whose own status is counted by the next
    found = scraped(client)
    series = [each for family in found.values() for each in family.samples]
    assert 300 < len(series) <= MOST_SERIES
    assert not any(text in str(each.labels) for each in series for text in UNKNOWN)
    assert value(found, "animatize_images", state="failed") == sizes["metrics"]["images"] // 5


def test_names_follow_the_rules_that_promtool_checks(
    client: httpx.Client, service: Service
) -> None:
    everything(service, 10)
    for family in scraped(client).values():
        assert family.documentation
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
        if family.type == "counter":
            assert all(each.name.endswith("_total") for each in family.samples)
        elif family.type == "gauge":
            assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert not re.search(r"milli|_ms$|percent|_kb|_mb|gauge|counter|histogram", family.name)


def test_the_page_lists_every_metric(client: httpx.Client, service: Service) -> None:
    everything(service, 10)
    client.get("/nothing")
    told = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in scraped(client).values()
    }
    listed = set(re.findall(r"`((?:animatize|hw_gpu)_[a-z_]+)`", PAGE.read_text(encoding="utf-8")))
    assert listed == {name for name in told if name.startswith(("animatize_", "hw_"))}


def test_openmetrics_is_told_to_who_asks_for_it(client: httpx.Client) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.count("# EOF") == 1
    assert answer.text.endswith("# EOF\n")
