"""What a list of pictures will cost, told before anything is spent.

The model, per provider. Of the pictures that may be served from a cache, each is with the share
``h`` of past repeats that were. Each of the others needs one call that delivers, and before it
calls that fail and are billed, each call with the probability ``p`` measured on past calls. So the
calls that fail are negative binomial. A call costs its price, the most it may cost, times the
ratio of bill to price of past calls: gamma distributed with their mean and spread. ``h`` and ``p``
have beta distributions: what was counted, on top of the priors stated below. The expected cost is
the exact mean of this model; the interval are quantiles of draws from it, so it is wider the less
was measured.

Not in the model: fallbacks to another provider at another price, and budgets.

Belongs here: the estimate. Does not belong here: prices (``catalogue``), counting what happened
(``spending``, ``request_log``), time (estimators of time are elsewhere).
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sqlalchemy import Engine

from animatize_assets.generation.money import to_nanousd, to_usd
from animatize_assets.generation.request_log import Repeats, RequestLog
from animatize_assets.generation.spending import CallHistory, call_history
from animatize_assets.records import Measured, Record

INTERVAL = 0.9
"""The share of quotes whose true cost should lie between ``low_usd`` and ``high_usd``."""

BILLED_FAILURE_PRIOR = (0.5, 10.0)
"""As if half a billed failure and ten deliveries had been seen before: 6 % more calls. A stronger
prior drowns the first hundred calls of a provider that fails often."""

FAILURE_PRIOR = (1.0, 20.0)
"""The same for failures of any kind, which cost time and not always money."""

SERVED_PRIOR = (1.0, 1.0)
"""As if one repeat had been served from a cache and one had not."""

LEAST_PRICED = 10
"""Delivered calls with a known bill from which on their ratio to the price is believed. Below, a
call is taken to cost its price."""

_LEAST_SPREAD = 0.005
"""Below this ratio of deviation to mean the bills are taken to be all alike."""


@dataclass(frozen=True)
class Planned:
    """A picture that would be asked for."""

    provider: str
    image_key: str
    price_usd: float | None
    """The most that one call may cost (``expected_cost_usd`` of the provider); None: not known."""
    fingerprint: str = ""
    """Of the request; equal ones in a list are made once. Empty: it equals no other."""
    is_kept: bool | None = None
    """Whether the result store has it; None when nobody looked: then past repeats tell."""


@dataclass(frozen=True)
class History:
    """What is known of the past, per provider. Nothing known is a history, too."""

    calls: Mapping[str, CallHistory] = field(default_factory=dict)
    repeats: Mapping[str, Repeats] = field(default_factory=dict)
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Keys of the images that were asked for before: only these can be served from a cache."""

    @classmethod
    def read(cls, engine: Engine, providers: Iterable[str], *, since: datetime) -> History:
        """Return what the database tells of the time since ``since``.

        Take the time to live of the result store: what is older can serve no more.
        """
        log = RequestLog(engine)
        return cls(
            calls=call_history(engine, since=since),
            repeats=log.repeats(since=since),
            seen={provider: log.seen(provider, since=since) for provider in set(providers)},
        )


class ProviderQuote(Record):
    """The part of one provider."""

    provider: str
    pictures: int = Field(ge=0)
    kept: int = Field(ge=0, description="certain to come from a cache: looked up, or listed twice")
    expected_served: Measured = Field(ge=0, description="from a cache, the kept ones included")
    expected_calls: Measured = Field(ge=0, description="retries included")
    expected_usd: Measured | None = Field(description="None when a price is not known")
    low_usd: Measured | None
    high_usd: Measured | None
    deliveries_measured: int = Field(ge=0, description="0: the priors alone")


class Quote(Record):
    """Expected cost with a 90 % interval. The mean always lies within the interval."""

    pictures: int = Field(ge=0)
    expected_served: Measured = Field(ge=0)
    expected_usd: Measured | None = Field(description="None when a price is not known")
    low_usd: Measured | None
    high_usd: Measured | None
    why_unknown: str | None = Field(description="one sentence when the cost is not known")
    providers: tuple[ProviderQuote, ...]
    expected_seconds: Measured | None = Field(
        default=None,
        description="from the first call to the last picture, by the records of jobs; pictures "
        "from a cache take none. None: nobody estimated it",
    )


@dataclass(frozen=True)
class _Group:
    """Pictures of one provider at one price."""

    price_usd: float
    certain: int
    """Will be made for sure."""
    perhaps: int
    """Will be made unless a cache serves them."""


def quote(planned: Sequence[Planned], history: History, *, draws: int = 2_000) -> Quote:
    """Return what the pictures of ``planned`` would cost if they were asked for now.

    The same arguments give the same quote. One more picture never makes it cheaper. Nothing is
    asked of any provider.
    """
    by_provider: defaultdict[str, list[Planned]] = defaultdict(list)
    for picture in planned:
        by_provider[picture.provider].append(picture)
    told = [
        _quoted(provider, pictures, history, draws)
        for provider, pictures in sorted(by_provider.items())
    ]
    unknown = [part.provider for part, _ in told if part.expected_usd is None]
    quotes = tuple(part for part, _ in told)
    served = sum(part.expected_served for part in quotes)
    if unknown:
        of_whom = " and ".join(unknown)
        why = f"No price is known for the model of {of_whom}; see `animatize providers`."
        return Quote(
            pictures=len(planned),
            expected_served=served,
            expected_usd=None,
            low_usd=None,
            high_usd=None,
            why_unknown=why,
            providers=quotes,
        )
    expected = sum(part.expected_usd or 0.0 for part in quotes)
    low, high = _interval(sum((drawn for _, drawn in told), np.zeros(draws)), expected)
    return Quote(
        pictures=len(planned),
        expected_served=served,
        expected_usd=expected,
        low_usd=low,
        high_usd=high,
        why_unknown=None,
        providers=quotes,
    )


def _quoted(
    provider: str, pictures: Sequence[Planned], history: History, draws: int
) -> tuple[ProviderQuote, NDArray[np.float64]]:
    calls = history.calls.get(provider, CallHistory(0, 0, 0))
    repeats = history.repeats.get(provider, Repeats(0, 0))
    to_make = _to_make(pictures)
    seen = history.seen.get(provider, frozenset())
    perhaps = [each for each in to_make if each.is_kept is None and each.image_key in seen]
    unserved = 1 - (SERVED_PRIOR[0] + repeats.served) / (sum(SERVED_PRIOR) + repeats.repeats)
    made = len(to_make) - len(perhaps) + len(perhaps) * unserved
    expected: float | None = None
    drawn = np.zeros(draws)
    if all(each.price_usd is not None for each in to_make):
        model = _Model(provider, calls, repeats, draws)
        expected = 0.0
        for group in _groups(to_make, perhaps):
            expected += model.mean_usd(group, unserved)
            drawn += model.drawn_usd(group)
    low, high = (None, None) if expected is None else _interval(drawn, expected)
    return (
        ProviderQuote(
            provider=provider,
            pictures=len(pictures),
            kept=len(pictures) - len(to_make),
            expected_served=len(pictures) - made,
            expected_calls=made * (1 + _odds(FAILURE_PRIOR, calls.failed, calls.delivered)),
            expected_usd=expected,
            low_usd=low,
            high_usd=high,
            deliveries_measured=calls.delivered,
        ),
        drawn,
    )


def _to_make(pictures: Sequence[Planned]) -> list[Planned]:
    """Return those that no cache has for sure; of equal ones, the first."""
    listed: set[str] = set()
    remaining = []
    for picture in pictures:
        if picture.is_kept or picture.fingerprint in listed:
            continue
        if picture.fingerprint:
            listed.add(picture.fingerprint)
        remaining.append(picture)
    return remaining


def _groups(to_make: Sequence[Planned], perhaps: Sequence[Planned]) -> list[_Group]:
    everything = Counter(to_nanousd(each.price_usd or 0.0) for each in to_make)
    uncertain = Counter(to_nanousd(each.price_usd or 0.0) for each in perhaps)
    return [
        _Group(to_usd(price), count - uncertain[price], uncertain[price])
        for price, count in sorted(everything.items())
    ]


class _Model:
    """One provider's pictures: the mean in closed form, and draws.

    Every draw is a function of its own fixed random numbers that grows with the number of
    pictures (quantile functions), so quotes of longer lists are never cheaper.
    """

    def __init__(self, provider: str, calls: CallHistory, repeats: Repeats, draws: int) -> None:
        self._seed = zlib.crc32(provider.encode())
        self._calls = calls
        self._draws = draws
        random = np.random.default_rng(self._seed)
        missed = repeats.repeats - repeats.served
        self._unserved = random.beta(
            SERVED_PRIOR[1] + missed, SERVED_PRIOR[0] + repeats.served, draws
        )
        prior_failures, prior_deliveries = BILLED_FAILURE_PRIOR
        self._delivers = random.beta(
            prior_deliveries + calls.delivered, prior_failures + calls.billed_failures, draws
        )
        self._ratio, self._spread = 1.0, 0.0
        if calls.priced >= LEAST_PRICED and calls.cost_ratio > 0:
            self._ratio = calls.cost_ratio
            self._spread = calls.cost_ratio_sd / calls.cost_ratio
        # How far the measured mean may be off, as a factor with mean 1.
        error = self._spread / max(calls.priced, 1) ** 0.5
        self._mean_cost = self._ratio * np.exp(error * random.normal(size=draws) - error**2 / 2)

    def mean_usd(self, group: _Group, unserved: float) -> float:
        extra = _odds(BILLED_FAILURE_PRIOR, self._calls.billed_failures, self._calls.delivered)
        made = group.certain + group.perhaps * unserved
        return group.price_usd * self._ratio * made * (1 + extra)

    def drawn_usd(self, group: _Group) -> NDArray[np.float64]:
        from scipy import special, stats

        if group.price_usd == 0 or not group.certain + group.perhaps:
            return np.zeros(self._draws)
        random = np.random.default_rng([self._seed, to_nanousd(group.price_usd)])
        chance = random.random((3, self._draws))
        made = np.full(self._draws, float(group.certain))
        if group.perhaps:
            made += stats.binom.ppf(chance[0], group.perhaps, self._unserved)
        calls = made.copy()
        some = made > 0
        calls[some] += stats.nbinom.ppf(chance[1][some], made[some], self._delivers[some])
        cost = calls
        if self._spread >= _LEAST_SPREAD:
            scale = self._spread**2
            cost = np.zeros(self._draws)
            cost[some] = special.gammaincinv(calls[some] / scale, chance[2][some]) * scale
        drawn: NDArray[np.float64] = group.price_usd * self._mean_cost * cost
        return drawn


def _odds(prior: tuple[float, float], failures: int, deliveries: int) -> float:
    """Return the expected number of failed calls before one that delivers.

    For a failure probability of distribution Beta(a, b) it is the mean of p / (1 - p), which is
    a / (b - 1).
    """
    return (prior[0] + failures) / (prior[1] + deliveries - 1)


def _interval(drawn: NDArray[np.float64], expected: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    # A rare and dear failure can put the mean outside of the quantiles.
    return min(float(low), expected), max(float(high), expected)
