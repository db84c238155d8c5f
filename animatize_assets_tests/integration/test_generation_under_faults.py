"""Pictures come although providers fail at random, altogether, or in odd ways; and no key leaks."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import traceback
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.local import LocalProvider
from animatize_assets.generation.models import Delivery
from animatize_assets.generation.router import Configured, NothingDelivered, Router
from animatize_assets_tests.integration.generating import (
    FAST,
    Addresses,
    brief,
    migrated,
    provider_of,
    request_of,
)
from animatize_assets_tests.loopback.faults import Rates
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.loopback.world import KEYS

LIMIT = 24
ISSUE_RATES = Rates(rate_limited=0.20, server_error=0.05, hang_before=0.01, hang_after=0.01)
CALL_TIMEOUT_S = 3.0


def deliver_all(
    server: Addresses,
    folder: Path,
    *,
    count: int,
    first: int = 0,
    order: tuple[str, ...],
    call_timeout_s: float = CALL_TIMEOUT_S,
) -> tuple[list[Delivery | BaseException], Router]:
    """Ask for ``count`` pictures at once; the router keeps its limits."""

    async def run() -> tuple[list[Delivery | BaseException], Router]:
        configured = {
            name: Configured(LocalProvider(), in_house=True)
            if name == "local"
            else Configured(provider_of(name, server, sleep=brief), concurrency=LIMIT)
            for name in order
        }
        ledger = SqlLedger(migrated(folder / "ledger.db", durable=False), Budget())
        router = Router(
            configured,
            replace(FAST, call_timeout_s=call_timeout_s),
            ledger,
            random=random.Random(1).random,
        )
        try:
            work = (router.deliver(request_of(first + number), order) for number in range(count))
            return await asyncio.gather(*work, return_exceptions=True), router
        finally:
            await router.close()

    return asyncio.run(run())


def breaker(router: Router, provider: str) -> str:
    found = {state.name: state.breaker for state in router.states()}[provider]
    assert found is not None
    return found.state


def delivered(results: list[Delivery | BaseException]) -> list[Delivery]:
    return [result for result in results if isinstance(result, Delivery)]


def billable_calls(server: LoopbackServer) -> int:
    routes = ("openai.images", "openai.edits", "flux.submit", "gemini.generate")
    return sum(len(server.calls(route)) for route in routes)


def most_calls(count: int) -> float:
    """The issue's 1.45 each; of few pictures, as much as chance explains.

    Theory: 1 / 0.73 = 1.37 calls each, with a standard deviation of sqrt(0.27) / 0.73 = 0.71.
    """
    return max(1.45 * count, 1.37 * count + 2.5 * 0.71 * math.sqrt(count))


@pytest.mark.parametrize("provider", ["openai", "imagen", "flux"])
def test_random_faults_cost_few_calls_and_hardly_any_picture(
    provider: str, sizes: dict[str, Any], tmp_path: Path
) -> None:
    count = sizes["generation_faults"]["requests"]
    with loopback_server(faults=ISSUE_RATES, seed=3, hang_s=5.0, keep_bodies=False) as server:
        results, router = deliver_all(server, tmp_path, count=count, order=(provider,))
        made = delivered(results)
        calls = billable_calls(server)
    assert len(made) >= 0.995 * count, Counter(type(each).__name__ for each in results)
    assert calls <= most_calls(count)
    assert all(each.made.provider == provider for each in made)
    assert breaker(router, provider) == "closed"


def test_at_five_per_cent_transient_errors_hardly_a_picture_in_a_thousand_is_lost(
    sizes: dict[str, Any], tmp_path: Path
) -> None:
    count = sizes["generation_faults"]["transient_requests"]
    with loopback_server(faults=Rates(server_error=0.05), seed=5, keep_bodies=False) as server:
        results, router = deliver_all(server, tmp_path, count=count, order=("openai",))
        assert len(delivered(results)) >= 0.999 * count
        assert breaker(router, "openai") == "closed"
        assert server.leaks == []


@pytest.mark.parametrize("how", ["unavailable", "dropped", "refused"])
def test_a_provider_that_is_down_is_left_alone_and_the_others_serve(
    how: str, sizes: dict[str, Any], tmp_path: Path
) -> None:
    count = sizes["generation_faults"]["down_requests"]
    with loopback_server(seed=7, keep_bodies=False) as server:
        server.down("openai", how)
        results, router = deliver_all(server, tmp_path, count=count, order=("openai", "imagen"))
        made = delivered(results)
        assert len(made) == count
        assert {each.made.provider for each in made} == {"imagen"}
        tried = sum(
            attempt.provider == "openai" and attempt.seconds > 0
            for each in made
            for attempt in each.attempts
        )
        assert len(server.calls("openai.images")) <= 10 + LIMIT
        assert tried <= 10 + LIMIT + count
        assert breaker(router, "openai") == "open"
        assert all(each.attempts[0].provider == "openai" for each in made), "no fallback is silent"


EVERY_FAULT = (
    "rate_limited", "quota", "server_error", "html_error", "html", "empty_json", "null", "not_json",
    "drop_before", "drop_after", "truncated", "refused", "not_an_image", "mislabelled", "blank",
    "bomb", "wrong_size", "empty",
)  # fmt: skip
WORK_ROUTES = {
    "openai": "openai.images",
    "flux": "flux.submit",
    "imagen": "gemini.generate",
    "comfyui": "comfyui.prompt",
}


@pytest.mark.parametrize("provider", WORK_ROUTES)
def test_whatever_fails_a_picture_comes_the_way_is_told_and_no_key_is(
    provider: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with loopback_server(seed=8) as server:
        for number, fault in enumerate(EVERY_FAULT):
            # as often as it is asked, so that the way must end elsewhere
            server.script(WORK_ROUTES[provider], *[fault] * FAST.max_attempts)
            results, router = deliver_all(
                server,
                tmp_path,
                count=1,
                first=number,
                order=(provider, "local"),
                call_timeout_s=0.5,
            )
            told += [repr(router.states()), repr(provider_of(provider, server))]
            for result in results:
                told.append(
                    "".join(traceback.format_exception(result))
                    if isinstance(result, BaseException)
                    else " ".join(attempt.model_dump_json() for attempt in result.attempts)
                )
            (result,) = results
            assert isinstance(result, Delivery | NothingDelivered), fault
            server.world.faults.forget()
        assert server.leaks == []
        addresses = [one.address for one in server.calls("flux.delivery")]
    told.append(caplog.text)
    told += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    secrets = [*KEYS.values(), *(address.partition("sig=")[2] for address in addresses)]
    assert not [secret for secret in secrets for text in told if secret and secret in text]


def test_a_wrong_key_is_told_at_once_without_telling_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with loopback_server() as server:
        server.world.keys = {name: f"another-{key}" for name, key in KEYS.items()}
        wrong = _WithWrongKeys(server)
        for provider in ("openai", "flux", "imagen"):
            folder = tmp_path / provider
            folder.mkdir()
            (result,), _ = deliver_all(wrong, folder, count=1, order=(provider,))
            assert isinstance(result, NothingDelivered)
            assert result.kind == "not_configured"
            assert len(server.calls(WORK_ROUTES[provider])) == 1
            assert not [key for key in KEYS.values() if key in str(result) or key in caplog.text]


class _WithWrongKeys:
    """The same addresses, and keys that are not accepted there."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server
        self.keys = KEYS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)
