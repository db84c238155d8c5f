from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.errors import InvalidSetting
from animatize_assets.generation.rate_limit import Limiter, Load, TokenBucket
from animatize_assets_tests.generation.virtual_time import in_virtual_time, now_s


@settings(max_examples=60)
@given(
    st.floats(0.5, 2000),
    st.lists(st.floats(0, 30), min_size=1, max_size=80),
)
def test_no_minute_sees_more_than_the_rate_and_a_burst(
    per_minute: float, gaps: list[float]
) -> None:
    passed = in_virtual_time(lambda: _times_of(per_minute, gaps))
    burst = max(1.0, per_minute * TokenBucket.BURST_S / 60)
    for index, start in enumerate(passed):
        within = sum(start <= each < start + 60 for each in passed[index:])
        assert within <= per_minute + burst + 1e-6 * per_minute + 1


async def _times_of(per_minute: float, gaps: list[float]) -> list[float]:
    bucket = TokenBucket(per_minute, clock=now_s, sleep=asyncio.sleep)
    passed: list[tuple[int, float]] = []

    async def call(number: int) -> None:
        await bucket.take()
        passed.append((number, now_s()))

    calls = []
    for number, gap in enumerate(gaps):
        calls.append(asyncio.create_task(call(number)))
        await asyncio.sleep(gap)
    await asyncio.gather(*calls)
    assert [number for number, _ in passed] == list(range(len(gaps))), "who came first goes first"
    return [time for _, time in passed]


def test_a_steady_queue_gets_the_whole_rate() -> None:
    async def work() -> float:
        bucket = TokenBucket(60, clock=now_s, sleep=asyncio.sleep)
        for _ in range(61):
            await bucket.take()
        return now_s()

    assert in_virtual_time(work) == pytest.approx(60, abs=TokenBucket.BURST_S)


def test_a_place_in_the_queue_that_is_given_up_delays_nobody() -> None:
    async def work() -> float:
        bucket = TokenBucket(6, clock=now_s, sleep=asyncio.sleep)
        await bucket.take()
        impatient = [asyncio.create_task(bucket.take()) for _ in range(5)]
        await asyncio.sleep(1)
        for each in impatient:
            each.cancel()
        await asyncio.gather(*impatient, return_exceptions=True)
        await bucket.take()
        return now_s()

    assert in_virtual_time(work) == pytest.approx(10)


def test_no_more_places_than_there_are_and_both_counts_are_visible() -> None:
    async def work() -> tuple[list[Load], Load]:
        limiter = Limiter(3, None, clock=now_s)
        seen = []

        async def call() -> None:
            async with limiter.place():
                seen.append(limiter.load)
                await asyncio.sleep(1)

        await asyncio.gather(*(call() for _ in range(10)))
        return seen, limiter.load

    seen, after = in_virtual_time(work)
    assert max(load.in_flight for load in seen) == 3
    assert max(load.waiting for load in seen) >= 6
    assert after == Load(0, 0)


def test_who_was_served_once_goes_first() -> None:
    async def work() -> list[str]:
        limiter = Limiter(1, None, clock=now_s)
        served: list[str] = []

        async def call(name: str, *, first: bool) -> None:
            async with limiter.place(first=first):
                served.append(name)
                await asyncio.sleep(1)

        names = ["a", "b", "C", "d", "E"]
        await asyncio.gather(*(call(name, first=name.isupper()) for name in names))
        return served

    assert in_virtual_time(work) == ["a", "C", "E", "b", "d"]


@settings(max_examples=100)
@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0.01, 5), st.booleans()), max_size=25
    ),
)
def test_no_place_is_lost_or_made_up_whoever_leaves_when(
    number: int, visits: list[tuple[float, float, float, bool]]
) -> None:
    async def work() -> None:
        limiter = Limiter(number, None, clock=now_s)
        inside = 0

        async def visit(comes: float, stays: float, patience: float, first: bool) -> None:
            nonlocal inside
            await asyncio.sleep(comes)
            async with asyncio.timeout(patience), limiter.place(first=first):
                inside += 1
                assert inside <= number
                assert limiter.load.in_flight == inside
                try:
                    await asyncio.sleep(stays)
                finally:
                    inside -= 1

        ends = await asyncio.gather(*(visit(*each) for each in visits), return_exceptions=True)
        assert {type(end) for end in ends} <= {type(None), TimeoutError}
        assert limiter.load == Load(0, 0)
        async with contextlib.AsyncExitStack() as all_of_them:
            for _ in range(number):
                await all_of_them.enter_async_context(limiter.place())

    in_virtual_time(work)


def test_a_place_left_early_is_free_and_is_left_once() -> None:
    async def work() -> Load:
        limiter = Limiter(1, None, clock=now_s)
        async with limiter.place() as first:
            first.leave()
            async with limiter.place():
                assert limiter.load.in_flight == 1
        return limiter.load

    assert in_virtual_time(work) == Load(0, 0)


@pytest.mark.parametrize("rate", [None, 1.0])
def test_whoever_is_turned_away_or_leaves_frees_the_place(rate: float | None) -> None:
    class TurnedAway(Exception):
        pass

    def turn_away() -> None:
        raise TurnedAway

    async def work() -> Load:
        limiter = Limiter(1, rate, clock=now_s)
        async with limiter.place():
            pass
        with pytest.raises(TurnedAway):
            async with limiter.place(turn_away):
                pytest.fail("it was let in")
        waiting = asyncio.create_task(_enter(limiter))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with limiter.place():
            return limiter.load

    assert in_virtual_time(work) == Load(1, 0)


async def _enter(limiter: Limiter) -> None:
    async with limiter.place():
        await asyncio.sleep(1)


@pytest.mark.parametrize(("concurrency", "rate"), [(0, None), (1, 0.0), (1, -1.0)])
def test_a_limit_that_allows_nothing_is_refused(concurrency: int, rate: float | None) -> None:
    with pytest.raises(InvalidSetting, match="give"):
        Limiter(concurrency, rate)
