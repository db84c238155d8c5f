"""Asking the same provider again: whether, how long to wait before, and when to stop.

This is the one place that retries; the clients' own retries are off. Belongs here: one provider
and one picture. Does not belong here: what each kind of failure allows (``failures``), the next
provider (``journey``).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from animatize_assets.errors import ProviderError
from animatize_assets.generation.failures import rule_of
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.rate_limit import Sleep
from animatize_assets.telemetry import metrics

if TYPE_CHECKING:
    from tenacity import RetryCallState

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_LARGEST_POWER = 30
"""Beyond it every back-off is at its limit, and the power of two would grow without need."""


def asked_wait_s(error: ProviderError) -> float | None:
    """Return how long the provider asked to wait; None when it said nothing that makes sense."""
    word = error.retry_after_s
    return word if word is not None and math.isfinite(word) and word >= 0 else None


def wait_s(error: ProviderError, failures: int, policy: Policy, random: float) -> float:
    """Return how long to wait after the ``failures``-th failure with one provider, seconds.

    ``random`` in 0..1. The full jitter comes on top of the provider's word, so that those who are
    told the same time do not all come back at once.
    """
    power = min(failures - 1, _LARGEST_POWER)
    limit = min(policy.longest_backoff_s, policy.first_backoff_s * 2**power)
    jitter = random * limit if rule_of(error).waits else 0.0
    return (asked_wait_s(error) or 0.0) + jitter


async def with_retries(
    attempt: Callable[[], Awaitable[_T]],
    policy: Policy,
    *,
    provider: str,
    left_s: Callable[[], float],
    random: Callable[[], float],
    sleep: Sleep = asyncio.sleep,
) -> _T:
    """Return the first result of ``attempt``; only a ``ProviderError`` makes it try again.

    ``left_s`` tells what is left of the request's deadline, seconds. ``random`` gives 0..1.

    Raises:
        ProviderError: of the last try, when its kind allows no other, the tries are used up, the
            provider asks to wait longer than is waited, or the deadline would pass meanwhile.
    """
    from tenacity import AsyncRetrying, retry_if_exception_type

    tally: Counter[str] = Counter()

    async def counted() -> _T:
        try:
            return await attempt()
        except ProviderError as error:
            tally[error.kind] += 1
            raise

    def wait(state: RetryCallState) -> float:
        return wait_s(_failure_of(state), tally.total(), policy, random())

    def stop(state: RetryCallState) -> bool:
        error = _failure_of(state)
        tries = rule_of(error).tries
        return (
            tally.total() >= policy.max_attempts
            or (tries is not None and tally[error.kind] >= tries)
            or (asked_wait_s(error) or 0.0) > policy.longest_wait_s
            or state.upcoming_sleep + policy.least_left_s > left_s()
        )

    def report(state: RetryCallState) -> None:
        _log.info(
            "%s: call %d failed (%s); trying again in %.1f s.",
            provider,
            tally.total(),
            _failure_of(state).kind,
            state.upcoming_sleep,
        )
        metrics.count_retry(provider, _failure_of(state).kind)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(ProviderError),
        wait=wait,
        stop=stop,
        sleep=sleep,
        before_sleep=report,
        reraise=True,
    )
    return await retrying(counted)


def _failure_of(state: RetryCallState) -> ProviderError:
    error = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(error, ProviderError):
        raise TypeError("tenacity asks about an outcome that is no failure of a provider.")
    return error
