from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from animatize_assets.generation.openai_failures import failure_of

NEVER_SENT = {
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
}


def _every(base: type[Exception]) -> Iterator[type[Exception]]:
    yield base
    for below in base.__subclasses__():
        yield from _every(below)


@pytest.mark.parametrize(
    "cause", sorted(set(_every(httpx2.TransportError)), key=str), ids=lambda cause: cause.__name__
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_only_what_surely_never_left_us_costs_nothing(
    cause: type[Exception], wrapped: bool
) -> None:
    import openai  # as in the package: never at module level

    error = cause("secret")
    if wrapped:
        error = openai.APIConnectionError(request=httpx2.Request("POST", "https://api.example"))
        error.__cause__ = cause("secret")
    failure = failure_of(error, model="m", successor=None)
    assert "secret" not in str(failure)
    if cause in NEVER_SENT:
        assert failure.kind in {"transient", "not_configured"}
        assert failure.billed_usd == 0.0
    else:
        assert (failure.kind, failure.billed_usd) == ("ambiguous", None)


def test_time_that_is_up_leaves_it_open() -> None:
    failure = failure_of(TimeoutError(), model="m", successor=None)
    assert (failure.kind, failure.billed_usd) == ("ambiguous", None)


def test_an_error_of_the_sdk_that_is_none_of_these_is_no_picture() -> None:
    import openai  # as in the package: never at module level

    failure = failure_of(openai.OpenAIError("x"), model="m", successor=None)
    assert (failure.kind, failure.billed_usd) == ("bad_output", None)
