"""Somebody is told of every alert at least once, and nobody learns the webhook's address."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import Engine

from animatize_assets.errors import InvalidSetting
from animatize_assets.performance import alert_delivery
from animatize_assets.performance.alert_delivery import ATTEMPTS, AlertDelivery, Delivery
from animatize_assets.performance.alert_models import Judgement
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets_tests.performance.test_alert_store import draft

SECRET = "s3cret-path"


class Receiver:
    """A real server on the loopback; ``script`` holds what it does next, else it answers 200."""

    def __init__(self) -> None:
        self.script: list[int | str] = []
        self.received: list[dict[str, Any]] = []
        self.elsewhere = 0
        self.released = asyncio.Event()

    async def take(self, request: web.Request) -> web.StreamResponse:
        told = await request.json()
        assert request.headers["Idempotency-Key"] == told["delivery_id"]
        self.received.append(told)
        does = self.script.pop(0) if self.script else 200
        if does == "hang":
            await self.released.wait()
        if does == "redirect":
            raise web.HTTPFound("/elsewhere")
        if does == "break":
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=does if isinstance(does, int) else 200)

    async def take_elsewhere(self, _request: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()


@pytest.fixture
def alerts(engine: Engine) -> AlertStore:
    store = AlertStore(engine)
    store.raise_(Judgement.bad(draft("first")))
    store.raise_(Judgement.bad(draft("second", "critical")))
    return store


class Pauses:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def _delivered(
    alerts: AlertStore, *script: int | str, times: int = 1, timeout_s: float = 5.0
) -> tuple[list[Delivery], Receiver, Pauses]:
    """Deliver ``times`` times to a server that does what ``script`` says."""

    async def all_of_it() -> tuple[list[Delivery], Receiver, Pauses]:
        receiver, pauses = Receiver(), Pauses()
        receiver.script = list(script)
        application = web.Application()
        application.router.add_post(f"/{SECRET}", receiver.take)
        application.router.add_route("*", "/elsewhere", receiver.take_elsewhere)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        delivery = AlertDelivery(
            alerts, f"http://127.0.0.1:{port}/{SECRET}", timeout_s=timeout_s, sleep=pauses
        )
        try:
            told = [await delivery.deliver() for _ in range(times)]
        finally:
            receiver.released.set()
            await runner.cleanup()
        return told, receiver, pauses

    return asyncio.run(all_of_it())


@pytest.fixture(autouse=True)
def _nobody_learns_the_address(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, logger=alert_delivery.__name__)
    yield
    assert SECRET not in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_alerts_are_posted_once_and_in_order(alerts: AlertStore) -> None:
    told, receiver, pauses = _delivered(alerts, times=2)
    assert told == [Delivery(2, 0), Delivery(0, 0)]
    assert [body["severity"] for body in receiver.received] == ["low", "critical"]
    assert len({body["delivery_id"] for body in receiver.received}) == 2
    assert pauses.seconds == []
    assert all(alert.delivered_at is not None for alert in alerts.alerts())


@pytest.mark.parametrize("fault", [500, 503, 429, "break"])
def test_a_disturbance_is_waited_out_under_one_name(alerts: AlertStore, fault: int | str) -> None:
    told, receiver, pauses = _delivered(alerts, fault, fault)
    assert told == [Delivery(2, 0)]
    assert [body["id"] for body in receiver.received] == [1, 1, 1, 2]
    assert len({body["delivery_id"] for body in receiver.received[:3]}) == 1
    assert len(pauses.seconds) == 2
    assert all(pause <= alert_delivery.LONGEST_PAUSE_S for pause in pauses.seconds)


def test_a_server_that_stays_ill_is_asked_again_at_the_next_call(alerts: AlertStore) -> None:
    told, receiver, _ = _delivered(alerts, *[500] * ATTEMPTS, times=2)
    assert told == [Delivery(0, 2, "the webhook answered 500"), Delivery(2, 0)]
    assert len(receiver.received) == ATTEMPTS + 2


def test_a_server_that_hangs_costs_a_limited_time(alerts: AlertStore) -> None:
    told, receiver, _ = _delivered(alerts, *["hang"] * ATTEMPTS, timeout_s=0.05)
    assert told == [Delivery(0, 2, "the webhook did not answer within 0.05 s")]
    assert len(receiver.received) <= ATTEMPTS


def test_a_redirect_is_not_followed(alerts: AlertStore) -> None:
    told, receiver, _ = _delivered(alerts, "redirect", "redirect")
    assert told == [Delivery(0, 2, "the webhook answered 302")]
    assert receiver.elsewhere == 0


def test_what_is_refused_for_good_holds_nothing_up(
    alerts: AlertStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_delivery, "MOST_AT_ONCE", 1)
    told, receiver, pauses = _delivered(alerts, 400, times=2)
    assert told == [Delivery(0, 2, "the webhook answered 400"), Delivery(1, 1)]
    assert [body["id"] for body in receiver.received] == [1, 2]
    assert pauses.seconds == []


def test_nobody_there_is_said_without_the_address(alerts: AlertStore) -> None:
    async def to_nobody() -> tuple[Delivery, Pauses]:
        server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        pauses = Pauses()
        url = f"http://127.0.0.1:{port}/{SECRET}"
        return await AlertDelivery(alerts, url, sleep=pauses).deliver(), pauses

    told, pauses = asyncio.run(to_nobody())
    assert told.delivered == 0
    assert told.failure == "the webhook could not be reached (ClientConnectorError)"
    assert len(pauses.seconds) == ATTEMPTS - 1
    assert len(alerts.undelivered()) == 2


def test_without_a_webhook_the_log_is_told_once(
    alerts: AlertStore, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = AlertDelivery(alerts)
    assert asyncio.run(delivery.deliver()) == Delivery(2, 0)
    assert asyncio.run(delivery.deliver()) == Delivery(0, 0)
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.CRITICAL]
    assert "It is slow." in caplog.text


@pytest.mark.parametrize("url", ["ftp://host/s3cret-path", "s3cret-path", "http://", "http://[/"])
def test_an_address_that_is_none_is_refused_without_repeating_it(engine: Engine, url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        AlertDelivery(AlertStore(engine), url)
    assert SECRET not in str(refused.value)
