from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from animatize_assets.errors import WebhookRefused
from animatize_assets.prompts.expansion.batch_rows import NewLine
from animatize_assets.prompts.expansion.batches import BatchDesk
from animatize_assets.prompts.expansion.webhook import BatchWebhook
from animatize_assets_tests.loopback.openai_batches import BatchPlan
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
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
Setup = tuple[LoopbackServer, BatchDesk, str]


def event(remote_id: str, kind: str = "batch.completed") -> bytes:
    told = {"object": "event", "id": "evt_1", "type": kind, "data": {"id": remote_id}}
    return json.dumps(told).encode()


def signed(body: bytes, *, age_s: float = 0.0, raw: bytes = RAW) -> dict[str, str]:
    at = str(int(time.time() - age_s))
    digest = hmac.new(raw, b"wh_1." + at.encode() + b"." + body, hashlib.sha256).digest()
    return {
        "webhook-id": "wh_1",
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    clock = Clock()
    with loopback_server() as server, database(tmp_path) as engine:
        server.openai.reply = follows_rules
        server.plan_batch(BatchPlan(polls=1))
        with desk_at(server, engine, Books(), clock) as desk:
            desk.enqueue([NewLine(each.fingerprint, "image", each.body) for each in questions(3)])
            (batch,) = desk.submit_waiting()
            yield server, desk, batch.remote_id or ""


def test_a_signed_message_brings_the_answers_at_once(setup: Setup) -> None:
    _, desk, remote_id = setup
    body = event(remote_id)
    found = BatchWebhook(desk, SECRET).receive(signed(body), body)
    assert found is not None
    assert len(found.finished) == 3
    assert desk.counts() == {"done": 3}


def test_a_repeated_message_changes_nothing(setup: Setup) -> None:
    server, desk, remote_id = setup
    hook, body = BatchWebhook(desk, SECRET), event(remote_id)
    hook.receive(signed(body), body)
    before = len(server.calls())
    again = hook.receive(signed(body), body)
    assert again is not None
    assert again.finished == ()
    assert len(server.calls()) == before


def test_what_a_message_claims_is_not_believed(setup: Setup) -> None:
    _, desk, remote_id = setup
    body = event(remote_id, "batch.failed")
    BatchWebhook(desk, SECRET).receive(signed(body), body)
    assert desk.counts() == {"done": 3}


def bad_messages() -> dict[str, Any]:
    """Signed when a test asks: one from the future, signed at collection, would have come true."""
    body = event("batch_1")
    good = signed(body)
    return {
        "another secret": (signed(body, raw=b"other"), body),
        "another body": (good, event("batch_2")),
        "too old": (signed(body, age_s=301), body),
        "from the future": (signed(body, age_s=-400), body),
        "unsigned": ({}, body),
        "no signature": ({**good, "webhook-signature": ""}, body),
        "odd signature": ({**good, "webhook-signature": "v1,\u00e9"}, body),
        "odd time": ({**good, "webhook-timestamp": "now"}, body),
        "no JSON": (signed(b"{"), b"{"),
        "not UTF-8": (good, b"\xff"),
        "no object": (signed(b"[]"), b"[]"),
    }


@pytest.mark.parametrize("flaw", bad_messages())
def test_a_message_that_is_not_openais_is_refused(setup: Setup, flaw: str) -> None:
    server, desk, _ = setup
    before = len(server.calls())
    with pytest.raises(WebhookRefused) as caught:
        BatchWebhook(desk, SECRET).receive(*bad_messages()[flaw])
    assert SECRET.get_secret_value() not in str(caught.value)
    assert len(server.calls()) == before


@pytest.mark.parametrize(
    "body", [event("batch_1", "response.completed"), b'{"type": "batch.completed"}']
)
def test_a_message_about_something_else_is_left_alone(setup: Setup, body: bytes) -> None:
    _, desk, _ = setup
    assert BatchWebhook(desk, SECRET).receive(signed(body), body) is None


def test_a_message_about_a_batch_that_is_not_ours_says_so(setup: Setup) -> None:
    _, desk, _ = setup
    body = event("batch_of_another_project")
    found = BatchWebhook(desk, SECRET).receive(signed(body), body)
    assert found is not None
    assert "none of ours" in found.notes[0]
