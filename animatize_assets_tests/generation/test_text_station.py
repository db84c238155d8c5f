"""Text models are asked by a few at a time, across runs too, and left alone when they are down."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from animatize_assets.errors import BudgetExceeded, ProviderError, StorageFailed
from animatize_assets.generation.breaker import BreakerRules, BreakerState
from animatize_assets.generation.station import BreakerOpen
from animatize_assets.generation.text_station import TextStation

RULES = BreakerRules()


class Ticks:
    """Seconds that a test counts."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Pool:
    """The places of all runs, and who took them."""

    def __init__(self, free: int = 1) -> None:
        self.limits: set[tuple[str, int]] = set()
        self.held: set[str] = set()
        self.most = 0
        self._free = free
        self._lock = threading.Lock()

    def claim(self, provider: str, place: str, limit: int) -> bool:
        with self._lock:
            self.limits.add((provider, limit))
            if len(self.held) < self._free:
                self.held.add(place)
            self.most = max(self.most, len(self.held))
            return place in self.held

    def free(self, place: str) -> None:
        with self._lock:
            self.held.discard(place)

    def free_ended(self) -> None: ...


async def good() -> str:
    await asyncio.sleep(0)
    return "an answer"


def failing(kind: str) -> Callable[[], Awaitable[str]]:
    async def ask() -> str:
        await asyncio.sleep(0)
        raise ProviderError("It did not.", kind=kind, billed_usd=0.0)

    return ask


def outcome_of(station: TextStation, ask: Callable[[], Awaitable[str]] = good) -> str:
    try:
        return asyncio.run(station.call(ask))
    except BreakerOpen:
        return "left alone"
    except ProviderError as error:
        return error.kind


def test_it_is_left_alone_after_ten_failures_and_tried_by_one_call() -> None:
    clock, seen = Ticks(), list[BreakerState]()
    station = TextStation("openai", 4, clock=clock, on_change=seen.append)
    outcomes = [outcome_of(station, failing("transient")) for _ in range(12)]
    assert outcomes == ["transient"] * RULES.failures_in_a_row + ["left alone"] * 2
    assert [(each.provider, each.state) for each in seen] == [("openai_text", "open")]
    clock.now += RULES.open_s
    assert outcome_of(station) == "an answer"
    assert station.state.state == "closed"
    assert seen[-1].state == "closed"


def test_a_key_that_is_not_accepted_ends_the_asking_at_once() -> None:
    station = TextStation("openai", 4)
    assert outcome_of(station, failing("not_configured")) == "not_configured"
    assert outcome_of(station) == "left alone"
    assert station.state.reason == "not_configured"


def test_what_says_nothing_of_the_provider_is_not_counted() -> None:
    clock = Ticks()
    station = TextStation("openai", 4, clock=clock)

    async def over_budget() -> str:
        await asyncio.sleep(0)
        raise BudgetExceeded("The run may spend no more.")

    for _ in range(2 * RULES.failures_in_a_row):
        with pytest.raises(BudgetExceeded):
            asyncio.run(station.call(over_budget))
    assert outcome_of(station) == "an answer"
    outcome_of(station, failing("quota"))
    clock.now += RULES.cut_off_s
    with pytest.raises(BudgetExceeded):  # the one probe, which is taken back
        asyncio.run(station.call(over_budget))
    assert outcome_of(station) == "an answer"


def test_a_state_that_cannot_be_noted_costs_no_answer() -> None:
    def refuse(state: BreakerState) -> None:
        raise StorageFailed("The disk is full.")

    clock = Ticks()
    station = TextStation("openai", 4, clock=clock, on_change=refuse)
    assert outcome_of(station, failing("quota")) == "quota"
    clock.now += RULES.cut_off_s
    assert outcome_of(station) == "an answer"


def test_all_runs_share_the_places_of_the_provider() -> None:
    station, pool = TextStation("openai", 4), Pool(free=1)

    def work(_: int) -> str:
        with station.place():
            return asyncio.run(station.call(good, across_runs=pool))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(8))) == ["an answer"] * 8
    assert pool.limits == {("openai", 4)}
    assert (pool.most, pool.held) == (1, set())


def test_a_place_is_given_back_after_a_failure_too() -> None:
    station, pool = TextStation("openai", 4), Pool()
    for _ in range(3):
        with pytest.raises(ProviderError):
            asyncio.run(station.call(failing("refused_content"), across_runs=pool))
    assert pool.held == set()


def test_one_process_never_asks_more_at_a_time_than_its_places() -> None:
    places = 3
    station, lock = TextStation("openai", places), threading.Lock()
    full = threading.Barrier(places)
    working, most = 0, 0

    async def ask() -> str:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        await asyncio.to_thread(full.wait, 30)  # nobody goes on before the places are full
        with lock:
            working -= 1
        return "an answer"

    def work(_: int) -> str:
        with station.place():
            return asyncio.run(station.call(ask))

    with ThreadPoolExecutor(3 * places) as threads:
        assert len(list(threads.map(work, range(3 * places)))) == 3 * places
    assert most == places
