from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from animatize_assets.errors import NotConfigured, ProviderError
from animatize_assets.generation.catalogue import load_catalogue, nearest_size
from animatize_assets.generation.flux import FluxPictures
from animatize_assets.generation.models import Call, MadePicture, PictureRequest
from animatize_assets.generation.verification import verify_picture
from animatize_assets_tests.generation.quick_time import QuickTime
from animatize_assets_tests.generation.requests import picture_request
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.loopback.world import KEYS, Delay

T = TypeVar("T")
MODELS = load_catalogue().models
SIZED = "flux-2-pro"
BY_ASPECT = "flux-kontext-pro"
PRICE = 0.03
"""Of SIZED, up to one megapixel."""


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@pytest.fixture
def slow() -> Iterator[LoopbackServer]:
    with loopback_server(delays={"flux": Delay(0.6)}) as running:
        yield running


class Notes:
    """What was noted for the ledger, in order."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, dict[str, str]]] = []

    def __call__(self, remote_id: str, resume: Mapping[str, str]) -> None:
        self.noted.append((remote_id, dict(resume)))


def wide(**changes: Any) -> PictureRequest:
    return picture_request(**{"width": 640, "height": 368, **changes})


def talk(
    server: LoopbackServer,
    work: Callable[[FluxPictures], Awaitable[T]],
    *,
    model: str = SIZED,
    key: str = KEYS["flux"],
    base_url: str | None = None,
    time: QuickTime | None = None,
    **options: Any,
) -> T:
    """Let ``work`` use a provider, in an event loop of its own."""
    quick = time or QuickTime()
    options = {"clock": quick.clock, "sleep": quick.sleep, **options}

    async def run() -> T:
        provider = FluxPictures(
            SecretStr(key), base_url or server.flux_url, MODELS[f"flux/{model}"], **options
        )
        try:
            return await work(provider)
        finally:
            await provider.close()

    return asyncio.run(run())


def make(
    server: LoopbackServer,
    *,
    request: PictureRequest | None = None,
    call: Call | None = None,
    **options: Any,
) -> MadePicture:
    asked, limits = request or wide(), call or Call(timeout_s=120.0)
    return talk(server, lambda provider: provider.make(asked, limits), **options)


def failure(server: LoopbackServer, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        make(server, **options)
    assert KEYS["flux"] not in str(caught.value)
    assert "sig=" not in str(caught.value)
    return caught.value


def bodies(server: LoopbackServer) -> list[dict[str, Any]]:
    return [call.json for call in server.calls("flux.submit") if isinstance(call.json, dict)]


def test_it_submits_polls_and_fetches(server: LoopbackServer) -> None:
    request, notes = wide(seed=42), Notes()
    made = make(server, request=request, call=Call(timeout_s=60.0, note_remote=notes))
    verify_picture(made, request)
    assert (made.provider, made.model, made.seed) == ("flux", SIZED, 42)
    assert (made.width, made.height, made.media_type) == (640, 368, "image/png")
    assert made.cost_usd == pytest.approx(PRICE)
    assert [name for name, _ in notes.noted] == [made.remote_id]
    assert len(server.bill) == 1
    (body,) = bodies(server)
    assert body["prompt"] == request.prompt.positive
    assert "input_image" in body


def test_the_key_goes_to_the_api_and_nowhere_else(
    server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    notes = Notes()
    made = make(server, call=Call(timeout_s=60.0, note_remote=notes))
    assert server.leaks == []
    assert all("x-key" not in call.headers for call in server.calls("flux.delivery"))
    for text in (caplog.text, repr(made), repr(notes.noted)):
        assert KEYS["flux"] not in text
        assert "sig=" not in text
    provider = FluxPictures(SecretStr(KEYS["flux"]), None, MODELS[f"flux/{SIZED}"])
    assert KEYS["flux"] not in repr(provider)


def test_a_size_that_it_does_not_make_becomes_the_nearest_one(server: LoopbackServer) -> None:
    request = wide(width=641, height=363)
    made = make(server, request=request)
    verify_picture(made, request)
    nearest = nearest_size(MODELS[f"flux/{SIZED}"], 641, 363)
    assert made.asked_size == (made.width, made.height) == nearest
    assert any(f"{nearest[0]}x{nearest[1]}" in note for note in made.notes)


def test_a_model_that_takes_a_ratio_is_asked_for_the_nearest(server: LoopbackServer) -> None:
    request = wide(width=640, height=360)
    made = make(server, request=request, model=BY_ASPECT)
    verify_picture(made, request)
    (body,) = bodies(server)
    assert body["aspect_ratio"] == "16:9"
    assert "width" not in body
    assert made.aspect_only


def test_text_alone_when_the_source_is_not_wanted(server: LoopbackServer) -> None:
    make(server, request=wide(with_source=False))
    assert "input_image" not in bodies(server)[0]


def test_what_the_model_does_not_take_is_said(server: LoopbackServer) -> None:
    request = wide()
    request = replace(request, prompt=request.prompt.model_copy(update={"negative": "blur"}))
    assert any("negative" in note for note in make(server, request=request).notes)
    assert bodies(server)[0]["prompt"].endswith("Avoid: blur.")


def test_what_it_noted_is_enough_to_fetch_it_in_another_process(server: LoopbackServer) -> None:
    notes = Notes()
    first = make(server, call=Call(timeout_s=60.0, note_remote=notes))
    resume = notes.noted[0][1]
    again = make(server, call=Call(timeout_s=60.0, resume=resume))
    assert (again.content, again.cost_usd) == (first.content, first.cost_usd)
    assert again.remote_id == first.remote_id
    assert len(server.bill) == 1


def test_reconciliation_fetches_it_without_the_request(server: LoopbackServer) -> None:
    notes, request = Notes(), wide(width=640, height=360)
    limits = Call(timeout_s=60.0, note_remote=notes)
    first = make(server, request=request, call=limits, model=BY_ASPECT)
    again = talk(server, lambda provider: provider.fetch(notes.noted[0][1]))
    verify_picture(again, request)
    assert again == first


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault("server_error"), "ambiguous"), (Fault("status", status=404), "bad_output")],
)
def test_reconciliation_is_told_what_cannot_be_fetched(
    server: LoopbackServer, fault: Fault, kind: str
) -> None:
    notes = Notes()
    make(server, call=Call(timeout_s=60.0, note_remote=notes))
    server.script("flux.poll", *[fault] * 100)
    with pytest.raises(ProviderError) as caught:
        talk(server, lambda provider: provider.fetch(notes.noted[0][1]))
    assert caught.value.kind == kind


def test_what_another_version_noted_is_left_to_a_person(server: LoopbackServer) -> None:
    with pytest.raises(ProviderError) as caught:
        talk(server, lambda provider: provider.fetch({"polling_url": "x"}))
    assert (caught.value.kind, caught.value.billed_usd) == ("ambiguous", None)


@pytest.mark.parametrize("fault", ["drop_after", "truncated", "hang_after"])
def test_a_lost_submission_is_possible_spend(fault: str) -> None:
    with loopback_server(hang_s=0.2) as server:
        server.script("flux.submit", fault)
        error = failure(server)
        assert (error.kind, error.billed_usd, error.remote_id) == ("ambiguous", None, None)
        assert len(server.bill) == 1
        assert len(server.calls("flux.submit")) == 1


@pytest.mark.parametrize("fault", ["html", "empty_json", "not_json", "null"])
def test_an_answer_that_says_nothing_is_possible_spend(server: LoopbackServer, fault: str) -> None:
    server.script("flux.submit", fault)
    assert failure(server).billed_usd is None


def test_a_submission_that_never_left_is_a_disturbance(server: LoopbackServer) -> None:
    server.down("flux", "refused")
    error = failure(server)
    assert (error.kind, error.billed_usd) == ("transient", 0.0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request"),
        (402, "quota"),
        (403, "not_configured"),
        (404, "invalid_request"),
        (422, "invalid_request"),
        (429, "rate_limited"),
        (500, "transient"),
        (503, "transient"),
        (504, "ambiguous"),
    ],
)
def test_every_status_of_a_submission_has_its_kind(
    server: LoopbackServer, status: int, kind: str
) -> None:
    headers = {"retry-after": "7"} if status == 429 else {}
    server.script("flux.submit", Fault("status", status=status, headers=headers))
    error = failure(server)
    assert error.kind == kind
    assert error.retry_after_s == (7.0 if status == 429 else None)
    assert len(server.calls("flux.submit")) == 1


def test_a_wrong_key_is_not_configured(server: LoopbackServer) -> None:
    with pytest.raises(ProviderError) as caught:
        make(server, key="wr0ng-key")
    assert caught.value.kind == "not_configured"
    assert "wr0ng-key" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "ключ"])
def test_a_key_that_is_none_is_refused_without_being_shown(
    server: LoopbackServer, key: str
) -> None:
    with pytest.raises(NotConfigured) as caught:
        make(server, key=key)
    assert key.strip() == "" or key not in str(caught.value)


def test_a_refused_field_is_named(server: LoopbackServer) -> None:
    body = '{"detail":[{"loc":["body","width"],"msg":"Input should be a multiple of 32"}]}'
    server.script("flux.submit", Fault("status", status=422, body=body))
    assert "body.width: Input should be a multiple of 32" in failure(server).message


@pytest.mark.parametrize("status", ["Request Moderated", "Content Moderated"])
def test_refused_content_is_told_and_not_charged(server: LoopbackServer, status: str) -> None:
    server.script("flux.submit", Fault("refused", code=status))
    error = failure(server)
    assert (error.kind, error.billed_usd) == ("refused_content", 0.0)
    assert len(server.calls("flux.poll")) == 1


def test_a_failed_task_counts_as_paid(server: LoopbackServer) -> None:
    server.script("flux.submit", "task_error")
    error = failure(server)
    assert error.kind == "bad_output"
    assert error.billed_usd == pytest.approx(PRICE)


@pytest.mark.parametrize("answer", [None, Fault("status", status=404)])
def test_a_task_that_nobody_knows_is_given_up(server: LoopbackServer, answer: Fault | None) -> None:
    if answer is None:
        server.script("flux.submit", "task_lost")
    else:
        server.script("flux.poll", *[answer] * 10)
    error = failure(server)
    assert (error.kind, len(server.calls("flux.poll"))) == ("bad_output", 3)
    assert error.billed_usd == pytest.approx(PRICE)


def test_a_task_may_become_known_late(server: LoopbackServer) -> None:
    server.script("flux.poll", Fault("status", status=404))
    assert make(server).width == 640


def test_a_status_of_the_future_is_waited_out(server: LoopbackServer) -> None:
    server.script("flux.submit", "unknown_status")
    assert make(server).width == 640


def test_disturbed_polls_and_fetches_are_borne(server: LoopbackServer) -> None:
    faults = ["server_error", "drop_before", "html", "rate_limited", "truncated"]
    server.script("flux.poll", *faults)
    server.script("flux.delivery", "server_error", "truncated")
    assert make(server).width == 640
    assert len(server.bill) == 1


def test_an_expired_address_is_asked_for_again(server: LoopbackServer) -> None:
    server.script("flux.submit", "expired")
    assert make(server).width == 640
    assert len(server.calls("flux.submit")) == 1


def test_a_picture_that_is_gone_is_not_waited_for(server: LoopbackServer) -> None:
    server.script("flux.delivery", *[Fault("status", status=403)] * 10)
    error = failure(server)
    assert error.kind == "bad_output"
    assert error.billed_usd == pytest.approx(PRICE)
    assert len(server.calls("flux.delivery")) == 2


@pytest.mark.parametrize("fault", ["not_an_image", "blank", "wrong_size", "huge", "bomb"])
def test_no_unusable_picture_is_believed(server: LoopbackServer, fault: str) -> None:
    server.script("flux.submit", fault)
    request = wide()
    with pytest.raises(ProviderError) as caught:
        verify_picture(make(server, request=request), request)
    assert caught.value.kind == "bad_output"


def test_the_type_is_told_from_the_bytes(server: LoopbackServer) -> None:
    server.script("flux.submit", "mislabelled")
    assert make(server).media_type == "image/jpeg"


def test_out_of_time_it_stays_open_and_can_be_fetched(slow: LoopbackServer) -> None:
    notes = Notes()
    error = failure(slow, call=Call(timeout_s=1.0, note_remote=notes))
    assert (error.kind, error.billed_usd) == ("ambiguous", None)
    assert error.remote_id == notes.noted[0][0]
    resume = notes.noted[0][1]
    assert make(slow, call=Call(timeout_s=600.0, resume=resume)).width == 640
    assert len(slow.bill) == 1


def test_a_silent_service_is_left_alone_before_the_time_is_up(slow: LoopbackServer) -> None:
    slow.script("flux.poll", *["server_error"] * 100)
    time = QuickTime()
    assert failure(slow, call=Call(timeout_s=3600.0), time=time).kind == "ambiguous"
    assert 30.0 <= time.now_s < 60.0


def test_polling_grows_slower_and_obeys_the_server(slow: LoopbackServer) -> None:
    time = QuickTime()
    slow.script("flux.poll", Fault("rate_limited", headers={"retry-after": "9"}))
    make(slow, call=Call(timeout_s=3600.0), time=time)
    assert time.waits_s[0] == 9.0
    later = time.waits_s[1:]
    assert later == sorted(later)
    assert max(later) <= 2.0


@pytest.mark.parametrize("route", ["flux.submit", "flux.poll"])
def test_the_key_does_not_follow_a_redirect(server: LoopbackServer, route: str) -> None:
    away = {"Location": f"{server.world.urls['openai']}/v1/models"}
    server.script(route, Fault("status", status=302, headers=away))
    if route == "flux.submit":
        assert failure(server).kind == "transient"
    else:
        assert make(server).width == 640
    assert server.leaks == []
    assert server.calls("openai.models") == []


ELSEWHERE = "https://api.bfl.ai.attacker.example/v1/get_result?id=1"


@pytest.mark.parametrize(
    "address",
    [
        ELSEWHERE,
        "http://api.bfl.ai/v1/get_result?id=1",
        "https://bfl.ai.evil.example/",
        "https://api.bfl.ai@evil.example/",
        "ftp://api.bfl.ai/1",
        "",
    ],
)
def test_the_key_is_not_sent_to_a_host_that_is_not_allowed(
    server: LoopbackServer, address: str
) -> None:
    notes = Notes()
    make(server, call=Call(timeout_s=60.0, note_remote=notes))
    polled = len(server.calls("flux.poll"))
    resume = {**notes.noted[0][1], "polling_url": address}
    error = failure(server, call=Call(timeout_s=5.0, resume=resume))
    assert (error.kind, error.billed_usd) == ("not_configured", None)
    assert len(server.calls("flux.poll")) == polled


@pytest.mark.parametrize("address", ["http://api.bfl.ai", "http://10.0.0.5:8000", "api.bfl.ai"])
def test_an_address_without_encryption_is_refused(server: LoopbackServer, address: str) -> None:
    with pytest.raises(NotConfigured, match="https"):
        make(server, base_url=address)


@pytest.mark.parametrize("size", [(640, 368), (1024, 1024), (1920, 1088)])
def test_no_picture_costs_more_than_was_expected(
    server: LoopbackServer, size: tuple[int, int]
) -> None:
    request = wide(width=size[0], height=size[1])

    async def expected(provider: FluxPictures) -> float | None:
        return provider.expected_cost_usd(request)

    at_most, made = talk(server, expected), make(server, request=request)
    assert at_most is not None
    assert made.cost_usd is not None
    assert made.cost_usd <= at_most


def test_twenty_at_once_all_arrive(server: LoopbackServer) -> None:
    async def many(provider: FluxPictures) -> list[MadePicture]:
        limits = Call(timeout_s=600.0)
        requests = [wide(seed=seed) for seed in range(20)]
        return await asyncio.gather(*(provider.make(each, limits) for each in requests))

    made = talk(server, many)
    assert sorted(picture.seed or 0 for picture in made) == list(range(20))
    assert len(server.bill) == 20
