"""What the head of an HTTP answer says: what kind of failure it is, and how long to wait.

Belongs here: status codes and waiting times, as all providers mean them. Does not belong here:
bodies and codes of one provider (each provider's own module), the connection (``http_exchange``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

SUCCESS = "success"
"""What :func:`kind_of_status` says of an answer that is no failure."""

_KINDS = {
    401: "not_configured",
    402: "quota",
    403: "not_configured",
    408: "transient",
    409: "transient",
    425: "transient",
    429: "rate_limited",
}
"""RFC 9110 and RFC 6585. 409: another request for the same thing is under way."""


def kind_of_status(status: int) -> str:
    """Return the kind of failure that a status alone means, one of ``errors.FAILURE_KINDS``.

    A provider that says more in its body (two families of 429, a refusal as 400) asks that first.
    A redirect is ``transient``: none is followed, and the address was right before.
    """
    if 200 <= status < 300:
        return SUCCESS
    if status in _KINDS:
        return _KINDS[status]
    return "invalid_request" if 400 <= status < 500 else "transient"


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return how long the server asks to wait, seconds, never negative; None when it does not say.

    ``retry-after-ms`` is exact and wins; ``retry-after`` is seconds or a date (RFC 9110, 10.2.3).
    ``now``: against what a date is read; aware, by default the clock.
    """
    named = {name.lower(): value.strip() for name, value in headers.items()}
    exact = _number(named.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    text = named.get("retry-after")
    seconds = _number(text)
    if seconds is not None or not text:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone is GMT: HTTP knows no other.
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and isfinite(number) and number >= 0 else None
