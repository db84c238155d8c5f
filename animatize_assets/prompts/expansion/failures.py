"""What it means when OpenAI does not answer: told from status, code and type, never from words.

Belongs here: from the SDK's exceptions to the project's kinds. Does not belong here: what follows
from a kind (``generation.failures``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from animatize_assets.errors import ProviderError

if TYPE_CHECKING:
    from openai import OpenAIError

T = TypeVar("T")

QUOTA_CODES = frozenset({
    "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
})  # fmt: skip
"""The 429 that does not pass by waiting."""

REFUSAL_CODES = frozenset({"content_policy_violation", "moderation_blocked", "content_filter"})

_BY_STATUS = {
    401: "not_configured",
    402: "quota",
    403: "not_configured",
    408: "transient",
    409: "transient",
    425: "transient",
}


def kind_of(status: int, error: object) -> str:
    """Return the kind of an HTTP failure; ``error``: the ``error`` object of its body."""
    told = error if isinstance(error, Mapping) else {}
    code, family = told.get("code"), told.get("type")
    if code in REFUSAL_CODES:
        return "refused_content"
    if code in QUOTA_CODES or family == "insufficient_quota":
        return "quota"
    if status == 429:
        return "rate_limited"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "transient" if status >= 500 else "invalid_request"


def wait_of(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long the server asks to wait, seconds; None when it does not say."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = headers.get(name)
        if said is None:
            continue
        try:
            seconds = float(said) * scale
        except ValueError:
            try:
                at = parsedate_to_datetime(said)
            except ValueError:
                continue
            seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def refused_parameter(error: OpenAIError) -> str | None:
    """Return the parameter that a 400 names; None when it names none, or is another failure."""
    import openai

    return error.param if isinstance(error, openai.BadRequestError) else None


def provider_error(error: OpenAIError, what: str) -> ProviderError:
    """Build the project's error. ``what``: what was asked for, as the sentence's subject."""
    import openai

    if isinstance(error, openai.APIStatusError):
        kind = kind_of(error.status_code, error.body)
        named = f", {error.code}" if error.code else ""
        return ProviderError(
            f"{what} failed with HTTP {error.status_code}{named}; {_REMEDIES[kind]}.",
            kind=kind,
            retry_after_s=wait_of(error.response.headers, datetime.now(UTC)),
            remote_id=error.request_id,
            billed_usd=0.0,
        )
    if isinstance(error, openai.APIConnectionError):
        if _never_sent(error):
            return ProviderError(
                f"{what} failed as no connection could be made; see that the address is right.",
                kind="transient",
            )
        return ProviderError(
            f"{what} was sent and its answer was lost; it may have been billed.",
            kind="ambiguous",
            billed_usd=None,
        )
    return ProviderError(
        f"{what} failed in the client ({type(error).__name__}); see that the key and the address "
        "are set.",
        kind="not_configured",
    )


@contextmanager
def exchanging(what: str) -> Iterator[None]:
    """Turn the SDK's errors into the project's; ``what``: what is asked for, as their subject.

    Raises:
        ProviderError: its ``__cause__`` is the SDK's error.

    """
    import openai

    try:
        yield
    except openai.OpenAIError as error:
        raise provider_error(error, what) from error
    except json.JSONDecodeError as error:  # of a malformed 200 the SDK lets this one out
        raise malformed(what) from error


def whole(answer: T, form: type[T], what: str) -> T:
    """Return ``answer`` if it is what the SDK says it is: of a malformed 200 it makes anything.

    Raises:
        ProviderError: ``bad_output``.

    """
    if not isinstance(answer, form) or getattr(answer, "id", None) is None:
        raise malformed(what)
    return answer


def malformed(what: str) -> ProviderError:
    """Build the error of an answer that cannot be read."""
    return ProviderError(
        f"{what} was answered with something else; see that the address speaks OpenAI's protocol.",
        kind="bad_output",
        billed_usd=None,
    )


_REMEDIES = {
    "transient": "it passes by itself",
    "rate_limited": "ask again later, or for less at a time",
    "quota": "top up the account or raise its limit",
    "refused_content": "change what the prompt says",
    "invalid_request": "see that the model is live and takes what is asked",
    "not_configured": "see that the key is valid and may use this model",
}


def _never_sent(error: OpenAIError) -> bool:
    import httpx2

    return isinstance(
        error.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
    )
