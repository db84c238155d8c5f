"""A text model as this room needs to know it, what its answers use up, and what that costs.

Belongs here: the records and the arithmetic. Does not belong here: which models there are and what
they cost (the catalogue's data; prices come in as plain numbers), asking them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from animatize_assets.records import Record

PER_MILLION = 1_000_000
BATCH_SHARE = 0.5
"""A batch costs half (OpenAI's guide to the Batch API)."""


@dataclass(frozen=True)
class TextModel:
    """One model. Prices are US dollars for a million tokens; None = not known."""

    name: str
    input_usd: float | None = None
    cached_usd: float | None = None
    cache_write_usd: float | None = None
    output_usd: float | None = None
    takes_temperature: bool = True
    """Of itself; with the effort "none" it is sent in any case."""
    takes_seed: bool = True
    reasoning_effort: str | None = "none"
    """Sent as it is; None = not sent. Models that reason by default take a temperature only with
    "none", and would spend the bound of tokens on thinking; one that knows no effort refuses it
    once."""


class TextUsage(Record):
    """Tokens as the provider counted them. None: not told.

    ``input_tokens`` includes those read from the provider's cache and those written to it.
    """

    input_tokens: int | None = Field(default=None, ge=0)
    cached_tokens: int | None = Field(default=None, ge=0)
    cache_write_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)


def usage_of(told: object) -> TextUsage | None:
    """Read ``usage`` of a chat completion or of a batch; None when it tells no counts."""
    if not isinstance(told, Mapping):
        return None
    details = told.get("prompt_tokens_details") or told.get("input_tokens_details") or {}
    usage = TextUsage(
        input_tokens=_count(told, "prompt_tokens", "input_tokens"),
        output_tokens=_count(told, "completion_tokens", "output_tokens"),
        cached_tokens=_count(details, "cached_tokens"),
        cache_write_tokens=_count(details, "cache_write_tokens"),
    )
    return None if usage.input_tokens is None or usage.output_tokens is None else usage


def _count(told: Any, *names: str) -> int | None:
    for name in names:
        value = told.get(name) if isinstance(told, Mapping) else None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def cost_usd(model: TextModel, usage: TextUsage | None, *, share: float = 1.0) -> float | None:
    """Return what ``usage`` costs, US dollars; None when a count or a needed price is not known.

    ``share``: of the list price; :data:`BATCH_SHARE` for a batch.
    """
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    parts = (
        (max(usage.input_tokens - cached - written, 0), model.input_usd),
        (cached, model.cached_usd),
        (written, model.cache_write_usd),
        (usage.output_tokens, model.output_usd),
    )
    total = 0.0
    for tokens, price in parts:
        if not tokens:
            continue
        if price is None:
            return None
        total += tokens * price
    return total * share / PER_MILLION


def most_usd(model: TextModel, body: Mapping[str, Any], byte_count: int) -> float | None:
    """Return the most that a request may cost, US dollars; None when that is not known.

    ``byte_count``: of the request as sent. A token stands for at least one byte, so that is the
    most it can hold; the answer is bounded by ``max_completion_tokens``, and by nothing without.
    """
    answer = body.get("max_completion_tokens", body.get("max_tokens"))
    prices = [model.input_usd, model.output_usd]
    if answer is None or None in prices:
        return None
    dearest = max(price for price in (model.input_usd, model.cache_write_usd) if price is not None)
    return (byte_count * dearest + int(answer) * (model.output_usd or 0.0)) / PER_MILLION
