"""An upload's trace goes on from the program that sent it, through the service, to the image."""

from __future__ import annotations

import httpx
from opentelemetry.trace import SpanKind

from animatize_assets.web.service import Service
from animatize_assets_tests.telemetry.spans import watched
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
