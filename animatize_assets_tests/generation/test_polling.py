from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.generation.polling import LONGEST_PAUSE_S, SILENCE_S, Patience
from animatize_assets_tests.generation.quick_time import QuickTime


def patience(time: QuickTime, timeout_s: float) -> Patience:
    async def sleep(seconds: float) -> None:
        time.waits_s.append(seconds)
        time.now_s += seconds

    return Patience(timeout_s, clock=time.clock, sleep=sleep)


@given(
    timeout_s=st.floats(0.0, 300.0), asked=st.lists(st.none() | st.floats(0.0, 1000.0), max_size=30)
)
def test_pauses_are_bounded_and_never_outlast_the_time(
    timeout_s: float, asked: list[float | None]
) -> None:
    async def run() -> None:
        time = QuickTime()
        waiting = patience(time, timeout_s)
        for asked_s in asked:
            left_s = waiting.left_s
            await waiting.pause(asked_s=asked_s)
            waited_s = time.waits_s[-1]
            assert waited_s <= left_s
            assert waited_s <= max(LONGEST_PAUSE_S, asked_s or 0.0)
            assert waited_s >= min(asked_s or 0.0, left_s)
        assert sum(time.waits_s) <= timeout_s * (1 + 1e-9)
        assert waiting.is_over == (waiting.left_s == 0.0)

    asyncio.run(run())


def test_silence_is_borne_for_a_while_and_one_answer_ends_it() -> None:
    time = QuickTime()
    waiting = patience(time, 3600.0)
    assert not waiting.unheard()
    time.now_s = SILENCE_S - 0.1
    assert not waiting.unheard()
    waiting.heard()
    time.now_s = SILENCE_S + 0.1
    assert not waiting.unheard()
    time.now_s += SILENCE_S
    assert waiting.unheard()


def test_a_wake_up_ends_the_pause() -> None:
    async def run() -> None:
        woken = asyncio.Event()
        waiting = Patience(3600.0, sleep=lambda _: asyncio.sleep(3600.0))
        asyncio.get_running_loop().call_later(0.01, woken.set)
        await asyncio.wait_for(waiting.pause(woken=woken), 30.0)
        assert not woken.is_set()

    asyncio.run(run())
