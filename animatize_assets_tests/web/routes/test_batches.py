"""``/api/batches`` over real HTTP, with real processes and a real Dagster instance."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from animatize_assets.web.service import Service
from animatize_assets_tests.web.made_images import ingest

BATCHES = "/api/batches"


def process_of(service: Service, batch_id: str) -> Any:
    """The process that works on a batch, once it has been started."""
    while (found := service.batches.waiting(batch_id)) is not None:
        assert found[1] == 0
    return service.batches._started[batch_id][1]


def test_a_batch_goes_from_asked_for_to_complete(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    keys = ingest(service, tmp_path / "in", 2)
    asked = client.post(BATCHES, json={"image_keys": keys, "size": [64, 64]})
    assert asked.status_code == 202, asked.text
    told = asked.json()
    assert asked.headers["location"] == f"{BATCHES}/{told['batch_id']}"
    assert (told["kind"], told["status"], told["images"]) == ("batch", "queued", 2)
    assert told["estimated_seconds"] > 0
    assert process_of(service, told["batch_id"]).wait(240) == 0
    done = client.get(asked.headers["location"]).json()
    assert (done["status"], done["progress"], done["images"]) == ("complete", 1, 2)
    assert done["results_made"] == done["results_wanted"] == 12
    assert (done["failed_images"], done["problems"]) == ({}, [])
    assert done["finishing_at"] is None
    assert done["queued_at"] <= done["started_at"] <= done["ended_at"]
    run = client.get(f"{BATCHES}/{done['run_ids'][0]}").json()
    assert (run["kind"], run["status"], run["images"]) == ("run", "complete", 2)
    assert client.get("/api/images").json()["counts"] == {"complete": 2}
    assert client.get(f"/api/images/{keys[0]}/clip").headers["content-type"] == "video/mp4"


class GoingOn:
    """A process that goes on until the test ends it."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def wait(self, timeout_s: float | None = None) -> int | None:
        return 0 if self.ended.wait(timeout_s) else None


def test_batches_that_wait_know_when_they_will_be_done(
    client: httpx.Client,
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = GoingOn()
    monkeypatch.setattr(service.batches, "_start", lambda *_: process)
    keys = ingest(service, tmp_path / "in", 2)
    asked = [client.post(BATCHES, json={"image_keys": keys}).json() for _ in range(3)]
    try:
        told = [client.get(f"{BATCHES}/{each['batch_id']}").json() for each in asked]
        begin = datetime.fromisoformat(told[0]["queued_at"])
        for place, each in enumerate(told, start=1):
            assert each["status"] == "queued"
            seconds = (datetime.fromisoformat(each["finishing_at"]) - begin).total_seconds()
            assert seconds >= place * each["estimated_seconds"]
    finally:
        process.ended.set()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image_keys": ["gone-0123456789abcdef"]}, (404, "image_not_found")),
        ({"image_keys": []}, (422, "invalid_request")),
        ({"provider": "flux"}, (409, "not_configured")),
        ({"target": "no-such-model"}, (422, "invalid_setting")),
        ({"style": "no-such-style"}, (422, "invalid_setting")),
        ({"size": [63, 64]}, (422, "invalid_request")),
        ({"expand": "final"}, (409, "not_configured")),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused(
    client: httpx.Client,
    service: Service,
    tmp_path: Path,
    change: dict[str, Any],
    told: tuple[int, str],
) -> None:
    body = {"image_keys": ingest(service, tmp_path / "in", 1)} | change
    answer = client.post(BATCHES, json=body)
    assert (answer.status_code, answer.json()["code"]) == told


@pytest.mark.parametrize("batch_id", ["b1f9d7c2-6f43-4a39-8a52-1f0f3f1f4f10", "fillback", "x" * 64])
def test_a_batch_that_nobody_started_is_not_found(client: httpx.Client, batch_id: str) -> None:
    answer = client.get(f"{BATCHES}/{batch_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")
