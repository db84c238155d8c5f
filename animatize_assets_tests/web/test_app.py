"""What every request meets, whatever its route."""

from __future__ import annotations

import httpx
import jsonschema_rs
import pytest

from animatize_assets.web.answer_examples import EXAMPLES
from animatize_assets.web.answering import HEADERS
from animatize_assets.web.service import Service


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


def test_a_method_that_a_path_has_not_is_told_which_it_has(client: httpx.Client) -> None:
    for path, methods in (
        ("/api/images", "GET, POST"),
        ("/api/images/lighthouse-0f3c1a9b5d7e2468/rating", "POST"),
        ("/session", "DELETE, GET, POST"),
    ):
        answer = client.put(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == methods
    assert client.get("/api/images/lighthouse-0f3c1a9b5d7e2468/rating").status_code == 405


def test_what_goes_wrong_here_stays_here(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(service.performance.registry.rows, "versions", fail)
    answer = client.get("/api/anime/performance/model-status")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "hunter2" not in answer.text
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_the_description_is_openapi_3_1_with_examples(client: httpx.Client) -> None:
    told = client.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    assert set(told["components"]["securitySchemes"]) == {"token", "session"}
    schemas = told["components"]["schemas"]
    for name in ("EstimateRequest", "EstimateAnswer", "JobReport", "Alert", "Trends", *EXAMPLES):
        assert schemas[name]["examples"]
    for name, schema in schemas.items():
        for example in schema.get("examples", ()):
            whole = {"$ref": f"#/components/schemas/{name}", "components": told["components"]}
            jsonschema_rs.validate(whole, example)
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            assert "application/problem+json" in operation["responses"]["4XX"]["content"], path
            assert operation["summary"], (path, method)
