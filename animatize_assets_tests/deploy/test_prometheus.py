"""A real Prometheus scrapes the running service: every query of a dashboard returns data."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert

from animatize_assets.database.tables import generation_requests, image_states, images
from animatize_assets.performance.models import JobRecord, Promise
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.deploy.observed import dashboard_queries, rule_queries
from animatize_assets_tests.deploy.prometheus import Prometheus, running_prometheus
from animatize_assets_tests.deploy.test_alert_rules import promtool
from animatize_assets_tests.integration.daemons import wait_for
from animatize_assets_tests.performance.jobs import job

STAGES = {
    "source_image": 0.08,
    "scene_analysis": 0.4,
    "movement_prediction": 0.03,
    "motion_prompt": 0.04,
    "generated_picture": 0.5,
    "animatic_clip": 5.0,
}
"""Seconds of each stage of an image, as `make demo` takes them."""

ANIMATIZE = [sys.executable, "-m", "animatize_assets.cli"]


def demo_jobs(image: str) -> Iterator[JobRecord]:
    """What the demo records of one image: every stage, and the local provider's call."""
    asked = {"provider": "local", "width": 1280, "height": 854}
    guess = Promise(predicted_seconds=0.1, method="heuristic")
    for stage, seconds in STAGES.items():
        yield job(
            job_id=f"{image}-{stage}",
            seconds=seconds,
            pipeline_type="video" if stage == "animatic_clip" else "image",
            parameters=asked | {"job_type": stage},
            queue_time_seconds=0.7,
            promise=guess,
        )
    within = Promise(predicted_seconds=0.07, low_seconds=0.01, high_seconds=0.9, method="heuristic")
    call = asked | {"job_type": "provider_call"}
    yield job(job_id=f"{image}-call", seconds=0.3, parameters=call, promise=within)


def like_the_demo() -> None:
    """Leave the records that `make demo` leaves, without computing anything."""
    place, now = open_workplace(), datetime.now(UTC)
    place.performance.store.record(*demo_jobs("china"), *demo_jobs("flower"))
    image = dict.fromkeys(("byte_count", "width", "height", "exif_orientation"), 1) | {
        "frame_count": 1, "original_name": "a.jpg", "format": "jpeg", "source_mode": "RGB",
        "has_icc_profile": False, "flattened_alpha": False, "original_path": "a",
        "normalized_path": "a", "registered_at": now,
    }  # fmt: skip
    request = {
        "requested_at": now, "target": "generic", "style": "cinematic", "provider": "local",
        "model": "local", "width": 1280, "height": 854, "movement": "zoom", "outcome": "made",
    }  # fmt: skip
    with place.images.engine.begin() as connection:
        for number in (1, 2):
            key = f"image-{number:016x}"
            made = {"id": number, "sha256": f"{number:064x}", "image_key": key}
            connection.execute(insert(images), image | made)
            connection.execute(image_states.delete().where(image_states.c.image_id == number))
            state = {"image_id": number, "state": "complete", "updated_at": now}
            connection.execute(insert(image_states), state)
            connection.execute(insert(generation_requests), request | {"image_key": key})


@contextmanager
def animatize_serve() -> Iterator[str]:
    """Run `animatize serve` on a free port; gives its address."""
    command = [*ANIMATIZE, "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = "".join(iter(process.stdout.readline, "}\n")) + "}"
            yield json.loads(told)["url"]
        finally:
            process.terminate()


def every_query_returns_numbers(folder: Path) -> None:
    with animatize_serve() as url, running_prometheus(folder, httpx.URL(url).netloc.decode()) as it:
        it.wait_until("count_over_time(pipeline_type:animatize_failed_jobs:sum[1h]) >= 3")
        it.wait_until('count_over_time(up{job="animatize"}[1h]) >= 3')
        assert it.values("animatize_unheard_of") == []
        found = {where: it.values(query) for where, query in dashboard_queries().items()}
        assert not [where for where, values in found.items() if not values]
        assert not [where for where, values in found.items() if any(map(math.isnan, values))]
        for query in rule_queries().values():
            it.values(query)  # fails where Prometheus does not understand it
        the_rules_are_healthy(it)
        assert it.values('scrape_samples_scraped{job="animatize"}')[0] <= 500
        promtool("check", "metrics", given=httpx.get(httpx.URL(url).join("/metrics")).text)


def the_rules_are_healthy(prometheus: Prometheus) -> None:
    loaded = wait_for(prometheus.evaluated_rules, prometheus.log)
    assert {rule["name"] for rule in loaded} == set(rule_queries())
    assert not [rule for rule in loaded if rule["health"] != "ok"]
    assert not [rule["name"] for rule in loaded if rule.get("state") in {"pending", "firing"}]


def test_every_query_returns_data_over_records_like_the_demos(tmp_path: Path) -> None:
    like_the_demo()
    every_query_returns_numbers(tmp_path)


@pytest.mark.full
def test_every_query_returns_data_after_the_demo(tmp_path: Path) -> None:
    subprocess.run([*ANIMATIZE, "demo", "--json"], check=True, capture_output=True)
    every_query_returns_numbers(tmp_path)
