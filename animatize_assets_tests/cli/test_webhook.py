"""Messages of OpenAI come in over HTTP, and only OpenAI's."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer  # noqa: TID253
from pydantic import SecretStr

from animatize_assets.cli.entry import execute
from animatize_assets.cli.terminal import Terminal
from animatize_assets.cli.webhook import MAX_BODY_BYTES, ROUTE, application
from animatize_assets.prompts.expansion.batch_rows import NewLine
from animatize_assets.prompts.expansion.batches import BatchDesk
from animatize_assets.prompts.expansion.webhook import BatchWebhook
from animatize_assets_tests.loopback.openai_batches import BatchPlan
from animatize_assets_tests.loopback.server import loopback_server
from animatize_assets_tests.prompts.expansion.cases import (
    Books,
    Clock,
    database,
    desk_at,
    follows_rules,
    questions,
)

RAW = b"thirty-two bytes of a webhook key"
SECRET = SecretStr("whsec_" + base64.b64encode(RAW).decode())


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[tuple[BatchDesk, str]]:
    """A batch that OpenAI has finished, and its id there."""
    with loopback_server() as server, database(tmp_path) as engine:
        server.openai.reply = follows_rules
        server.plan_batch(BatchPlan(polls=1))
        with desk_at(server, engine, Books(), Clock()) as desk:
            desk.enqueue([NewLine(each.fingerprint, "image", each.body) for each in questions(2)])
            (batch,) = desk.submit_waiting()
            yield desk, batch.remote_id or ""


def _message(remote_id: str, raw: bytes = RAW) -> tuple[bytes, dict[str, str]]:
    told = {"object": "event", "id": "e", "type": "batch.completed", "data": {"id": remote_id}}
    body, at = json.dumps(told).encode(), str(int(time.time()))
    digest = hmac.new(raw, b"wh_1." + at.encode() + b"." + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return body, {
        "webhook-id": "wh_1",
        "webhook-timestamp": at,
        "webhook-signature": signature,
    }


def _answers(desk: BatchDesk, *messages: tuple[bytes, dict[str, str]]) -> tuple[list[int], str]:
    said = io.StringIO()
    terminal = Terminal(said, said, as_json=False, verbose=False)

    async def post() -> list[int]:
        app = application(BatchWebhook(desk, SECRET), terminal)
        async with TestClient(TestServer(app)) as client:
            return [
                (await client.post(ROUTE, data=body, headers=headers)).status
                for body, headers in messages
            ]

    return asyncio.run(post()), said.getvalue()


def test_a_signed_message_brings_the_answers(sent: tuple[BatchDesk, str]) -> None:
    desk, remote_id = sent
    codes, said = _answers(desk, _message(remote_id), _message(remote_id))
    assert codes == [204, 204]
    assert desk.counts() == {"done": 2}
    assert "2 expansions have come" in said


def test_a_forged_message_is_refused(sent: tuple[BatchDesk, str]) -> None:
    desk, remote_id = sent
    body, headers = _message(remote_id)
    codes, _ = _answers(desk, _message(remote_id, raw=b"other"), (body, {}), (b"x" + body, headers))
    assert codes == [401, 401, 401]
    assert desk.counts() == {"submitted": 2}


def test_a_message_that_is_too_long_is_not_read(sent: tuple[BatchDesk, str]) -> None:
    desk, _ = sent
    codes, _ = _answers(desk, (b" " * (MAX_BODY_BYTES + 1), {}))
    assert codes == [413]


def test_without_a_secret_the_command_says_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert execute(["webhook"]) == 1
    assert "ANIMATIZE_WEBHOOK_SECRET" in capsys.readouterr().err
