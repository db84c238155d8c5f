"""What the way of a picture tells the metrics and the trace: calls, retries, fallbacks, money."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from animatize_assets.generation.attempts import NothingDelivered
from animatize_assets.telemetry import calls
from animatize_assets_tests.generation.scripted import (
    PRICE_USD,
    ScriptedProvider,
    always,
    failing,
    scripted,
)
from animatize_assets_tests.generation.test_router import House
from animatize_assets_tests.telemetry.reading import points, sums
from animatize_assets_tests.telemetry.spans import attributes, watched

CALL = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "model-1"}


@contextmanager
def counted(instrument: str, **wanted: str) -> Iterator[Callable[[], float]]:
    """Gives how much a counter, or the count of a histogram, rose since the block began."""
    key = frozenset((name.replace("__", "."), value) for name, value in wanted.items())

    def now() -> float:
        histogram = points(instrument).get(key)
        return histogram.count if histogram else sums(instrument).get(key, 0.0)

    before = now()
    yield lambda: now() - before


def seconds_of(provider: str, **more: str) -> float:
    key = frozenset({**CALL, "gen_ai.provider.name": provider, **more}.items())
    found = points("gen_ai.client.operation.duration").get(key)
    return found.sum if found else 0.0


def test_a_call_is_measured_in_seconds_and_dollars() -> None:
    before = seconds_of("flux")
    with counted("animatize.cost", provider="flux", purpose="picture") as spent:
        House(ScriptedProvider(seconds=5.0)).deliver(["flux"])
        assert spent() == pytest.approx(PRICE_USD)
    assert seconds_of("flux") - before == pytest.approx(5.0)


def test_retries_and_fallbacks_are_counted_by_provider_and_reason() -> None:
    house = House(
        ScriptedProvider("flux", always("transient")),
        ScriptedProvider("openai"),
        max_attempts=3,
    )
    failed = {"error.type": "transient"}
    before = seconds_of("flux", **failed)
    retried = counted("animatize.provider.retries", provider="flux", error__type="transient")
    fell_back = counted("animatize.provider.fallbacks", provider="flux", made_by="openai")
    with retried as retries, fell_back as fallbacks:
        delivery = house.deliver(["flux", "openai", "local"])
        assert delivery.made.provider == "openai"
        assert retries() == 2
        assert fallbacks() == 1
    assert seconds_of("flux", **failed) - before == pytest.approx(3 * 5.0)


def test_nothing_delivered_is_no_fallback_and_costs_only_what_was_billed() -> None:
    house = House(ScriptedProvider("flux", scripted(failing("refused_content", billed_usd=0.01))))
    with (
        counted("animatize.provider.fallbacks", provider="flux", made_by="flux") as fallbacks,
        counted("animatize.cost", provider="flux", purpose="picture") as spent,
    ):
        with pytest.raises(NothingDelivered):
            house.deliver(["flux"])
        assert fallbacks() == 0
        assert spent() == pytest.approx(0.01)


def test_the_wait_for_a_place_is_measured() -> None:
    def waited() -> tuple[int, float]:
        found = points("animatize.queue.duration").get(frozenset({("queue", "provider")}))
        return (found.count, found.sum) if found else (0, 0.0)

    count, total = waited()
    House(ScriptedProvider(seconds=5.0), concurrency=1).deliver_all(3, ["flux"])
    assert waited()[0] - count == 3
    assert waited()[1] - total == pytest.approx(0.0 + 5.0 + 10.0)


def test_every_call_is_a_span_of_its_own_with_its_job() -> None:
    with watched() as spans:
        House(ScriptedProvider("flux", scripted(failing("transient")))).deliver(["flux"])
    first, second = spans
    assert {first.name, second.name} == {"generate_content model-1"}
    assert first.kind is second.kind is SpanKind.CLIENT
    assert attributes(first)["error.type"] == "transient"
    jobs = {attributes(span)["animatize.job.id"] for span in spans}
    assert len(jobs) == 2
    for span in spans:
        assert attributes(span)["animatize.run.id"] == "run"
        assert attributes(span)["gen_ai.output.type"] == "image"


def test_a_call_tells_the_providers_id_of_the_work() -> None:
    with watched() as spans:
        House(ScriptedProvider(remote=True)).deliver(["flux"])
    (span,) = spans
    assert attributes(span)["gen_ai.response.id"] == "flux-1"


def test_work_of_our_own_is_no_call_to_somebody_else() -> None:
    with watched() as spans:
        House().deliver(["local"])
    (span,) = spans
    assert span.kind is SpanKind.INTERNAL


@pytest.mark.parametrize(
    ("provider", "model", "named", "counted_as"),
    [
        ("imagen", "imagen-5", "gcp.gemini", "imagen-5"),
        ("comfyui", "mine-0123456789ab", "comfyui", "workflow"),
        ("openai", "gpt-image-2", "openai", "gpt-image-2"),
    ],
)
def test_tokens_are_counted_by_names_of_the_conventions(
    provider: str, model: str, named: str, counted_as: str
) -> None:
    class Used:
        input_tokens = 7
        output_tokens: int | None = None

    key: dict[str, Any] = {
        "gen_ai__operation__name": "chat",
        "gen_ai__provider__name": named,
        "gen_ai__request__model": counted_as,
    }
    with (
        watched() as spans,
        counted("gen_ai.client.token.usage", gen_ai__token__type="input", **key) as read,
        counted("gen_ai.client.token.usage", gen_ai__token__type="output", **key) as written,
    ):
        with calls.traced_call("chat", provider, model, image_key=None, run_id=None) as call:
            call.made(Used())
        assert (read(), written()) == (1, 0)
    (span,) = spans
    assert attributes(span)["gen_ai.request.model"] == model
    assert attributes(span)["gen_ai.usage.input_tokens"] == 7
    assert "gen_ai.usage.output_tokens" not in attributes(span)


def test_a_call_that_is_broken_off_is_not_measured() -> None:
    async def work() -> None:
        with calls.traced_call("chat", "openai", "broken-off", image_key=None, run_id=None):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work())
    measured = points("gen_ai.client.operation.duration")
    assert not any(("gen_ai.request.model", "broken-off") in key for key in measured)
