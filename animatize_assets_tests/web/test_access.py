"""Who is let in: programs of this machine, holders of tokens, and no page of another site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from animatize_assets.errors import InvalidSetting, NotConfigured
from animatize_assets.web.access import COOKIE, Access, is_loopback
from animatize_assets.web.limits import LEAST_BURST
from animatize_assets.web.service import Service, token_file
from animatize_assets.web.tokens import FILE, TokenFile
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.web.conftest import served

READ = "/api/anime/performance/model-status"
WRITE = "/api/anime/performance/alerts/1/resolve"
READ_BY_POST = "/api/anime/performance/estimate-time"
JOB = {"pipeline_type": "image"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def tokens(service: Service) -> TokenFile:
    return token_file(service.settings)


def test_without_tokens_programs_of_this_machine_may_do_everything(client: httpx.Client) -> None:
    assert client.get(READ).status_code == 200
    assert client.post(READ_BY_POST, json=JOB).status_code == 200
    assert client.post(WRITE).status_code == 404  # let in: there is no such alert


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(
    client: httpx.Client, headers: Mapping[str, str]
) -> None:
    for path in (WRITE, READ_BY_POST, "/session"):
        answer = client.post(path, headers=headers, json=JOB)
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"


def test_its_own_page_changes_things(client: httpx.Client) -> None:
    headers = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert client.post(WRITE, headers=headers).status_code == 404


@pytest.mark.parametrize("host", ["elsewhere.example", "elsewhere.example:8328", "127.0.0.2", "["])
def test_a_name_that_was_made_to_point_here_opens_nothing(client: httpx.Client, host: str) -> None:
    for path in (READ, "/openapi.json", "/nothing"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 421
        assert answer.json()["code"] == "unknown_host"


def test_a_listed_name_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATIZE_SERVE_HOSTS", '["Studio.example"]')
    monkeypatch.setattr(Service, "warm_up", lambda _self: None)
    with served(Service.of(open_workplace())) as url, httpx.Client(base_url=url) as client:
        assert client.get(READ, headers={"Host": "studio.example:443"}).status_code == 200
        assert client.get(READ, headers={"Host": "other.example"}).status_code == 421


def test_a_listed_origin_may_read_and_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATIZE_SERVE_ORIGINS", '["https://studio.example"]')
    monkeypatch.setattr(Service, "warm_up", lambda _self: None)
    with served(Service.of(open_workplace())) as url, httpx.Client(base_url=url) as client:
        asked = {"Access-Control-Request-Method": "POST"}
        ours = client.options(WRITE, headers=asked | {"Origin": "https://studio.example"})
        assert ours.headers["access-control-allow-origin"] == "https://studio.example"
        other = client.options(WRITE, headers=asked | {"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
        answer = client.post(WRITE, headers={"Origin": "https://studio.example"})
        assert answer.status_code == 404


def test_once_there_is_a_token_it_is_needed(client: httpx.Client, tokens: TokenFile) -> None:
    reading, writing = tokens.add("grafana", "read"), tokens.add("studio", "write")
    refused = client.get(READ)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert client.get(READ, headers=bearer(reading)).status_code == 200
    assert client.post(READ_BY_POST, json=JOB, headers=bearer(reading)).status_code == 200
    assert client.post(WRITE, headers=bearer(reading)).status_code == 403
    assert client.post(WRITE, headers=bearer(writing)).status_code == 404


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Basic Zm9vOmJhcg==", "Bearer \udcff", "bearer"]
)
def test_a_wrong_token_opens_nothing(client: httpx.Client, tokens: TokenFile, header: str) -> None:
    tokens.add("studio", "write")
    raw = header.encode("utf-8", "surrogateescape")
    assert client.get(READ, headers={b"Authorization": raw}).status_code == 401


def test_a_removed_token_opens_nothing_any_more(client: httpx.Client, tokens: TokenFile) -> None:
    tokens.add("other", "read")
    token = tokens.add("studio", "write")
    assert client.get(READ, headers=bearer(token)).status_code == 200
    assert tokens.remove("studio")
    assert client.get(READ, headers=bearer(token)).status_code == 401


def test_what_tells_nothing_is_open_to_all(client: httpx.Client, tokens: TokenFile) -> None:
    tokens.add("studio", "write")
    assert client.get("/openapi.json").status_code == 200
    assert client.get("/session").json() is None


def test_a_browser_exchanges_a_token_for_a_cookie(client: httpx.Client, tokens: TokenFile) -> None:
    token = tokens.add("studio", "write")
    answer = client.post("/session", json={"token": token})
    assert answer.json() == {"name": "studio", "scope": "write"}
    (cookie,) = answer.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert token not in cookie
    assert client.get(READ).status_code == 200
    assert client.get("/session").json() == {"name": "studio", "scope": "write"}
    assert client.delete("/session").status_code == 204
    assert COOKIE not in client.cookies
    client.cookies.set(COOKIE, cookie.split("=", 1)[1].split(";")[0])
    assert client.get(READ).status_code == 401


def test_a_session_ends_with_its_token(client: httpx.Client, tokens: TokenFile) -> None:
    tokens.add("other", "read")
    client.post("/session", json={"token": tokens.add("studio", "write")})
    assert client.get(READ).status_code == 200
    tokens.remove("studio")
    assert client.get(READ).status_code == 401


def test_a_wrong_token_begins_no_session(client: httpx.Client, tokens: TokenFile) -> None:
    tokens.add("studio", "write")
    answer = client.post("/session", json={"token": "anim_guess"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_off_loopback_the_service_does_not_start_without_a_token(tokens: TokenFile) -> None:
    access = Access(tokens, is_loopback=False)
    with pytest.raises(NotConfigured, match="--new-token"):
        access.check_start()
    tokens.add("studio", "write")
    access.check_start()
    Access(tokens, is_loopback=True).check_start()


@pytest.mark.parametrize("is_loopback", [True, False])
def test_without_readable_tokens_it_does_not_start(tmp_path: Path, *, is_loopback: bool) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("no tokens")
    with pytest.raises(InvalidSetting, match="--new-token"):
        Access(TokenFile(file), is_loopback=is_loopback).check_start()


def test_tokens_that_became_unreadable_let_nobody_in_and_kill_nothing(
    client: httpx.Client, tokens: TokenFile, data_dir: Path
) -> None:
    token = tokens.add("studio", "write")
    (data_dir / FILE).write_text("no tokens")
    for answer in (
        client.get(READ, headers=bearer(token)),
        client.get(READ),
        client.post("/session", json={"token": token}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert str(data_dir) not in answer.text
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert [each["where"] for each in ready.json()["errors"]] == ["access tokens"]
    (data_dir / FILE).unlink()
    assert client.get(READ).status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("studio.example", False),
    ],
)
def test_loopback_is_told_from_other_addresses(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.fixture
def slow_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("ANIMATIZE_SERVE_REQUESTS_PER_S", "0.001")
    monkeypatch.setattr(Service, "warm_up", lambda _self: None)
    with served(Service.of(open_workplace())) as url, httpx.Client(base_url=url) as client:
        yield client


def test_too_many_requests_are_told_when_to_come_again(slow_client: httpx.Client) -> None:
    for _ in range(round(LEAST_BURST)):
        assert slow_client.get(READ).status_code == 200
    answer = slow_client.get(READ)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 1000
    assert answer.json()["code"] == "too_many_requests"


def test_a_long_body_is_refused_unread(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    for body in (b" " * 1_000_000, endless()):
        answer = client.post(
            READ_BY_POST, content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["code"] == "request_too_large"
