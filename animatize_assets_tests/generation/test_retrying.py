from __future__ import annotations

import logging
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.errors import FAILURE_KINDS, InvalidSetting, ProviderError
from animatize_assets.generation.failures import RULES
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.retrying import wait_s, with_retries
from animatize_assets_tests.generation.scripted import failing
from animatize_assets_tests.generation.virtual_time import in_virtual_time, now_s

policies = st.builds(
    Policy,
    max_attempts=st.integers(1, 10),
    deadline_s=st.floats(1, 1000),
    least_call_s=st.floats(0, 10),
    longest_wait_s=st.floats(0, 100),
    first_backoff_s=st.floats(0, 10),
    longest_backoff_s=st.floats(0.01, 60),
)
words = st.one_of(st.none(), st.floats(allow_nan=True))
failures = st.builds(
    lambda kind, word: failing(kind, retry_after_s=word),
    st.sampled_from(sorted(FAILURE_KINDS)),
    words,
)


@given(failures, st.integers(1, 10_000), policies, st.floats(0, 1))
def test_a_wait_is_the_providers_word_and_a_bounded_jitter(
    error: ProviderError, count: int, policy: Policy, drawn: float
) -> None:
    word = error.retry_after_s
    asked = word if word is not None and math.isfinite(word) and word > 0 else 0.0
    waited = wait_s(error, count, policy, drawn)
    assert asked <= waited <= asked + policy.longest_backoff_s
    if count == 1:
        assert waited <= asked + policy.first_backoff_s


def test_the_jitter_is_full_and_doubles() -> None:
    policy = Policy(first_backoff_s=0.5, longest_backoff_s=8.0)
    error = failing("transient")
    assert [wait_s(error, count, policy, 1.0) for count in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert wait_s(error, 5, policy, 0.0) == 0.0
    assert wait_s(failing("rate_limited", retry_after_s=3.0), 1, policy, 1.0) == 3.5


@given(st.lists(failures, max_size=15), policies, st.floats(0, 30), st.integers(0, 9))
def test_tries_waits_and_deadline_are_bounded_whatever_happens(
    script: list[ProviderError], policy: Policy, call_s: float, seed: int
) -> None:
    tried: list[str] = []
    slept: list[float] = []
    elapsed = 0.0

    async def attempt() -> None:
        nonlocal elapsed
        if len(tried) < len(script):
            elapsed += call_s
            tried.append(script[len(tried)].kind)
            raise script[len(tried) - 1]

    async def sleep(seconds: float) -> None:
        nonlocal elapsed
        elapsed += seconds
        slept.append(seconds)

    async def work() -> ProviderError | None:
        try:
            await with_retries(
                attempt,
                policy,
                provider="p",
                left_s=lambda: policy.deadline_s - elapsed,
                random=random.Random(seed).random,
                sleep=sleep,
            )
        except ProviderError as error:
            return error
        return None

    assert in_virtual_time(work) is (script[len(tried) - 1] if len(slept) < len(tried) else None)
    assert len(tried) <= policy.max_attempts
    for kind in set(tried):
        assert tried.count(kind) <= (RULES[kind].tries or policy.max_attempts)
    assert all(0 <= wait <= policy.longest_wait_s + policy.longest_backoff_s for wait in slept)
    assert elapsed <= policy.deadline_s + call_s


@pytest.mark.parametrize("kind", [kind for kind, rule in RULES.items() if rule.tries == 1])
def test_what_cannot_succeed_is_asked_once(kind: str) -> None:
    assert tries_until_it_gives_up(failing(kind), Policy(max_attempts=9)) == 1


@pytest.mark.parametrize(
    ("kind", "tries"), [("transient", 4), ("rate_limited", 4), ("ambiguous", 3), ("bad_output", 2)]
)
def test_what_passes_is_asked_again_as_often_as_allowed(kind: str, tries: int) -> None:
    assert tries_until_it_gives_up(failing(kind), Policy(max_attempts=4)) == tries


def test_a_word_that_is_too_long_is_not_waited_for() -> None:
    policy = Policy(longest_wait_s=60)
    assert tries_until_it_gives_up(failing("rate_limited", retry_after_s=60.5), policy) == 1
    assert tries_until_it_gives_up(failing("rate_limited", retry_after_s=59.5), policy) > 1


def test_no_wait_goes_beyond_the_deadline() -> None:
    policy = Policy(deadline_s=100, least_call_s=5)
    assert tries_until_it_gives_up(failing("rate_limited", retry_after_s=50), policy) == 2


def test_any_other_error_passes_at_once() -> None:
    calls = []

    async def work() -> None:
        async def attempt() -> None:
            calls.append(1)
            raise KeyError("a bug")

        await with_retries(
            attempt, Policy(), provider="p", left_s=lambda: 1e9, random=random.random
        )

    with pytest.raises(KeyError):
        in_virtual_time(work)
    assert calls == [1]


def test_each_retry_is_logged_without_what_the_provider_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    error = ProviderError("It said Bearer sk-secret.", kind="transient")
    assert tries_until_it_gives_up(error, Policy(max_attempts=3)) == 3
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert "p: call 2 failed (transient)" in caplog.text
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"deadline_s": 0},
        {"deadline_s": math.inf},
        {"call_timeout_s": -1},
        {"longest_wait_s": math.nan},
        {"picture_usd": -0.01},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidSetting, match=next(iter(wrong))):
        Policy(**wrong)  # type: ignore[arg-type]  # that is the point


def tries_until_it_gives_up(error: ProviderError, policy: Policy) -> int:
    tries = 0

    async def work() -> None:
        ends_at = now_s() + policy.deadline_s

        async def attempt() -> None:
            nonlocal tries
            tries += 1
            raise error

        await with_retries(
            attempt,
            policy,
            provider="p",
            left_s=lambda: ends_at - now_s(),
            random=random.Random(1).random,
        )

    with pytest.raises(ProviderError) as raised:
        in_virtual_time(work)
    assert raised.value is error
    return tries
