"""The dashboard's pages over real HTTP, with data and without."""

from __future__ import annotations

import html
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from animatize_assets.generation.request_log import LoggedRequest, RequestLog
from animatize_assets.performance.alert_models import AlertDraft, Judgement
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.models import JobRecord, Promise
from animatize_assets.performance.weekly_report import monday_of
from animatize_assets.web.answering import CONTENT_SECURITY_POLICY
from animatize_assets.web.dashboard import pictures
from animatize_assets.web.service import Service
from animatize_assets_tests.performance.jobs import job
from animatize_assets_tests.web.made_images import animate, ingest

PAGES = ("/", "/sign-in", "/images", "/performance", "/compare")


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
    told = client.get("/now").text
    assert "Nothing has been made here yet" in told
    assert "no GPU" in told
    assert "Open alerts (0)" in told
    assert "not measured" in told
    assert "Spent of day" in told


def test_now_tells_jobs_and_alerts(client: httpx.Client, service: Service) -> None:
    store = service.performance.store
    store.record(recent(0), recent(1), recent(2), recent(3, success=False))
    AlertStore(service.performance.engine).raise_(alert())
    told = client.get("/now").text
    assert "75 %" in told
    assert "Open alerts (1)" in told
    assert "The disk is &lt;b&gt;full&lt;/b&gt;." in told
    assert 'data-resolve="1"' in told


def test_a_page_does_not_wait_for_what_takes_long(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def slowly(_: Service) -> object:
        assert may_end.wait(60)
        return (), None

    monkeypatch.setattr("animatize_assets.web.dashboard.now._work", slowly)
    frame = client.get("/").text
    assert 'data-src="/now" aria-busy="true"' in frame
    assert "How things stand is being read" in frame
    may_end.set()
    assert "Open alerts (0)" in client.get("/now").text


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
    told = client.get("/now").text
    assert f"batch <code>{second.batch_id[:8]}</code> · 3 images" in told
    assert "Takes about 90 s once it starts" in told


def test_who_has_no_token_is_sent_to_sign_in(client: httpx.Client, service: Service) -> None:
    token = service.access.tokens.add("reader", "read")
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert client.get("/events").status_code == 401
    AlertStore(service.performance.engine).raise_(alert())
    client.post("/session", json={"token": token})
    assert client.get("/").status_code == 200
    assert "data-resolve" not in client.get("/now").text  # it may only read


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


# --- images ---------------------------------------------------------------------------------


def test_an_empty_gallery_says_what_to_do(client: httpx.Client) -> None:
    assert "There is no image yet." in client.get("/images").text


def test_the_gallery_shows_cards_with_the_movement_and_why(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    old, new = ingest(service, tmp_path / "files", 2)
    animate(service, [old])
    told = client.get("/images").text
    assert told.index(f"/images/{new}") < told.index(f"/images/{old}")
    assert f'src="/api/images/{old}/picture-thumbnail"' in told
    assert f'src="/api/images/{new}/' not in told
    predicted = client.get(f"/api/images/{old}").json()["movement_prediction"]["movements"][0]
    assert predicted["justification"] in html.unescape(told)


def test_the_gallery_is_filtered_and_searched(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    made, waits = ingest(service, tmp_path / "files", 2)
    animate(service, [made])
    for query, shown, hidden in (
        ("state=complete", made, waits),
        ("state=missing&provider=&movement=&search=", waits, made),
        (f"search={waits[-6:].upper()}", waits, made),
    ):
        told = client.get(f"/images?{query}").text
        assert f"/images/{shown}" in told
        assert f"/images/{hidden}" not in told
    assert "No image is like that." in client.get("/images?search=nothing+like+it").text
    assert client.get("/images?state=wrong").status_code == 422


def test_the_gallery_has_pages(
    client: httpx.Client, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "ON_A_PAGE", 2)
    keys = ingest(service, tmp_path / "files", 3)
    first = client.get("/images?state=missing").text
    older = re.search(r'rel="next" href="([^"]*)"', first)
    assert older is not None
    last = client.get(html.unescape(older[1])).text
    assert [key for key in keys if f"/images/{key}" in first] == keys[1:]
    assert [key for key in keys if f"/images/{key}" in last] == keys[:1]
    assert 'rel="next"' not in last
    assert 'href="/images?state=missing">Newest' in last


def test_an_image_has_a_page_before_and_after_it_is_made(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    (key,) = ingest(service, tmp_path / "files", 1)
    before = client.get(f"/images/{key}").text
    assert "Not predicted yet." in before
    assert "<video" not in before
    animate(service, [key])
    after = client.get(f"/images/{key}").text
    for part in ("source", "composition", "depth", "picture", "clip"):
        assert f'src="/api/images/{key}/{part}"' in after
    known = client.get(f"/api/images/{key}").json()
    assert known["motion_prompt"]["positive"] in html.unescape(after)


def test_an_image_that_is_not_there_has_no_page(client: httpx.Client) -> None:
    for path in ("/images/nothing-0123456789abcdef", "/images/nothing-0123456789abcdef/download"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "image_not_found")


def test_a_download_has_the_clip_and_the_recipe(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    (key,) = ingest(service, tmp_path / "files", 1)
    animate(service, [key])
    answer = client.get(f"/images/{key}/download")
    assert answer.headers["content-disposition"] == f'attachment; filename="{key}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        recipe = json.loads(archive.read("recipe.json"))
        clip = archive.read(f"{key}-clip.mp4")
    assert recipe == client.get(f"/api/images/{key}").json()
    assert clip == client.get(f"/api/images/{key}/clip").content


# --- performance ----------------------------------------------------------------------------


def priced_jobs(days: int = 12, each_day: int = 6) -> list[JobRecord]:
    """Make jobs of two providers: openai estimates 10 % too much, local twice the time."""
    jobs = []
    for number in range(days * each_day):
        is_paid = number % 2 == 0
        took = 20.0 + number % 5
        told = 1.1 * took if is_paid else 2 * took
        provider = "openai" if is_paid else "local"
        jobs.append(
            job(
                number,
                finished_at=datetime.now(UTC) - timedelta(hours=24 * number / each_day + 1),
                seconds=took,
                parameters={"width": 512, "height": 512, "provider": provider},
                cost_usd=0.25 if is_paid else 0.0,
                phases=({"name": "processing", "seconds": took - 1},),
                promise=Promise(
                    predicted_seconds=told,
                    low_seconds=0.9 * told,
                    high_seconds=1.1 * told,
                    method="heuristic",
                    model="fallback",
                ),
            )
        )
    return jobs


def test_performance_without_jobs_says_what_to_do(client: httpx.Client) -> None:
    told = client.get("/performance/figures?days=7").text
    assert "No job ended in this period." in told
    assert "No picture was asked for in this period." in told
    assert "No job ended in this week." in client.get("/performance/week").text
    assert "Nothing that is found" in client.get("/performance/findings?days=7").text
    assert client.get("/performance/charts/cost.svg?days=7").status_code == 404


def test_performance_tells_times_estimates_and_costs(
    client: httpx.Client, service: Service
) -> None:
    service.performance.store.record(*priced_jobs())
    told = client.get("/performance/figures?days=28").text
    rows = [re.sub(r"<[^>]*>", "|", row) for row in re.findall(r"<tr>.*?</tr>", told)]
    assert any(re.search(r"image\|+all jobs\|+72\|+22 s\|+24 s\|+100 %", row) for row in rows)
    assert any(re.search(r"image\|+processing\|+72\|+21 s", row) for row in rows)
    assert any(re.search(r"image\|+72\|+50 %\|+50 %", row) for row in rows)
    assert any(re.search(r"openai\|+\$0.75\|+3", row) for row in rows)
    assert "image generation time" in told
    for name in ("time-image", "accuracy", "cost"):
        assert f'src="/performance/charts/{name}.svg?days=28' in told
        drawn = client.get(f"/performance/charts/{name}.svg?days=28")
        assert drawn.headers["content-type"] == "image/svg+xml"
        assert "script" not in drawn.text
        assert "prefers-color-scheme:dark" in drawn.text
    assert "time-video" not in told


def test_performance_tells_what_holds_jobs_up_and_how_the_last_week_was(
    client: httpx.Client, service: Service
) -> None:
    service.performance.store.record(
        *[recent(number, queue_time_seconds=600.0) for number in range(20)]
    )
    monday = monday_of(datetime.now(UTC).date())
    ended = datetime.combine(monday - timedelta(days=3), time(12), UTC)
    service.performance.store.record(job(99, finished_at=ended))
    found = client.get("/performance/findings?days=7").text
    assert "High queue time" in found
    assert "<strong>Do:</strong>" in found
    assert "One job, 100 % of them successful" in client.get("/performance/week").text


def test_performance_tells_how_often_caches_answered(
    client: httpx.Client, service: Service, tmp_path: Path
) -> None:
    (key,) = ingest(service, tmp_path / "files", 1)
    asked = LoggedRequest(key, "generic", "cinematic", "local", "m", 64, 64, "push_in", "made")
    log = RequestLog(service.images.engine)
    for outcome in ("made", "exact", "exact", "similar"):
        log.write(replace(asked, outcome=outcome))
    told = re.sub(r"<[^>]*>", "|", client.get("/performance/figures?days=7").text)
    assert re.search(r"local\|+4\|+75 %\|+2\|+0\|+1\|+1\|+0", told)


# --- compare --------------------------------------------------------------------------------


def test_the_page_asks_for_the_comparison_itself(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise AssertionError("The page waited for the analysing process.")

    monkeypatch.setattr(service.analysis, "run", busy)
    told = html.unescape(client.get("/compare?by=run&left=a%26b&right=c&days=7").text)
    assert 'data-src="/compare/figures?by=run&left=a%26b&right=c&days=7" aria-busy' in told
    assert 'value="a&b"' in told


def test_without_jobs_nothing_can_be_compared(client: httpx.Client) -> None:
    assert "No provider had a job in this period." in client.get("/compare/figures").text
    assert "No run had a job in this period." in client.get("/compare/figures?by=run").text


def cells(page: str, row: str) -> list[str]:
    """Return the cells of the row of a table that has this heading."""
    found = re.search(rf'<tr><th scope="row">{row}</th>(.*?)</tr>', page)
    assert found is not None
    return re.findall(r"<td>(.*?)</td>", found[1])


def test_two_providers_stand_side_by_side(client: httpx.Client, service: Service) -> None:
    service.performance.store.record(*priced_jobs())
    assert "Choose two. Providers" in client.get("/compare/figures").text
    told = client.get("/compare/figures?by=provider&left=openai&right=local&days=90").text
    assert cells(told, "Jobs") == ["36", "36"]
    assert cells(told, "Estimates within 20 %") == ["100 %", "0 %"]
    assert cells(told, "Cost") == ["$9.00", "$0.00"]
    assert cells(told, "Mean rating, 1 to 5") == ["not rated", "not rated"]
    assert "No image has jobs of both." in told


def test_two_runs_are_compared_by_the_images_they_share(
    client: httpx.Client, service: Service
) -> None:
    key = "lighthouse-0f3c1a9b5d7e2468"
    service.performance.store.record(
        recent(0, seconds=10.0, run_id="run-a", partition_key=key),
        recent(1, seconds=30.0, run_id="run-b", partition_key=key),
        recent(2, seconds=99.0, run_id="run-b", partition_key="other-0f3c1a9b5d7e2468"),
    )
    told = client.get("/compare/figures?by=run&left=run-a&right=run-b").text
    assert "The same images (1)" in told
    left, right, pictures = cells(told, f'<a href="/images/{key}">{key}</a>')
    assert (left, right) == ("10 s", "30 s")
    assert f'href="/images/{key}/pictures?left=run-a&amp;right=run-b"' in pictures


def test_names_that_no_job_has_are_said_and_escaped(client: httpx.Client) -> None:
    told = client.get("/compare/figures", params={"left": "<script>", "right": "local"}).text
    assert "No job of &lt;script&gt; ended in this period." in told
    assert "<script>" not in told
    assert cells(told, "Median time") == ["not measured", "not measured"]
