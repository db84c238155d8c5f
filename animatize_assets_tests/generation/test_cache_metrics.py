"""Every cache counts its look-ups as hit or miss, in the run's own figures and as metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.memory_cache import MemoryBudget, MemoryCache
from animatize_assets.generation.models import ReuseLevel
from animatize_assets.generation.result_store import ResultStore
from animatize_assets.generation.router import Configured, Router
from animatize_assets.generation.semantic.reuse import Reuser
from animatize_assets.generation.single_flight import SingleFlight
from animatize_assets.generation.sourcing import Caches, PictureOrder, PictureSource
from animatize_assets.generation.studio import Studio
from animatize_assets.telemetry.cache_requests import CacheRequests, counted
from animatize_assets.telemetry.metrics import CacheName
from animatize_assets_tests.integration.generating import (
    FAST,
    brief,
    migrated,
    provider_of,
    request_of,
)
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.telemetry.reading import sums

Rates = dict[CacheName, CacheRequests]

TEXT = "a harbour, golden light, the camera trucks left"
MOVED = "golden light, a harbour, the camera trucks left"
OTHER = "a desert, noon light, the camera trucks left"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@contextmanager
def counting() -> Iterator[Rates]:
    """What is looked up inside, cache by cache; the metrics must tell the same."""
    before, seen = counted(), sums("animatize.cache.requests")
    found: Rates = {}
    yield found
    now, seen_now = counted(), sums("animatize.cache.requests")
    for name, requests in now.items():
        here = requests.since(before[name])
        for outcome, number in (("hit", here.hits), ("miss", here.misses)):
            labels = frozenset({("cache", name), ("outcome", outcome)})
            assert seen_now.get(labels, 0) - seen.get(labels, 0) == number
        if here != CacheRequests(0, 0):
            found[name] = here


def order_of(text: str, provider: str = "flux") -> PictureOrder:
    request = request_of(0)
    prompt = request.prompt.model_copy(update={"positive": text})
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    whole = replace(request, prompt=prompt, fingerprint=fingerprint)
    return PictureOrder(whole, provider, structured={"image": request.image_key})


@contextmanager
def source(
    server: LoopbackServer, folder: Path, level: ReuseLevel = "canonical"
) -> Iterator[PictureSource]:
    engine = migrated(folder / "animatize.db")
    results = ResultStore(UPath(folder), engine)
    reuser = Reuser(results.index, results.not_before, level=level)
    caches = Caches(results, SingleFlight(folder / "results" / "in-flight"), reuser)
    configured = {"flux": Configured(provider_of("flux", server, sleep=brief))}
    ledger = SqlLedger(engine, Budget())
    with Studio(lambda: Router(configured, FAST, ledger)) as studio:
        providers = {"flux": configured["flux"].provider}
        yield PictureSource(studio, providers, lambda name: [name], caches=caches)
    engine.dispose()


def test_each_request_for_a_picture_is_one_look_up_of_each_cache_that_was_asked(
    server: LoopbackServer, tmp_path: Path
) -> None:
    with source(server, tmp_path) as pictures:
        with counting() as found:
            pictures.obtain(order_of(TEXT))
        assert found == {"result": CacheRequests(0, 1), "semantic": CacheRequests(0, 1)}
        with counting() as found:
            pictures.obtain(order_of(TEXT))
        assert found == {"result": CacheRequests(1, 0)}
        with counting() as found:
            pictures.obtain(order_of(MOVED))
        assert found == {"result": CacheRequests(0, 1), "semantic": CacheRequests(1, 0)}
    assert len(server.bill) == 1


def test_meaning_is_not_looked_up_where_only_the_same_request_may_serve(
    server: LoopbackServer, tmp_path: Path
) -> None:
    with source(server, tmp_path, "exact") as pictures, counting() as found:
        for text in (TEXT, MOVED, OTHER, TEXT):
            pictures.obtain(order_of(text))
    assert found == {"result": CacheRequests(1, 3)}


def test_a_request_without_caches_looks_nothing_up(server: LoopbackServer, tmp_path: Path) -> None:
    with source(server, tmp_path) as pictures, counting() as found:
        pictures.without_caches().obtain(order_of(TEXT))
    assert found == {}


def test_a_cache_in_memory_is_counted_under_the_name_it_was_given_and_else_not() -> None:
    budget = MemoryBudget()
    vectors: MemoryCache[str, bytes] = budget.cache(
        "vectors of a folder", 10_000, len, counted_as="vector"
    )
    private: MemoryCache[str, bytes] = budget.cache("private", 10_000, len)
    with counting() as found:
        for cache in (vectors, private):
            assert cache.get("a") is None
            cache.put("a", b"1")
            assert cache.get("a") == b"1"
            assert cache.get_or_make("b", lambda: b"2") == b"2"
    assert found == {"vector": CacheRequests(1, 2)}
