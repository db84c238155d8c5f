"""An upload's trace goes on from the program that sent it, through the service, to the image."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from opentelemetry.trace import SpanKind

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.web.service import Service
from animatize_assets_tests.telemetry.spans import watched
from animatize_assets_tests.web.made_images import ingest
from animatize_assets_tests.web.routes.test_images import picture

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_an_image_continues_the_trace_of_whoever_uploaded_it(
    client: httpx.Client, service: Service
) -> None:
    with watched() as spans:
        answer = client.post(
            "/api/images",
            files={"file": ("a.png", picture())},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
        )
    request = spans.named("POST /api/images")  # FastAPI's own
    assert request.kind is SpanKind.SERVER
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == PARENT
    assert spans.above(spans.named("ingest image"))[-1] == request.name
    kept = service.images.traceparent(answer.json()["image_key"])
    assert kept is not None
    assert kept.startswith(f"00-{TRACE}-")


def test_a_batch_carries_the_trace_of_whoever_asked_for_it(
    client: httpx.Client,
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[Sequence[str]] = []
    started = threading.Event()

    def start(_batch_id: str, options: Sequence[str]) -> None:
        given.append(options)
        started.set()
        raise OrchestrationFailed("Nothing is started in this test.")

    monkeypatch.setattr(service.batches, "_start", start)
    with watched():
        client.post(
            "/api/batches",
            json={"image_keys": ingest(service, tmp_path, 1)},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
        )
    assert started.wait(30)
    (options,) = given
    assert options[options.index("--traceparent") + 1].startswith(f"00-{TRACE}-")
