from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from animatize_assets.errors import NotConfigured, ProviderError
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.imagen import ImagenPictures
from animatize_assets.generation.models import Call, MadePicture, PictureRequest
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.generation.verification import verify_picture
from animatize_assets_tests.generation.requests import picture_request
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.pictures import picture
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.loopback.world import KEYS

CATALOGUE = load_catalogue()
KEY = KEYS["gemini"]
MODEL = CATALOGUE.default("imagen").model
ROUTE = "gemini.generate"
USAGE = {"promptTokenCount": 1000, "candidatesTokenCount": 0, "totalTokenCount": 1000}
TYPE = "type.googleapis.com/google.rpc"


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


def provider_at(url: str, *, key: str = KEY, model: str = MODEL) -> ImagenPictures:
    return ImagenPictures(SecretStr(key), url, CATALOGUE.models[f"imagen/{model}"])


def make(
    server: LoopbackServer,
    request: PictureRequest | None = None,
    *,
    timeout_s: float = 20.0,
    **options: Any,
) -> MadePicture:
    """One attempt, in an event loop of its own."""

    async def run() -> MadePicture:
        provider = provider_at(server.gemini_url, **options)
        try:
            return await provider.make(request or wide(), Call(timeout_s=timeout_s))
        finally:
            await provider.close()

    return asyncio.run(run())


def failure(server: LoopbackServer, fault: Fault | str | None = None, **options: Any) -> Any:
    """What one attempt that must fail says; exactly one call is made."""
    if fault is not None:
        server.script(ROUTE, fault)
    with pytest.raises(ProviderError) as caught:
        make(server, **options)
    assert KEY not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert len(server.calls(ROUTE)) == 1
    return caught.value


def answer(body: object, status: int = 200) -> Fault:
    return Fault("status", status=status, body=json.dumps(body))


def error(status: int, word: str, *details: dict[str, Any]) -> Fault:
    body = {"code": status, "message": f"Look at {KEY}.", "status": word, "details": list(details)}
    return answer({"error": body}, status)


def body_of(server: LoopbackServer) -> dict[str, Any]:
    (call,) = server.calls(ROUTE)
    assert isinstance(call.json, dict)
    return call.json


def encoded(look: str) -> str:
    return base64.b64encode(picture(64, 36, look, "jpeg")).decode()


def test_it_makes_a_picture_from_words(server: LoopbackServer) -> None:
    request = wide()
    made = make(server, request)
    verify_picture(made, request)
    body = body_of(server)
    assert body["contents"] == [{"role": "user", "parts": [{"text": request.prompt.positive}]}]
    assert body["generationConfig"]["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "1K"}
    assert (made.provider, made.model, made.seed) == ("imagen", MODEL, None)
    assert made.aspect_only
    assert not made.reproducible
    assert made.media_type == "image/jpeg"
    assert any("16:9 in 1K" in note for note in made.notes)


@pytest.mark.parametrize(
    ("width", "height", "ratio", "resolution"),
    [
        (1024, 1024, "1:1", "1K"),
        (1920, 1080, "16:9", "2K"),
        (720, 1280, "9:16", "1K"),
        (5000, 5000, "1:1", "4K"),
        (900, 300, "21:9", "1K"),
    ],
)
def test_the_nearest_ratio_and_the_smallest_class_with_the_pixels_are_asked_for(
    server: LoopbackServer, width: int, height: int, ratio: str, resolution: str
) -> None:
    request = wide(width=width, height=height)
    made = make(server, request)
    verify_picture(made, request)
    asked = body_of(server)["generationConfig"]["imageConfig"]
    assert asked == {"aspectRatio": ratio, "imageSize": resolution}


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
    expected = provider_at(server.gemini_url).expected_cost_usd(request)
    assert expected is not None
    assert made.cost_usd <= expected


def test_the_source_image_is_sent_along_when_the_request_has_it(server: LoopbackServer) -> None:
    make(server, wide(with_source=True))
    _, part = body_of(server)["contents"][0]["parts"]
    assert part["inlineData"]["mimeType"] == "image/jpeg"
    with Image.open(BytesIO(base64.b64decode(part["inlineData"]["data"]))) as sent:
        assert (sent.format, sent.size) == ("JPEG", (640, 360))


def test_negatives_become_part_of_the_text(server: LoopbackServer) -> None:
    prompt = wide().prompt.model_copy(update={"negative": "crowds, text"})
    made = make(server, wide(prompt=prompt))
    (part,) = body_of(server)["contents"][0]["parts"]
    assert part == {"text": f"{prompt.positive} Avoid: crowds, text."}
    assert any("negative" in note for note in made.notes)


@pytest.mark.parametrize(
    "reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"]
)
def test_a_blocked_prompt_is_a_refusal_and_may_be_billed(
    server: LoopbackServer, reason: str
) -> None:
    refusal = failure(server, Fault("refused", code=reason))
    assert refusal.kind == "refused_content"
    assert reason in str(refusal)
    assert round(refusal.billed_usd * 1e9) == server.bill[-1].cost_nanousd


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("IMAGE_PROHIBITED_CONTENT", "refused_content"),
        ("IMAGE_RECITATION", "refused_content"),
        ("LANGUAGE", "refused_content"),
        ("SPII", "refused_content"),
        ("SOMETHING_NEW", "refused_content"),
        ("RECITATION", "bad_output"),
        ("IMAGE_OTHER", "bad_output"),
        ("NO_IMAGE", "bad_output"),
    ],
)
def test_a_candidate_without_a_picture_says_why(
    server: LoopbackServer, reason: str, kind: str
) -> None:
    refusal = failure(server, Fault("refused", code=reason))
    assert refusal.kind == kind
    assert reason in str(refusal)
    assert round(refusal.billed_usd * 1e9) == server.bill[-1].cost_nanousd


def test_words_instead_of_a_picture_are_a_refusal(server: LoopbackServer) -> None:
    refusal = failure(server, "text_only")
    assert refusal.kind == "refused_content"
    assert "words" in str(refusal)
    assert "I would rather" not in str(refusal)


def test_a_good_candidate_counts_though_another_was_refused(server: LoopbackServer) -> None:
    server.script(ROUTE, "two_candidates")
    request = wide()
    verify_picture(make(server, request), request)


def test_a_picture_of_its_thoughts_is_not_the_picture(server: LoopbackServer) -> None:
    parts = [
        {"inlineData": {"mimeType": "image/jpeg", "data": encoded("thought")}, "thought": True},
        {"inlineData": {"mimeType": "image/jpeg", "data": encoded("done")}},
    ]
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
    server.script(ROUTE, answer({"candidates": [candidate]}))
    made = make(server)
    assert made.content == base64.b64decode(encoded("done"))
    assert made.cost_usd is None  # nothing was told of its usage


@pytest.mark.parametrize(
    ("fault", "kind", "billed"),
    [
        ("rate_limited", "rate_limited", 0.0),
        (Fault("rate_limited", code="listed"), "rate_limited", 0.0),
        ("quota", "quota", 0.0),
        (error(429, "RESOURCE_EXHAUSTED"), "rate_limited", 0.0),
        (
            error(
                429,
                "RESOURCE_EXHAUSTED",
                {"@type": f"{TYPE}.RetryInfo", "retryDelay": "37s"},
                {"@type": f"{TYPE}.QuotaFailure", "violations": [{"quotaId": "RequestsPerDay"}]},
            ),
            "quota",
            0.0,
        ),
        (
            error(
                429,
                "RESOURCE_EXHAUSTED",
                {"@type": f"{TYPE}.QuotaFailure", "violations": [{"quotaId": "PerMinute"}]},
                {"@type": f"{TYPE}.RetryInfo", "retryDelay": "37s"},
            ),
            "rate_limited",
            0.0,
        ),
        (error(400, "INVALID_ARGUMENT"), "invalid_request", 0.0),
        (error(400, "FAILED_PRECONDITION"), "not_configured", 0.0),
        (error(400, "INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"}), "not_configured", 0.0),
        (error(403, "PERMISSION_DENIED"), "not_configured", 0.0),
        (error(404, "NOT_FOUND"), "invalid_request", 0.0),
        (error(500, "INTERNAL"), "transient", 0.0),
        (error(503, "UNAVAILABLE"), "transient", 0.0),
        (error(504, "DEADLINE_EXCEEDED"), "transient", None),
        (Fault("server_error", code="listed"), "transient", 0.0),
        (
            answer({"error": {"code": "invalid_request", "message": "x"}}, 400),
            "invalid_request",
            0.0,
        ),
        ("html_error", "transient", 0.0),
        ("html", "bad_output", None),
        ("empty_json", "bad_output", None),
        ("empty", "bad_output", None),
        ("null", "bad_output", None),
        ("not_json", "bad_output", None),
        (answer([]), "bad_output", None),
        (answer({}, 201), "bad_output", None),
        (answer({"candidates": [{"content": None}, 7], "usageMetadata": "x"}), "bad_output", None),
        ("drop_before", "ambiguous", None),
        ("drop_after", "ambiguous", None),
        ("truncated", "ambiguous", None),
    ],
    ids=str,
)
def test_a_failure_is_told_from_status_and_reason(
    server: LoopbackServer, fault: Fault | str, kind: str, billed: float | None
) -> None:
    told = failure(server, fault)
    assert (told.kind, told.billed_usd) == (kind, billed)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("37s", 37.0), ("0.5s", 0.5), ("37", None), ("soon", None), (37, None)],
)
def test_the_body_says_how_long_to_wait(
    server: LoopbackServer, delay: object, seconds: float | None
) -> None:
    details = {"@type": f"{TYPE}.RetryInfo", "retryDelay": delay}
    assert failure(server, error(429, "RESOURCE_EXHAUSTED", details)).retry_after_s == seconds


def test_a_header_says_how_long_to_wait_where_the_body_does_not(server: LoopbackServer) -> None:
    assert failure(server, Fault("status", 503, headers={"retry-after": "4"})).retry_after_s == 4


def test_a_bad_key_comes_as_400_and_is_not_repeated(server: LoopbackServer) -> None:
    told = failure(server, key="AIzaWrong")
    assert told.kind == "not_configured"
    assert "AIza" not in str(told)


@pytest.mark.parametrize("model", ["gemini-3.1-flash-image", "imagen-4.0-generate-001"])
def test_a_model_that_is_gone_names_its_successor(server: LoopbackServer, model: str) -> None:
    told = failure(server, model=model)
    assert told.kind == "invalid_request"
    assert f"'{MODEL}'" in str(told)


@pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
def test_no_answer_in_time_is_ambiguous(server: LoopbackServer, fault: str) -> None:
    told = failure(server, fault, timeout_s=0.4)
    assert (told.kind, told.billed_usd) == ("ambiguous", None)


def test_a_server_that_is_not_there_costs_nothing(server: LoopbackServer) -> None:
    server.down("gemini", "refused")
    try:
        with pytest.raises(ProviderError) as caught:
            make(server)
    finally:
        server.up("gemini")
    assert (caught.value.kind, caught.value.billed_usd) == ("transient", 0.0)


def test_bytes_that_are_no_picture_are_billed_and_not_believed(server: LoopbackServer) -> None:
    told = failure(server, "not_an_image")
    assert told.kind == "bad_output"
    assert round(told.billed_usd * 1e9) == server.bill[-1].cost_nanousd


def test_the_type_is_told_from_the_bytes(server: LoopbackServer) -> None:
    server.script(ROUTE, "mislabelled")
    assert make(server).media_type == "image/png"


@pytest.mark.parametrize("fault", ["blank", "bomb"])
def test_a_picture_that_is_wrong_is_not_believed(server: LoopbackServer, fault: str) -> None:
    server.script(ROUTE, fault)
    request = wide()
    made = make(server, request)
    with pytest.raises(ProviderError) as caught:
        verify_picture(made, request)
    assert caught.value.kind == "bad_output"


def test_a_model_that_is_not_asked_by_aspect_ratio_is_not_one_of_these() -> None:
    with pytest.raises(NotConfigured, match="aspect"):
        ImagenPictures(SecretStr(KEY), None, CATALOGUE.models["flux/flux-2-pro"])


@pytest.mark.parametrize("key", ["", "AIza\nb"])
def test_a_key_that_cannot_be_one_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        provider_at("https://generativelanguage.googleapis.com", key=key)
    assert not key or key not in str(caught.value)


def test_no_key_travels_unencrypted() -> None:
    with pytest.raises(NotConfigured, match="https"):
        provider_at("http://gemini.example")


def test_the_key_is_in_one_header_and_nowhere_else(
    server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = make(server)
    (call,) = server.calls(ROUTE)
    assert [name for name, value in call.headers.items() if KEY in value] == ["x-goog-api-key"]
    assert KEY not in call.address
    assert KEY not in f"{caplog.text} {made!r} {provider_at(server.gemini_url)!r}"
    assert server.leaks == []


def test_a_redirect_is_not_followed(server: LoopbackServer) -> None:
    fault = Fault("status", 307, headers={"Location": f"{server.flux_url}/v1/flux-2-pro"})
    assert failure(server, fault).kind == "transient"
    assert server.calls("flux.submit") == []
    assert server.leaks == []


def test_one_client_serves_many_and_a_cancelled_call_stays_cancelled(
    server: LoopbackServer,
) -> None:
    server.script(ROUTE, None, "hang_before")

    async def run() -> None:
        provider: PictureProvider = provider_at(server.gemini_url)
        await provider.make(wide(), Call(timeout_s=20))
        hanging = asyncio.ensure_future(provider.make(wide(), Call(timeout_s=20)))
        while len(server.calls(ROUTE)) < 2:  # noqa: ASYNC110 - it is in another thread
            await asyncio.sleep(0.01)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        await provider.make(wide(), Call(timeout_s=20))
        await provider.close()

    asyncio.run(run())
    assert len(server.calls(ROUTE)) == 3
