"""The loopback server speaks the protocols as the real clients expect them, and fails as told."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from PIL import Image

from animatize_assets_tests.loopback import billing
from animatize_assets_tests.loopback.faults import Fault, Rates
from animatize_assets_tests.loopback.openai_batches import BatchPlan
from animatize_assets_tests.loopback.process import loopback_process
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.loopback.world import Delay

IMAGE: dict[str, Any] = {"model": "gpt-image-2.5-flare", "quality": "low", "prompt": "a cat"}


def sdk(server: LoopbackServer, timeout: float = 20.0) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key=server.keys["openai"],
        base_url=server.openai_url,
        max_retries=0,
        timeout=timeout,
    )


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(content)) as picture:
        picture.load()
        return picture.size


def in_session(work: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession() as session:
            return await work(session)

    return asyncio.run(run())


def test_openai_pictures_are_real_and_billed_by_their_tokens() -> None:
    async def run(server: LoopbackServer) -> Any:
        async with sdk(server) as client:
            made = await client.images.generate(**IMAGE, size="1280x720")
            with pytest.raises(openai.NotFoundError) as gone:
                await client.images.generate(**{**IMAGE, "model": "dall-e-3"})
            with pytest.raises(openai.BadRequestError):
                await client.images.generate(**IMAGE, size="100x100")
            return made, gone.value.code

    with loopback_server() as server:
        made, code = asyncio.run(run(server))
        usage = made.usage
        assert code == "model_not_found"
        assert size_of(base64.b64decode(made.data[0].b64_json)) == (1280, 720)
        assert [line.cost_nanousd for line in server.bill] == [
            usage.input_tokens * 5_000 + usage.output_tokens * 30_000
        ]
        assert server.leaks == []


@pytest.mark.parametrize(
    ("fault", "error", "billed"),
    [
        ("rate_limited", openai.RateLimitError, 0),
        ("quota", openai.RateLimitError, 0),
        ("server_error", openai.InternalServerError, 0),
        ("refused", openai.BadRequestError, 0),
        ("drop_before", openai.APIConnectionError, 0),
        ("drop_after", openai.APIConnectionError, 1),
        ("hang_after", openai.APITimeoutError, 1),
        ("not_json", json.JSONDecodeError, 0),
        ("truncated", openai.APIConnectionError, 1),
    ],
)
def test_a_scripted_fault_hits_the_next_call_and_only_that(
    fault: str, error: type[Exception], billed: int
) -> None:
    async def run(server: LoopbackServer) -> None:
        async with sdk(server, timeout=0.3) as client:
            with pytest.raises(error):
                await client.images.generate(**IMAGE)
            assert len(server.bill) == billed
            await client.images.generate(**IMAGE)

    with loopback_server() as server:
        server.script("openai.images", fault)
        asyncio.run(run(server))
        assert len(server.bill) == billed + 1


def test_random_faults_come_at_their_rates_and_again_with_the_same_seed() -> None:
    async def statuses(server: LoopbackServer) -> list[int]:
        async with aiohttp.ClientSession() as session:
            found = []
            for _ in range(300):
                async with session.post(
                    f"{server.openai_url}/images/generations",
                    json={**IMAGE, "size": "1024x1024"},
                    headers={"Authorization": f"Bearer {server.keys['openai']}"},
                ) as answer:
                    found.append(answer.status)
            return found

    runs = []
    for _ in range(2):
        with loopback_server(faults=Rates(rate_limited=0.2, server_error=0.05), seed=4) as server:
            runs.append(asyncio.run(statuses(server)))
    assert runs[0] == runs[1]
    assert 0.13 < runs[0].count(429) / 300 < 0.27
    assert 0.01 < sum(status >= 500 for status in runs[0]) / 300 < 0.10


def test_a_batch_ends_partly_done_in_any_order() -> None:
    def line(number: int) -> str:
        body = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": f"{number}"}]}
        whole = {"method": "POST", "url": "/v1/chat/completions", "body": body}
        return json.dumps({"custom_id": f"row-{number}", **whole})

    async def run(server: LoopbackServer) -> tuple[Any, list[str], list[str]]:
        async with sdk(server) as client:
            content = "\n".join(map(line, range(40))).encode()
            file = await client.files.create(file=("b.jsonl", content), purpose="batch")
            batch = await client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            while batch.status not in {"completed", "expired", "failed"}:
                batch = await client.batches.retrieve(batch.id)
            assert batch.output_file_id
            assert batch.error_file_id
            good = (await client.files.content(batch.output_file_id)).text.splitlines()
            bad = (await client.files.content(batch.error_file_id)).text.splitlines()
            return batch, good, bad

    with loopback_server(seed=2) as server:
        server.plan_batch(BatchPlan(outcome="expired", unexecuted=0.3, failed=0.2))
        batch, good, bad = asyncio.run(run(server))
        names = [json.loads(text)["custom_id"] for text in good]
        codes = {(json.loads(text)["error"] or {}).get("code") for text in bad}
        assert batch.status == "expired"
        assert names != sorted(names, key=lambda name: int(name.partition("-")[2]))
        assert codes == {"batch_expired", None}
        assert len(good) + len(bad) == 40
        assert len(server.bill) == len(good)


def test_flux_polls_elsewhere_and_delivers_without_the_key() -> None:
    async def run(session: aiohttp.ClientSession) -> Any:
        key = {"x-key": server.keys["flux"]}
        body = {"prompt": "a cat", "width": 512, "height": 256, "seed": 7}
        async with session.post(f"{server.flux_url}/v1/flux-2-pro", json=body, headers=key) as one:
            task = await one.json()
        async with session.get(task["polling_url"], headers=key) as one:
            ready = await one.json()
        sample = ready["result"]["sample"]
        async with session.get(sample) as one:
            content = await one.read()
        async with session.get(sample, headers=key) as one:
            leaked = one.status
        server.expire()
        async with session.get(sample) as one:
            return task, ready, content, leaked, one.status

    with loopback_server() as server:
        task, ready, content, leaked, expired = in_session(run)
        assert not task["polling_url"].startswith(server.flux_url)
        assert (ready["status"], ready["result"]["seed"]) == ("Ready", 7)
        assert size_of(content) == (512, 256)
        assert (leaked, expired) == (400, 403)
        assert server.leaks == ["flux key at flux.delivery"]
        assert server.bill[0].cost_nanousd == round(task["cost"] * billing.NANO / 100)


def test_flux_takes_no_more_than_24_unfinished_tasks() -> None:
    async def run(session: aiohttp.ClientSession) -> list[int]:
        key, found = {"x-key": server.keys["flux"]}, []
        for number in range(26):
            body = {"prompt": f"{number}", "width": 256, "height": 256}
            async with session.post(
                f"{server.flux_url}/v1/flux-2-pro", json=body, headers=key
            ) as one:
                found.append(one.status)
        return found

    with loopback_server(delays={"flux": Delay(60.0)}) as server:
        assert in_session(run) == [200] * 24 + [429] * 2


@pytest.mark.parametrize("code", ["SAFETY", "IMAGE_PROHIBITED_CONTENT", "text"])
def test_gemini_refuses_with_200(code: str) -> None:
    async def run(session: aiohttp.ClientSession) -> Any:
        async with session.post(
            f"{server.gemini_url}/v1beta/models/gemini-nano-banana-2.1:generateContent",
            json={"contents": [{"role": "user", "parts": [{"text": "a cat"}]}]},
            headers={"x-goog-api-key": server.keys["gemini"]},
        ) as one:
            return one.status, await one.json()

    with loopback_server() as server:
        fault = Fault("text_only") if code == "text" else Fault("refused", code=code)
        server.script("gemini.generate", fault)
        status, body = in_session(run)
        assert status == 200
        assert "inlineData" not in json.dumps(body)
        assert "promptFeedback" in body if code == "SAFETY" else "candidates" in body
        assert in_session(run)[1]["candidates"][0]["content"]["parts"][0]["inlineData"]


def test_comfyui_runs_a_graph_caches_it_and_forgets_it_when_restarted() -> None:
    graph = {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 32, "batch_size": 1, "color": 0},
        },
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }

    async def once(session: aiohttp.ClientSession) -> tuple[list[str], Any, str]:
        url, name, client = server.comfyui_url, str(uuid.uuid4()), uuid.uuid4().hex
        events: list[str] = []
        async with session.ws_connect(f"{url}/ws?clientId={client}") as socket:
            body = {"prompt": graph, "prompt_id": name, "client_id": client}
            async with session.post(f"{url}/prompt", json=body) as one:
                assert one.status == 200
            async with session.post(f"{url}/prompt", json=body) as one:
                assert one.status == 409
            while events[-1:] != ["executing null"]:
                message = await asyncio.wait_for(socket.receive_json(), 5)
                node = message["data"].get("node", "")
                events.append(f"{message['type']} null" if node is None else message["type"])
        async with session.get(f"{url}/history/{name}") as one:
            return events, (await one.json())[name]["outputs"], name

    async def run(session: aiohttp.ClientSession) -> Any:
        first, second = await once(session), await once(session)
        server.restart()
        async with session.get(f"{server.comfyui_url}/history/{second[2]}") as one:
            return first, second, await one.json()

    with loopback_server() as server:
        first, second, forgotten = in_session(run)
        assert "execution_success" in first[0]
        assert first[1] == second[1], "an identical graph returns the old file"
        assert forgotten == {}


def test_a_provider_that_is_down_can_be_refused_dropped_or_unavailable() -> None:
    async def run(session: aiohttp.ClientSession) -> int:
        async with session.get(f"{server.gemini_url}/v1beta/models") as one:
            return one.status

    with loopback_server() as server:
        server.down("gemini", "unavailable")
        assert in_session(run) == 503
        server.down("gemini", "dropped")
        with pytest.raises(aiohttp.ServerDisconnectedError):
            in_session(run)
        server.down("gemini", "refused")
        with pytest.raises(aiohttp.ClientConnectorError):
            in_session(run)
        server.up("gemini")
        assert in_session(run) == 400, "it answers again, and wants its key"


def test_it_runs_in_a_process_of_its_own_and_leaves_its_bill_on_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "bill.jsonl"
    with loopback_process(state_file=file, seed=1) as server:

        async def run() -> None:
            async with openai.AsyncOpenAI(
                api_key=server.keys["openai"], base_url=server.openai_url, max_retries=0
            ) as client:
                await client.images.generate(**IMAGE)

        server.script("openai.images", "drop_after")
        with pytest.raises(openai.APIConnectionError):
            asyncio.run(run())
        assert server.state()["calls"]["openai.images"] == 1
        bill = server.bill()
    assert len(bill) == 1
    assert billing.read_bill(file) == bill
