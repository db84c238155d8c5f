from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from animatize_assets.errors import ProviderError
from animatize_assets.generation.comfyui import ComfyUIPictures
from animatize_assets.generation.comfyui_events import Progress
from animatize_assets.generation.comfyui_server import ComfyUIServer
from animatize_assets.generation.comfyui_workflow import Workflow
from animatize_assets.generation.models import Call, MadePicture, PictureRequest
from animatize_assets.generation.polling import Patience
from animatize_assets.generation.remembered import Remembered
from animatize_assets.generation.source_image import encoded_source
from animatize_assets.generation.verification import verify_picture
from animatize_assets_tests.generation.quick_time import QuickTime
from animatize_assets_tests.generation.requests import picture_request
from animatize_assets_tests.generation.workflows import sampling, scaling
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.loopback.world import Delay
from animatize_assets_tests.rendering.scenes import textured

T = TypeVar("T")
REAL_TIME: dict[str, Any] = {"clock": time.monotonic, "sleep": asyncio.sleep}
OUT_OF_MEMORY = Fault("execution_error", code="torch.OutOfMemoryError")


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@pytest.fixture
def slow() -> Iterator[LoopbackServer]:
    with loopback_server(delays={"comfyui": Delay(1.0)}) as running:
        yield running


class Notes:
    """What was noted for the ledger, in order."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, Mapping[str, str]]] = []

    def __call__(self, remote_id: str, resume: Mapping[str, str]) -> None:
        self.noted.append((remote_id, resume))


def talk(
    server: LoopbackServer,
    work: Callable[[ComfyUIPictures], Awaitable[T]],
    workflow: dict[str, Any] | None = None,
    **options: Any,
) -> T:
    """Let ``work`` use a provider, in an event loop of its own."""
    quick = QuickTime()
    options = {"clock": quick.clock, "sleep": quick.sleep, **options}

    async def run() -> T:
        provider = ComfyUIPictures(
            server.comfyui_url, Workflow.load(workflow or scaling(), name="test"), **options
        )
        try:
            return await work(provider)
        finally:
            await provider.close()

    return asyncio.run(run())


def make(
    server: LoopbackServer,
    workflow: dict[str, Any] | None = None,
    *,
    request: PictureRequest | None = None,
    call: Call | None = None,
    **options: Any,
) -> MadePicture:
    asked = request or picture_request()
    limits = call or Call(timeout_s=60.0)
    return talk(server, lambda provider: provider.make(asked, limits), workflow, **options)


def failure(
    server: LoopbackServer, workflow: dict[str, Any] | None = None, **options: Any
) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        make(server, workflow, **options)
    return caught.value


def submit(server: LoopbackServer, name: str) -> None:
    """Let a prompt of somebody else, or of a killed process, be at the server."""
    values = {"image": "theirs.png", "width": 64, "height": 32}
    server.comfyui.uploads["theirs.png"] = b"theirs"
    graph = Workflow.load(scaling()).filled(values, file_mark="theirs")

    async def run() -> None:
        client = ComfyUIServer(server.comfyui_url)
        await client.submit(graph, name, Patience(30.0))
        await client.close()

    asyncio.run(run())


def noted(name: str) -> dict[str, str]:
    """What a process that was killed had noted."""
    asked = Remembered(provider="comfyui", model="test-1", seed=None, asked_size=(320, 180))
    return asked.noted(prompt_id=name)


def eventually_idle(server: LoopbackServer) -> None:
    """Wait until nothing is queued or running any more."""
    for _ in range(1000):
        if server.comfyui.queue.remaining() == 0:
            return
        time.sleep(0.01)
    raise AssertionError("The server still works.")


def submitted(server: LoopbackServer) -> list[dict[str, Any]]:
    return [call.json for call in server.calls("comfyui.prompt") if isinstance(call.json, dict)]


def test_a_workflow_without_a_model_makes_the_asked_picture(server: LoopbackServer) -> None:
    request, notes = picture_request(), Notes()
    made = make(server, request=request, call=Call(timeout_s=60.0, note_remote=notes))
    verify_picture(made, request)
    assert (made.width, made.height, made.media_type) == (320, 180, "image/png")
    assert (made.provider, made.cost_usd, made.seed) == ("comfyui", 0.0, None)
    assert made.model.startswith("test-")
    (prompt,) = submitted(server)
    ((remote_id, resume),) = notes.noted
    assert remote_id == resume["prompt_id"] == prompt["prompt_id"]
    assert str(uuid.UUID(prompt["prompt_id"])) == prompt["prompt_id"] == made.remote_id


def test_every_slot_reaches_the_server(server: LoopbackServer) -> None:
    request = picture_request(width=321, height=181, seed=99)
    made = make(server, sampling(), request=request)
    verify_picture(made, request)
    (prompt,) = submitted(server)
    graph = prompt["prompt"]
    assert graph["2"]["inputs"]["text"] == "the camera trucks left, film grain"
    assert graph["5"]["inputs"]["seed"] == 99
    assert (made.seed, made.asked_size) == (99, (320, 176))
    assert any("320x176" in note for note in made.notes)


def test_the_source_is_uploaded_under_the_name_of_its_content(server: LoopbackServer) -> None:
    make(server)
    make(server, request=picture_request(seed=4))
    names = {prompt["prompt"]["1"]["inputs"]["image"] for prompt in submitted(server)}
    assert len(names) == 1
    assert len(server.comfyui.uploads) == 1


def test_the_same_picture_again_is_another_file(server: LoopbackServer) -> None:
    """The server answers a graph that it has run with the old file; that file may be gone."""
    first = make(server)
    server.comfyui.queue.files.clear()
    again = make(server)
    assert (again.width, again.height) == (first.width, first.height)


def test_the_id_is_noted_before_anything_is_sent(server: LoopbackServer) -> None:
    def look(remote_id: str, resume: Mapping[str, str]) -> None:
        assert not server.calls("comfyui.prompt")
        assert resume["prompt_id"] == remote_id

    make(server, call=Call(timeout_s=60.0, note_remote=look))


def test_a_killed_process_finds_its_picture_again(server: LoopbackServer) -> None:
    notes = Notes()
    first = make(server, call=Call(timeout_s=60.0, note_remote=notes))
    again = make(server, call=Call(timeout_s=60.0, resume=notes.noted[0][1]))
    assert again == first
    assert len(submitted(server)) == 1


def test_reconciliation_fetches_it_without_the_request(server: LoopbackServer) -> None:
    notes = Notes()
    request = picture_request(width=321, height=181, seed=99)
    limits = Call(timeout_s=60.0, note_remote=notes)
    first = make(server, sampling(), request=request, call=limits)
    resume = notes.noted[0][1]
    again = talk(server, lambda provider: provider.fetch(resume))
    assert again == first
    server.restart("comfyui")
    assert talk(server, lambda provider: provider.fetch(resume)) is None


def test_reconciliation_is_told_what_failed_for_good(server: LoopbackServer) -> None:
    notes = Notes()
    server.script("comfyui.prompt", "execution_error", OUT_OF_MEMORY)
    for outcome in ("invalid_request", "transient"):
        assert failure(server, call=Call(timeout_s=60.0, note_remote=notes)).kind == outcome
    with pytest.raises(ProviderError) as caught:
        talk(server, lambda provider: provider.fetch(notes.noted[0][1]))
    assert caught.value.kind == "invalid_request"
    assert talk(server, lambda provider: provider.fetch(notes.noted[1][1])) is None
    server.down("comfyui", "refused")
    with pytest.raises(ProviderError) as caught:
        talk(server, lambda provider: provider.fetch(notes.noted[0][1]))
    assert (caught.value.kind, caught.value.billed_usd) == ("ambiguous", None)


def test_a_killed_process_waits_for_what_still_runs(slow: LoopbackServer) -> None:
    name = str(uuid.uuid4())
    submit(slow, name)
    made = make(slow, call=Call(timeout_s=60.0, resume=noted(name)), **REAL_TIME)
    assert made.remote_id == name
    assert len(submitted(slow)) == 1


def test_what_a_restarted_server_forgot_is_submitted_under_its_id_again(
    server: LoopbackServer,
) -> None:
    first, notes = make(server), Notes()
    server.restart("comfyui")
    resume = noted(str(first.remote_id))
    again = make(server, call=Call(timeout_s=60.0, note_remote=notes, resume=resume))
    assert again.remote_id == first.remote_id
    assert notes.noted == []


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "truncated", "html", "empty_json"])
def test_a_lost_answer_makes_one_picture(server: LoopbackServer, fault: str) -> None:
    server.script("comfyui.prompt", fault)
    if fault in ("html", "empty_json"):  # an answer, and the server does not have the prompt
        assert failure(server).kind == "transient"
        assert server.bill == []
        return
    made = make(server)
    assert len(server.bill) == 1
    assert {prompt["prompt_id"] for prompt in submitted(server)} == {made.remote_id}


def test_a_server_that_is_not_there_is_a_disturbance(server: LoopbackServer) -> None:
    server.down("comfyui", "refused")
    error = failure(server)
    assert (error.kind, error.billed_usd) == ("transient", 0.0)


def test_a_server_that_goes_away_while_it_works_leaves_the_row_open(slow: LoopbackServer) -> None:
    def stop(progress: Progress) -> None:
        del progress
        asyncio.get_running_loop().run_in_executor(None, slow.down, "comfyui", "unavailable")

    error = failure(slow, on_progress=stop)
    assert (error.kind, error.billed_usd) == ("ambiguous", None)
    slow.up("comfyui")
    resume = noted(str(error.remote_id))
    made = make(slow, call=Call(timeout_s=60.0, resume=resume), **REAL_TIME)
    assert made.remote_id == error.remote_id
    assert len(slow.bill) == 1


def test_losing_the_websocket_does_not_matter(server: LoopbackServer) -> None:
    server.script("comfyui.prompt", "ws_loss")
    assert make(server).width == 320


def test_progress_is_told_and_ends_the_waiting(slow: LoopbackServer) -> None:
    told: list[Progress] = []
    make(slow, on_progress=told.append, **REAL_TIME)
    assert [progress.node for progress in told if not progress.ended] == ["1", "2", "3"]
    assert told[-1].ended


def test_a_forgotten_prompt_is_a_disturbance(server: LoopbackServer) -> None:
    server.script("comfyui.prompt", "lost")
    error = failure(server)
    assert (error.kind, error.billed_usd) == ("transient", 0.0)
    assert "restarted" in error.message


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault("execution_error"), "invalid_request"), (OUT_OF_MEMORY, "transient")],
)
def test_a_node_that_fails_is_named_without_its_traceback(
    server: LoopbackServer, fault: Fault, kind: str
) -> None:
    server.script("comfyui.prompt", fault)
    error = failure(server)
    assert (error.kind, error.billed_usd) == (kind, 0.0)
    assert "node '1' (LoadImage)" in error.message
    assert "execution.py" not in error.message


def test_a_workflow_that_is_not_valid_is_refused_by_name(server: LoopbackServer) -> None:
    nodes = scaling()
    nodes["2"]["inputs"]["upscale_method"] = "nope"
    error = failure(server, nodes)
    assert error.kind == "invalid_request"
    assert "node '2' (ImageScale): value_not_in_list" in error.message


def test_a_node_that_the_server_does_not_know_is_refused(server: LoopbackServer) -> None:
    nodes = scaling()
    nodes["2"]["class_type"] = "NoSuchNode"
    error = failure(server, nodes)
    assert error.kind == "invalid_request"
    assert "NoSuchNode" in error.message


def test_a_workflow_that_is_accepted_in_part_is_refused_and_called_off(
    slow: LoopbackServer,
) -> None:
    nodes = scaling()
    nodes["4"] = {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "width": -5}}
    nodes["5"] = {"class_type": "PreviewImage", "inputs": {"images": ["4", 0]}}
    error = failure(slow, nodes)
    assert error.kind == "invalid_request"
    assert "node '4'" in error.message
    eventually_idle(slow)
    assert slow.bill == []


def test_out_of_time_only_our_own_prompt_is_taken_back(slow: LoopbackServer) -> None:
    other = str(uuid.uuid4())
    submit(slow, other)
    error = failure(slow, call=Call(timeout_s=1.0), **REAL_TIME)
    assert (error.kind, error.billed_usd) == ("transient", 0.0)
    eventually_idle(slow)
    assert [charge.remote_id for charge in slow.bill] == [other]


def test_a_cancelled_picture_is_interrupted(slow: LoopbackServer) -> None:
    async def cancel(provider: ComfyUIPictures) -> None:
        making = asyncio.ensure_future(provider.make(picture_request(), Call(timeout_s=60.0)))
        while slow.comfyui.queue.running is None:  # noqa: ASYNC110 - it is another thread's
            await asyncio.sleep(0.01)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making

    talk(slow, cancel, **REAL_TIME)
    eventually_idle(slow)
    assert slow.bill == []


@pytest.mark.parametrize("fault", ["not_an_image", "blank", "wrong_size", "huge", "bomb"])
def test_no_unusable_picture_is_believed(server: LoopbackServer, fault: str) -> None:
    server.script("comfyui.prompt", fault)
    request = picture_request()
    with pytest.raises(ProviderError) as caught:
        verify_picture(make(server, request=request), request)
    assert caught.value.kind == "bad_output"


def test_the_type_is_told_from_the_bytes(server: LoopbackServer) -> None:
    server.script("comfyui.prompt", "mislabelled")
    assert make(server).media_type == "image/jpeg"


def test_a_workflow_without_a_size_says_what_it_chose(server: LoopbackServer) -> None:
    nodes = scaling()
    nodes["2"]["inputs"] |= {"width": 64, "height": 32}
    request = picture_request()
    made = make(server, nodes, request=request)
    verify_picture(made, request)
    assert (made.width, made.height) == (64, 32)
    assert any("chose the size" in note for note in made.notes)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "not_configured"),
        (403, "not_configured"),
        (404, "not_configured"),
        (413, "invalid_request"),
        (429, "rate_limited"),
        (502, "transient"),
    ],
)
def test_what_stands_in_front_of_the_server_is_understood(
    server: LoopbackServer, status: int, kind: str
) -> None:
    server.script("comfyui.prompt", Fault("status", status=status))
    assert failure(server).kind == kind


def test_a_password_in_the_address_is_not_shown(server: LoopbackServer) -> None:
    address = server.comfyui_url.replace("http://", "http://me:s3cret@")
    provider = ComfyUIPictures(address, Workflow.load(scaling()))
    assert "s3cret" not in repr(provider)


def test_twenty_at_once_all_arrive(server: LoopbackServer) -> None:
    async def many(provider: ComfyUIPictures) -> list[MadePicture]:
        requests = [picture_request(seed=seed) for seed in range(20)]
        limits = Call(timeout_s=60.0)
        return await asyncio.gather(*(provider.make(each, limits) for each in requests))

    made = talk(server, many, sampling(), **REAL_TIME)
    assert len({picture.content for picture in made}) == 20


@contextmanager
def old_server() -> Iterator[tuple[str, list[str]]]:
    """A server of before the prompt id could be chosen: it gives ids of its own."""
    from aiohttp import web

    picture = encoded_source(textured(320, 180), width=320, height=180, form="PNG")
    asked: list[str] = []

    async def answer(request: Any) -> Any:
        asked.append(f"{request.method} {request.path}")
        if request.path == "/upload/image":
            return web.json_response({"name": "x.png", "subfolder": "in", "type": "input"})
        if asked[-1] == "POST /prompt":
            return web.json_response({"prompt_id": "their-own-id", "number": 1, "node_errors": {}})
        if request.path == "/history/their-own-id":
            file = {"filename": "a.png", "subfolder": "", "type": "output"}
            done = {"outputs": {"3": {"images": [file]}}, "status": {"status_str": "success"}}
            return web.json_response({"their-own-id": done})
        if request.path == "/view":
            return web.Response(body=picture, content_type="image/png")
        return web.Response(status=404)

    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(20), asked
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_server_that_gives_ids_of_its_own_is_understood() -> None:
    notes, quick = Notes(), QuickTime()

    async def run(address: str) -> MadePicture:
        provider = ComfyUIPictures(
            address, Workflow.load(scaling()), clock=quick.clock, sleep=quick.sleep
        )
        try:
            call = Call(timeout_s=60.0, note_remote=notes)
            return await provider.make(picture_request(), call)
        finally:
            await provider.close()

    with old_server() as (address, _):
        made = asyncio.run(run(address))
    assert made.remote_id == "their-own-id"
    assert [name for name, _ in notes.noted][1:] == ["their-own-id"]
    assert notes.noted[1][1]["prompt_id"] == "their-own-id"
