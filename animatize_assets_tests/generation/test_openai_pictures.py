from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from animatize_assets.errors import NotConfigured, ProviderError
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.models import Call, MadePicture, PictureRequest
from animatize_assets.generation.openai_pictures import OpenAIPictures
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.generation.verification import verify_picture
from animatize_assets_tests.generation.requests import picture_request
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.pictures import picture
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.loopback.world import KEYS

CATALOGUE = load_catalogue()
KEY = KEYS["openai"]
MODEL = CATALOGUE.default("openai").model


@pytest.fixture(scope="module")
def shared() -> Iterator[LoopbackServer]:
    with loopback_server(hang_s=5.0) as running:
        yield running


@pytest.fixture
def server(shared: LoopbackServer) -> LoopbackServer:
    """The server, with nothing left over from another test."""
    shared.world.traffic.received.clear()
    return shared


def wide(**changes: Any) -> PictureRequest:
    return picture_request(**{"width": 1280, "height": 720, "with_source": False, **changes})


def provider_at(
    url: str, *, key: str = KEY, model: str = MODEL, edit: bool = True
) -> OpenAIPictures:
    return OpenAIPictures(SecretStr(key), url, CATALOGUE.models[f"openai/{model}"], edit)


def make(
    server: LoopbackServer,
    request: PictureRequest | None = None,
    *,
    timeout_s: float = 20.0,
    **options: Any,
) -> MadePicture:
    """One attempt, in an event loop of its own."""

    async def run() -> MadePicture:
        provider = provider_at(server.openai_url, **options)
        try:
            return await provider.make(request or wide(), Call(timeout_s=timeout_s))
        finally:
            await provider.close()

    return asyncio.run(run())


def failure(server: LoopbackServer, fault: Fault | str | None = None, **options: Any) -> Any:
    """What one attempt that must fail says; exactly one call is made."""
    if fault is not None:
        server.script("openai.images", fault)
    with pytest.raises(ProviderError) as caught:
        make(server, **options)
    error = caught.value
    assert KEY not in f"{error} {error!r}"
    # Nothing of the SDK hangs on to it: its messages may repeat what a server says of a key.
    assert error.__cause__ is None
    assert error.__context__ is None
    assert len(server.calls("openai.images")) == 1
    return error


def status(code: int, error: dict[str, Any] | None = None, **headers: str) -> Fault:
    """An error of the protocol."""
    body = {"message": f"Look at {KEY}.", "type": "x", "param": None, "code": None}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(
        "status", status=code, headers=named, body=json.dumps({"error": {**body, **(error or {})}})
    )


def test_it_makes_a_picture_from_words(server: LoopbackServer) -> None:
    request = wide()
    made = make(server, request)
    verify_picture(made, request)
    (call,) = server.calls("openai.images")
    assert isinstance(call.json, dict)
    assert call.json == {
        "model": MODEL,
        "prompt": request.prompt.positive,
        "size": "1280x720",
        "quality": "medium",
        "background": "opaque",
        "output_format": "png",
        "n": 1,
    }
    assert (made.provider, made.model, made.seed) == ("openai", MODEL, None)
    assert (made.width, made.height, made.media_type) == (1280, 720, "image/png")
    assert not made.reproducible
    assert any("no seed" in note for note in made.notes)


@pytest.mark.parametrize("with_source", [True, False])
def test_its_cost_is_the_bill_to_the_cent_and_within_what_was_expected(
    server: LoopbackServer, with_source: bool
) -> None:
    request = wide(with_source=with_source)
    made = make(server, request)
    charge = server.bill[-1]
    assert made.cost_usd is not None
    assert round(made.cost_usd * 1e9) == charge.cost_nanousd
    assert made.remote_id == charge.remote_id
    expected = provider_at(server.openai_url).expected_cost_usd(request)
    assert expected is not None
    assert made.cost_usd <= expected


def test_the_source_image_is_sent_as_a_file_when_the_request_has_it(
    server: LoopbackServer,
) -> None:
    request = wide(with_source=True)
    make(server, request)
    assert server.calls("openai.images") == []
    (call,) = server.calls("openai.edits")
    head = b"image; filename=source.png\n"
    png = call.body[call.body.index(head) + len(head) :]
    with Image.open(BytesIO(png)) as sent:
        assert sent.size == (640, 360)
    assert b"size\n1280x720" in call.body


@pytest.mark.parametrize(("edit", "with_source"), [(False, True), (True, False)])
def test_the_source_image_stays_at_home_otherwise(
    server: LoopbackServer, edit: bool, with_source: bool
) -> None:
    made = make(server, wide(with_source=with_source), edit=edit)
    assert any("text alone" in note for note in made.notes) == with_source
    assert server.calls("openai.edits") == []
    assert len(server.calls("openai.images")) == 1


def test_the_nearest_size_is_asked_for_and_told(server: LoopbackServer) -> None:
    request = wide(width=320, height=180)
    made = make(server, request)
    verify_picture(made, request)
    assert made.asked_size == (made.width, made.height) == (1088, 608)
    assert any("1088x608" in note for note in made.notes)


def test_negatives_become_part_of_the_text(server: LoopbackServer) -> None:
    prompt = wide().prompt.model_copy(update={"negative": "crowds, text"})
    made = make(server, wide(prompt=prompt))
    (call,) = server.calls("openai.images")
    assert isinstance(call.json, dict)
    assert call.json["prompt"] == f"{prompt.positive} Avoid: crowds, text."
    assert any("negative" in note for note in made.notes)


def test_negatives_that_make_the_text_too_long_are_left_out(server: LoopbackServer) -> None:
    prompt = wide().prompt.model_copy(update={"negative": "x" * 32_000})
    made = make(server, wide(prompt=prompt))
    (call,) = server.calls("openai.images")
    assert isinstance(call.json, dict)
    assert call.json["prompt"] == prompt.positive
    assert any("left out" in note for note in made.notes)


@pytest.mark.parametrize(
    ("fault", "kind", "billed"),
    [
        ("rate_limited", "rate_limited", 0.0),
        (Fault("rate_limited", code="slow_down"), "rate_limited", 0.0),
        ("quota", "quota", 0.0),
        (Fault("quota", code="project_spend_limit_exceeded"), "quota", 0.0),
        (status(429, {"code": "insufficient_quota"}), "quota", 0.0),
        (status(400, {"code": "billing_hard_limit_reached"}), "quota", 0.0),
        (status(400), "invalid_request", 0.0),
        (status(401, {"code": "invalid_api_key"}), "not_configured", 0.0),
        (status(402), "quota", 0.0),
        (status(403), "not_configured", 0.0),
        (status(404), "invalid_request", 0.0),
        (status(408), "transient", 0.0),
        (status(409), "transient", 0.0),
        (status(413), "invalid_request", 0.0),
        (status(422), "invalid_request", 0.0),
        (status(500), "transient", 0.0),
        (status(502), "transient", None),
        (status(503), "transient", 0.0),
        (status(504), "transient", None),
        (status(529), "transient", 0.0),
        (status(307, location="https://elsewhere.example/"), "transient", 0.0),
        ("html_error", "transient", 0.0),
        ("html", "bad_output", None),
        ("empty_json", "bad_output", None),
        ("null", "bad_output", None),
        ("not_json", "bad_output", None),
        ("drop_before", "ambiguous", None),
        ("drop_after", "ambiguous", None),
        ("truncated", "ambiguous", None),
    ],
    ids=str,
)
def test_a_failure_is_told_from_status_and_code(
    server: LoopbackServer, fault: Fault | str, kind: str, billed: float | None
) -> None:
    error = failure(server, fault)
    assert (error.kind, error.billed_usd) == (kind, billed)


def test_the_same_words_mean_nothing(server: LoopbackServer) -> None:
    error = failure(server, status(503, {"message": "You exceeded your current quota"}))
    assert error.kind == "transient"
    assert "quota" not in str(error)


@pytest.mark.parametrize("code", ["moderation_blocked", "content_policy_violation"])
def test_a_refusal_of_the_finished_picture_may_be_billed(server: LoopbackServer, code: str) -> None:
    error = failure(server, Fault("refused", code=code))
    assert (error.kind, error.billed_usd) == ("refused_content", None)


@pytest.mark.parametrize("details", [{"moderation_details": {"moderation_stage": "input"}}, {}])
def test_a_refusal_of_the_text_costs_nothing(
    server: LoopbackServer, details: dict[str, Any]
) -> None:
    error = failure(server, status(400, {"code": "moderation_blocked", **details}))
    assert (error.kind, error.billed_usd) == ("refused_content", 0.0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after": "121"}, 121.0),
        ({}, None),
    ],
)
def test_the_server_says_how_long_to_wait(
    server: LoopbackServer, headers: dict[str, str], seconds: float | None
) -> None:
    fault = status(429, {"code": "rate_limit_exceeded"}, **headers)
    assert failure(server, fault).retry_after_s == seconds


def test_a_date_says_how_long_to_wait(server: LoopbackServer) -> None:
    error = failure(server, status(503, retry_after=formatdate(time.time() + 90, usegmt=True)))
    assert 30 < error.retry_after_s <= 90


@pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
def test_no_answer_in_time_is_ambiguous(server: LoopbackServer, fault: str) -> None:
    error = failure(server, fault, timeout_s=0.4)
    assert (error.kind, error.billed_usd) == ("ambiguous", None)


def test_a_server_that_is_not_there_costs_nothing(server: LoopbackServer) -> None:
    server.down("openai", "refused")
    try:
        with pytest.raises(ProviderError) as caught:
            make(server)
    finally:
        server.up("openai")
    assert (caught.value.kind, caught.value.billed_usd) == ("transient", 0.0)


@pytest.mark.parametrize("fault", ["empty", "not_an_image"])
def test_an_answer_without_a_usable_picture_is_billed_as_it_says(
    server: LoopbackServer, fault: str
) -> None:
    error = failure(server, fault)
    assert error.kind == "bad_output"
    assert round(error.billed_usd * 1e9) == server.bill[-1].cost_nanousd


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "plenty",
        {"input_tokens": 5, "output_tokens": 196},
        {"input_tokens": -5, "output_tokens": 196, "input_tokens_details": {"image_tokens": 0}},
        {"input_tokens": 10**30, "output_tokens": 1, "input_tokens_details": {"image_tokens": 0}},
        {"input_tokens": True, "output_tokens": 1.5, "input_tokens_details": []},
    ],
    ids=str,
)
def test_a_cost_that_is_not_told_is_not_known(server: LoopbackServer, usage: object) -> None:
    file = base64.b64encode(picture(1280, 720, "untold")).decode()
    body = {"data": [{"b64_json": file}], "usage": usage}
    server.script("openai.images", Fault("status", status=200, body=json.dumps(body)))
    assert make(server).cost_usd is None


@pytest.mark.parametrize(
    "body",
    [
        {"data": None},
        {"data": "x"},
        {"data": [None]},
        {"data": [{"url": "https://elsewhere.example/x.png"}]},
        {"data": [{"b64_json": 7}]},
        {"data": [{"b64_json": "not base64!"}]},
        [],
        "text",
    ],
    ids=str,
)
def test_an_answer_of_another_shape_is_no_picture(server: LoopbackServer, body: object) -> None:
    error = failure(server, Fault("status", status=200, body=json.dumps(body)))
    assert (error.kind, error.billed_usd) == ("bad_output", None)


def test_the_type_is_told_from_the_bytes(server: LoopbackServer) -> None:
    server.script("openai.images", "mislabelled")
    assert make(server).media_type == "image/jpeg"


@pytest.mark.parametrize("fault", ["blank", "wrong_size", "bomb"])
def test_a_picture_that_is_wrong_is_not_believed(server: LoopbackServer, fault: str) -> None:
    server.script("openai.images", fault)
    request = wide()
    made = make(server, request)
    with pytest.raises(ProviderError) as caught:
        verify_picture(made, request)
    assert caught.value.kind == "bad_output"


def test_an_answer_without_end_is_not_read_to_its_end(server: LoopbackServer) -> None:
    error = failure(server, "huge")
    assert (error.kind, error.billed_usd) == ("bad_output", None)
    assert "longer than" in str(error)


def test_a_wrong_key_is_told_without_repeating_it(server: LoopbackServer) -> None:
    with pytest.raises(ProviderError) as caught:
        make(server, key="sk-wrong-key-12345")
    assert caught.value.kind == "not_configured"
    assert "wrong" not in str(caught.value)


def test_a_model_that_is_gone_names_its_successor(server: LoopbackServer) -> None:
    with pytest.raises(ProviderError, match=r"'gpt-image-2\.5-flare'") as caught:
        make(server, model="gpt-image-1")
    assert caught.value.kind == "invalid_request"


def test_a_code_that_is_no_code_is_not_shown(server: LoopbackServer) -> None:
    error = failure(server, status(400, {"code": f"see {KEY}"}))
    assert str(error) == "openai does not accept the request (status 400)."


@pytest.mark.parametrize("key", ["", "  ", "sk-ä", "sk-a\nb", "sk a"])
def test_a_key_that_cannot_be_one_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        provider_at("https://api.openai.com/v1", key=key)
    assert not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize("url", ["http://api.example/v1", "ftp://api.example", "api.openai.com"])
def test_no_key_travels_unencrypted(url: str) -> None:
    with pytest.raises(NotConfigured, match="https"):
        provider_at(url)


def test_the_key_is_nowhere_to_be_seen(
    server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = make(server, wide())
    provider = provider_at(server.openai_url)
    assert KEY not in f"{caplog.text} {made!r} {provider!r} {vars(provider)['_model']}"
    assert server.leaks == []


def test_one_client_serves_many_and_a_cancelled_call_stays_cancelled(
    server: LoopbackServer,
) -> None:
    server.script("openai.images", None, "hang_before")

    async def run() -> None:
        provider: PictureProvider = provider_at(server.openai_url)
        await provider.make(wide(), Call(timeout_s=20))
        hanging = asyncio.ensure_future(provider.make(wide(), Call(timeout_s=20)))
        while len(server.calls("openai.images")) < 2:  # noqa: ASYNC110 - it is in another thread
            await asyncio.sleep(0.01)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        await provider.make(replace(wide(), seed=4), Call(timeout_s=20))
        await provider.close()

    asyncio.run(run())
    assert len(server.calls("openai.images")) == 3
