from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.generation.breaker import Breaker, BreakerRules, BreakerState
from animatize_assets.generation.failures import Verdict


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def one_call(breaker: Breaker, verdict: Verdict, reason: str | None = None) -> bool:
    """Whether it was let through."""
    call = breaker.admit()
    if call is None:
        return False
    breaker.record(call, verdict, reason)
    return True


def opened(watch: Watch, seen: list[BreakerState] | None = None) -> Breaker:
    breaker = Breaker("flux", clock=watch, on_change=None if seen is None else seen.append)
    while one_call(breaker, Verdict.BAD, "transient"):
        pass
    return breaker


def test_a_provider_that_is_down_gets_ten_calls_and_the_state_says_why(watch: Watch) -> None:
    seen: list[BreakerState] = []
    breaker = Breaker("flux", clock=watch, on_change=seen.append)
    calls = sum(one_call(breaker, Verdict.BAD, "transient") for _ in range(100))
    assert calls == 10
    assert breaker.state == BreakerState("flux", "open", 10, "transient", 30.0)
    assert seen == [breaker.state]


@pytest.mark.parametrize("seed", range(5))
def test_random_faults_do_not_open_it(seed: int, watch: Watch) -> None:
    numbers = random.Random(seed)
    breaker = Breaker("flux", clock=watch)
    verdicts = [Verdict.NEUTRAL, Verdict.BAD, Verdict.BAD, Verdict.GOOD]
    for verdict in numbers.choices(verdicts, [0.20, 0.05, 0.02, 0.73], k=20_000):
        watch.now += 0.2
        assert one_call(breaker, verdict, "transient")


@pytest.mark.parametrize("verdict", [Verdict.NEUTRAL, Verdict.GOOD])
def test_rate_limits_and_refusals_never_open_it(verdict: Verdict, watch: Watch) -> None:
    breaker = Breaker("flux", clock=watch)
    assert all(one_call(breaker, verdict, "rate_limited") for _ in range(1000))


def test_rate_limits_in_between_do_not_hide_an_outage(watch: Watch) -> None:
    breaker = Breaker("flux", clock=watch)
    for _ in range(10):
        one_call(breaker, Verdict.NEUTRAL)
        assert one_call(breaker, Verdict.BAD, "transient")
    assert breaker.state.state == "open"


def test_more_than_half_bad_calls_open_it_though_good_ones_come_between(watch: Watch) -> None:
    breaker = Breaker("flux", clock=watch)
    calls = 0
    while one_call(breaker, Verdict.GOOD if calls % 3 == 0 else Verdict.BAD, "transient"):
        calls += 1
        watch.now += 1
    assert calls == 20, "a share of fewer calls says too little"


def test_old_calls_are_forgotten(watch: Watch) -> None:
    breaker = Breaker("flux", clock=watch)
    for number in range(200):
        watch.now += 4  # 15 calls in the window: too few to judge the rate
        assert one_call(breaker, Verdict.GOOD if number % 3 == 0 else Verdict.BAD, "transient")


@pytest.mark.parametrize("reason", ["quota", "not_configured"])
def test_an_account_that_is_cut_off_opens_it_at_once(reason: str, watch: Watch) -> None:
    breaker = Breaker("flux", clock=watch)
    assert one_call(breaker, Verdict.CUT_OFF, reason)
    assert breaker.state.state == "open"
    assert breaker.state.reason == reason
    assert breaker.state.probe_in_s == 300


def test_a_single_probe_decides(watch: Watch) -> None:
    seen: list[BreakerState] = []
    breaker = opened(watch, seen)
    watch.now += 29.9
    assert breaker.admit() is None
    watch.now += 0.1
    assert breaker.state.state == "half_open"
    probe = breaker.admit()
    assert probe is not None
    assert probe.is_probe
    assert breaker.admit() is None, "one probe at a time"
    breaker.record(probe, Verdict.GOOD)
    assert [state.state for state in seen] == ["open", "closed"]
    assert all(one_call(breaker, Verdict.BAD, "transient") for _ in range(10)), "a fresh count"


def test_a_probe_that_fails_doubles_the_time_up_to_a_limit(watch: Watch) -> None:
    breaker = opened(watch)
    pauses = []
    for _ in range(7):
        pauses.append(breaker.state.probe_in_s)
        watch.now += breaker.state.probe_in_s or 0
        assert one_call(breaker, Verdict.BAD, "transient")
    assert pauses == [30, 60, 120, 240, 480, 600, 600]


def test_a_probe_that_was_cancelled_or_rate_limited_lets_the_next_one_probe(watch: Watch) -> None:
    breaker = opened(watch)
    watch.now += 30
    probe = breaker.admit()
    assert probe is not None
    breaker.forget(probe)
    assert one_call(breaker, Verdict.NEUTRAL)
    assert breaker.state.state == "half_open"
    assert one_call(breaker, Verdict.GOOD)
    assert breaker.state.state == "closed"


def test_calls_of_before_the_opening_say_nothing_about_the_time_after(watch: Watch) -> None:
    breaker = Breaker("flux", clock=watch)
    late = [breaker.admit() for _ in range(24)]
    while one_call(breaker, Verdict.BAD, "transient"):
        pass
    for call in late[:12]:
        assert call is not None
        breaker.record(call, Verdict.GOOD)
    assert breaker.state.state == "open"
    watch.now += 30
    assert one_call(breaker, Verdict.GOOD)
    for call in late[12:]:
        assert call is not None
        breaker.record(call, Verdict.BAD, "transient")
    assert breaker.state.state == "closed"


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["admit", "end", "cancel", "wait"]),
            st.sampled_from(list(Verdict)),
            st.integers(0, 30),
        ),
        max_size=200,
    )
)
def test_there_is_never_more_than_one_probe_nor_a_call_before_its_time(
    steps: list[tuple[str, Verdict, int]],
) -> None:
    watch = Watch()
    rules = BreakerRules(failures_in_a_row=3)
    breaker = Breaker("flux", rules, clock=watch)
    under_way = []
    for what, verdict, number in steps:
        before = breaker.state
        if what == "wait":
            watch.now += number
        elif what == "admit":
            call = breaker.admit()
            if call is not None:
                assert before.state != "open"
                assert call.is_probe == (before.state == "half_open")
                under_way.append(call)
            else:
                assert before.state != "closed"
        elif under_way:
            call = under_way.pop(number % len(under_way))
            if what == "end":
                breaker.record(call, verdict, "transient")
            else:
                breaker.forget(call)
        current = [call for call in under_way if call.is_probe and not _is_stale(breaker, call)]
        assert len(current) <= 1
        if breaker.state.state == "half_open" and not current:
            probe = breaker.admit()
            assert probe is not None, "a free probe is always to be had"
            breaker.forget(probe)


def _is_stale(breaker: Breaker, call: object) -> bool:
    return call.era != breaker._era  # type: ignore[attr-defined]
