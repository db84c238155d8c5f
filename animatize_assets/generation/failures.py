"""What follows from each kind of failure: one table for every provider.

Belongs here: the table. Does not belong here: telling a kind from a status or code (each provider
does that for its own answers), waiting (``retrying``), counting (``breaker``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from animatize_assets.errors import FAILURE_KINDS, BudgetExceeded, NotConfigured, ProviderError


class Next(Enum):
    """Whether another provider may be asked after the last try with this one."""

    ANYONE = "anyone"
    IF_SHARED = "if_shared"
    """Only one of our own, unless the user allowed to show refused content to others."""
    NOBODY = "nobody"


class Verdict(Enum):
    """What a call says of its provider's health."""

    GOOD = "good"
    """It answered as it should, be it with a refusal of this one request."""
    NEUTRAL = "neutral"
    BAD = "bad"
    CUT_OFF = "cut_off"
    """Every further call would end the same way: it is not asked for a while."""


@dataclass(frozen=True)
class Rule:
    """What follows from one kind of failure."""

    tries: int | None
    """Calls to the same provider that may end this way for one picture; None: the policy's limit.
    One means that it is never asked again."""
    waits: bool
    """Whether a retry waits: the provider's word, else exponential with full jitter."""
    then: Next
    verdict: Verdict
    may_be_billed: bool
    """Whether the call counts as possible spend even when the provider names no amount."""
    why: str


RULES: dict[str, Rule] = {
    "transient": Rule(None, True, Next.ANYONE, Verdict.BAD, False, "it passes by itself"),
    "rate_limited": Rule(
        None, True, Next.ANYONE, Verdict.NEUTRAL, False, "it is healthy and asks us to be slower"
    ),
    "quota": Rule(
        1, False, Next.ANYONE, Verdict.CUT_OFF, False, "only a person can top up the account"
    ),
    "refused_content": Rule(
        1, False, Next.IF_SHARED, Verdict.GOOD, False, "the same content is refused again"
    ),
    "invalid_request": Rule(
        1, False, Next.NOBODY, Verdict.GOOD, False, "a person must correct it; others hide that"
    ),
    "not_configured": Rule(
        1, False, Next.ANYONE, Verdict.CUT_OFF, False, "only a person can give another key"
    ),
    "ambiguous": Rule(
        3, True, Next.ANYONE, Verdict.BAD, True, "each further try may be billed once more"
    ),
    "bad_output": Rule(
        2, True, Next.ANYONE, Verdict.BAD, False, "once may be bad luck, and each try is billed"
    ),
    "rendering": Rule(
        1, False, Next.NOBODY, Verdict.GOOD, False, "the same frame cannot be drawn again either"
    ),
}
"""One rule for each of :data:`animatize_assets.errors.FAILURE_KINDS`."""

if RULES.keys() != FAILURE_KINDS.keys():
    raise AssertionError("failures.RULES must have one rule for each of errors.FAILURE_KINDS.")


def kind_of(error: ProviderError | NotConfigured) -> str:
    """Return the kind in the table."""
    return error.kind if isinstance(error, ProviderError) else "not_configured"


def rule_of(error: ProviderError | NotConfigured) -> Rule:
    """Return what follows from ``error``."""
    return RULES[kind_of(error)]


def possible_spend(error: ProviderError | NotConfigured) -> float | None:
    """Return what the failed call was billed, US dollars; None when that is not known.

    An amount of zero is not believed where the answer was lost: nobody can know it then.
    """
    if isinstance(error, NotConfigured):
        return 0.0
    if rule_of(error).may_be_billed and not error.billed_usd:
        return None
    return error.billed_usd


Refusal = ProviderError | NotConfigured | BudgetExceeded
"""How a call to a provider may end without a picture."""
