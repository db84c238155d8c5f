"""A browser is told of a problem on a page, a program as problem details."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.web.answering import CONTENT_SECURITY_POLICY
from animatize_assets.web.dashboard.problem_pages import prefers_page
from animatize_assets.web.service import Service

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"}
UNKNOWN = (
    "/nothing",
    "/images/nothing-0123456789abcdef",
    "/images/nothing-0123456789abcdef/pictures",
)


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_is_not_there_is_a_page_for_a_browser(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["vary"] == "Accept"
    for part in ("<main", "<nav", "<h1>Not Found</h1>", 'href="/images"'):
        assert part in answer.text


@pytest.mark.parametrize("path", [*UNKNOWN, "/api/images/nothing-0123456789abcdef"])
@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/problem+json"])
def test_a_program_gets_problem_details(client: httpx.Client, path: str, accept: str) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


@pytest.mark.parametrize("path", ["/api/images/nothing-0123456789abcdef", "/static/nothing"])
def test_what_programs_ask_for_is_never_a_page(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_filter_is_told_on_a_page(client: httpx.Client) -> None:
    answer = client.get("/images?state=<script>", headers=BROWSER)
    assert answer.status_code == 422
    assert "query state" in answer.text
    assert "<script>" not in answer.text


def test_what_goes_wrong_here_is_told_on_a_page(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr("animatize_assets.web.routes.dashboard_images.read_gallery", broken)
    answer = client.get("/images", headers=BROWSER)
    assert answer.status_code == 500
    assert "<h1>Internal Server Error</h1>" in answer.text
    assert "nobody expected this" not in answer.text


def test_a_browser_without_a_session_is_sent_to_sign_in(
    client: httpx.Client, service: Service
) -> None:
    service.access.tokens.add("reader", "read")
    answer = client.get("/performance/figures?days=7", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert client.get("/performance/figures?days=7").status_code == 401


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        ("", False),
        ("*/*", False),
        ("text/html", True),
        ("TEXT/HTML;q=0.1", True),
        ("text/html;q=0", False),
        ("text/html;q=0.5, application/json", False),
        ("application/json;q=0.5, text/html", True),
        ("text/html;q=high", False),
    ],
)
def test_html_must_be_named_and_not_less_wanted(accept: str, is_page: bool) -> None:
    assert prefers_page(accept) is is_page


@given(st.text())
def test_any_header_is_read(accept: str) -> None:
    if "text/html" not in accept.lower():
        assert not prefers_page(accept)
