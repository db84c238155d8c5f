"""The dashboard's pages over real HTTP, with data and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from animatize_assets.performance.alert_models import AlertDraft, Judgement
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.models import JobRecord
from animatize_assets.web.answering import CONTENT_SECURITY_POLICY
from animatize_assets.web.service import Service
from animatize_assets_tests.performance.jobs import job

PAGES = ("/", "/sign-in")


def alert(message: str = "The disk is <b>full</b>.", subject: str = "worker-1") -> Judgement:
    return Judgement.bad(
        AlertDraft(
            alert_type="resource",
            subject=subject,
            severity="high",
            message=message,
            threshold_value=90.0,
            actual_value=97.0,
        )
    )


def recent(number: int, **known: Any) -> JobRecord:
    return job(number, finished_at=datetime.now(UTC) - timedelta(minutes=number + 1), **known)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_landmarks_and_nothing_inline(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    for landmark in ("<main", "<nav", "<h1>", 'lang="en"', 'href="#content"'):
        assert landmark in answer.text
    for inline in ("<style", " style=", " onclick=", "http://", "https://"):
        assert inline not in answer.text


def test_what_pages_are_made_of_is_sent_and_nothing_else(client: httpx.Client) -> None:
    assert client.get("/static/dashboard.css").headers["content-type"].startswith("text/css")
    assert client.get("/static/live.js").headers["content-type"].startswith("text/javascript")
    for path in ("/static/pages.py", "/static/..%2Fpages.py", "/static/"):
        assert client.get(path).status_code == 404


def test_without_anything_the_first_page_says_what_to_do(client: httpx.Client) -> None:
    told = client.get("/").text
    assert "Nothing has been made here yet" in told
    assert "no GPU" in told
    assert "Open alerts (0)" in told
    assert "not measured" in told
    assert "Spent of day" in told


def test_now_tells_jobs_and_alerts(client: httpx.Client, service: Service) -> None:
    store = service.performance.store
    store.record(recent(0), recent(1), recent(2), recent(3, success=False))
    AlertStore(service.performance.engine).raise_(alert())
    told = client.get("/").text
    assert "75 %" in told
    assert "Open alerts (1)" in told
    assert "The disk is &lt;b&gt;full&lt;/b&gt;." in told
    assert 'data-resolve="1"' in told


class GoingOn:
    """A process that does not end."""

    def wait(self, timeout_s: float | None = None) -> None:
        """Return that it goes on."""


def test_batches_that_wait_are_shown(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.batches, "_start", lambda *_: GoingOn())
    service.batches.submit(["--", "a"], images=1)
    second = service.batches.submit(["--", "b"], images=3, estimated_seconds=90.0)
    told = client.get("/").text
    assert f"batch <code>{second.batch_id[:8]}</code> · 3 images" in told
    assert "Takes about 90 s once it starts" in told


def test_who_has_no_token_is_sent_to_sign_in(client: httpx.Client, service: Service) -> None:
    token = service.access.tokens.add("reader", "read")
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert client.get("/events").status_code == 401
    AlertStore(service.performance.engine).raise_(alert())
    client.post("/session", json={"token": token})
    page = client.get("/")
    assert page.status_code == 200
    assert "data-resolve" not in page.text  # it may only read


def test_an_event_tells_what_is_new(client: httpx.Client, service: Service) -> None:
    with client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        before = _next(lines)
        assert before["alert"] is None
        AlertStore(service.performance.engine).raise_(alert("The disk is full."))
        after = _next(lines)
    assert after["alert"] == {"id": 1, "message": "The disk is full."}
    assert after["now"] != before["now"]


def _next(lines: Iterator[str]) -> dict[str, Any]:
    for line in lines:
        if line.startswith("data: "):
            found: dict[str, Any] = json.loads(line.removeprefix("data: "))
            return found
    raise AssertionError("The stream ended.")
