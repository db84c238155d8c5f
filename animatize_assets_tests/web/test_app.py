"""What every request meets, whatever its route."""

from __future__ import annotations

import httpx

from animatize_assets.web.answering import HEADERS


def test_every_answer_has_the_headers_of_a_careful_service(client: httpx.Client) -> None:
    for path in ("/api/anime/performance/model-status", "/nothing", "/openapi.json"):
        answer = client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert "server" not in answer.headers


def test_an_unknown_path_is_told_as_a_problem(client: httpx.Client) -> None:
    answer = client.get("/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"
    assert answer.json()["type"] == "urn:animatize:problem:not_found"
