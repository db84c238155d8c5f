"""How probable it is that a pattern is asked of a stored image before its picture is dropped.

Told by survival analysis in whole days. Each night on which an image was stored begins a life that
ends when the pattern is asked of it; nights of the last week, whose end is not known yet, count as
far as they were seen (E. L. Kaplan and P. Meier, "Nonparametric estimation from incomplete
observations", 1958). Nights count less the longer ago they are (``patterns.decayed``).

Lives are compared in situations that are told more and more closely: any; how many days nothing was
asked of the image; also what was asked of it first, and how many patterns so far; also the kind of
movement. The probability of a closer situation is drawn towards that of the wider one by the
m-estimate (B. Cestnik, "Estimating probabilities", ECAI 1990), the wider one counting as
:data:`PRIOR_NIGHTS` nights of the closer. What the closer one saw is left out of the wider, so that
nothing is counted twice. So what was seen often speaks for itself, and what was never seen is told
by what is like it. A pattern that nobody ever asked for is begun with the product of the shares of
its parts.

Belongs here: learning this from requests, and asking it. Does not belong here: which pictures are
made (``planning``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from animatize_assets.pregeneration.demand import Asked, Demand
from animatize_assets.pregeneration.patterns import DAY, HALF_LIFE_DAYS, Pattern, decayed

PRIOR_NIGHTS = 1.0
"""How many nights of a closer situation the wider one counts as: Cestnik's m. One is the whole
weight of the prior of Krichevsky and Trofimov (1981), which keeps a share off 0 and 1."""

HORIZON = 7
"""Days ahead that are learned, the longest that can be asked for."""

LONGEST_QUIET = 7
"""Days without a request from which on an image counts as quiet, however long."""

MANY = 3
"""Patterns asked of an image from which on their number tells nothing more."""

PARTS = ("target", "style", "provider", "size")

Situation = tuple[Hashable, ...]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Place:
    """All that is taken into account of an image at the beginning of a day."""

    quiet: int = 0
    """Whole days since the last request or, without one, since it is stored; capped."""
    first: int | None = None
    """Number of the pattern that was asked of it first."""
    count: int = 0
    """Patterns asked of it; capped."""
    movement: str | None = None

    def situations(self) -> tuple[Situation, ...]:
        """From the widest to the closest."""
        return (
            (),
            (self.quiet,),
            (self.quiet, self.first, self.count),
            (self.quiet, self.first, self.count, self.movement),
        )


@dataclass(frozen=True)
class _State:
    """An image with everything that was asked of it, by the patterns' numbers."""

    had: frozenset[int] = frozenset()
    place: _Place = _Place()


@dataclass(frozen=True)
class _Life:
    """What became of the patterns after one night of an image; equal ones are counted together."""

    place: _Place
    seen: int
    """Whole days after it that are known, up to the horizon."""
    had: frozenset[int]
    asked: frozenset[tuple[int, int]]
    """Number of a pattern, and after how many whole days it was asked for."""


class _Seen:
    """The lives of one situation: nights at risk and requests, by day ahead and pattern."""

    def __init__(self, patterns: int) -> None:
        self.at_risk: Floats = np.zeros((HORIZON, patterns))
        self.asked: Floats = np.zeros((HORIZON, patterns))

    def add(self, life: _Life, weight: float) -> None:
        self.at_risk[: life.seen] += weight
        self.at_risk[: life.seen, list(life.had)] -= weight
        for number, day in life.asked:
            self.at_risk[day + 1 : life.seen, number] -= weight
            self.asked[day, number] += weight


class Likelihood:
    """What the requests up to a moment tell of the next ones. Made by :meth:`learn`."""

    def __init__(self, now: datetime, patterns: Sequence[Pattern], candidates: int) -> None:
        self._now = now
        self._patterns = patterns
        self._candidates = candidates
        self._number = {pattern: number for number, pattern in enumerate(patterns)}
        self._seen: dict[Situation, _Seen] = {}
        self._states: dict[str, _State] = {}
        self._begun_with: Floats = np.zeros(len(patterns))
        self._told: dict[tuple[_Place, int], Floats] = {}

    @classmethod
    def learn(
        cls,
        demand: Demand,
        now: datetime,
        patterns: Sequence[Pattern] = (),
        *,
        half_life_days: float = HALF_LIFE_DAYS,
    ) -> Likelihood:
        """Learn from all requests of ``demand``, which are of before ``now``.

        ``patterns``: those that :meth:`likely` tells of; by default those that were asked for.
        """
        asked = [each.pattern for each in demand.asked]
        known = tuple(dict.fromkeys([*patterns, *asked]))
        likelihood = cls(now, known, len(dict.fromkeys(patterns)) or len(known))
        of_image: defaultdict[str, list[Asked]] = defaultdict(list)
        for each in demand.asked:
            of_image[each.image_key].append(each)
        lives: defaultdict[_Life, float] = defaultdict(float)
        for image_key in {**demand.stored, **of_image}:
            history = of_image.get(image_key, [])
            since = demand.stored.get(image_key) or history[0].at
            for night, life in likelihood._lives(image_key, history, since):
                lives[life] += decayed(now - night, half_life_days)
        for life, weight in lives.items():
            for situation in life.place.situations():
                seen = likelihood._seen.setdefault(situation, _Seen(len(known)))
                seen.add(life, weight)
        likelihood._begin(demand.asked, half_life_days)
        return likelihood

    def had(self, image_key: str) -> frozenset[Pattern]:
        """Return the patterns that were asked of an image already."""
        state = self._states.get(image_key, _State())
        return frozenset(self._patterns[number] for number in state.had)

    def probability(self, image_key: str, pattern: Pattern, days: float) -> float:
        """Return how probable it is that ``pattern`` is asked of the image within ``days``, 0..1.

        For one that has not been asked of it yet. 0 of a pattern that was neither asked for nor
        named to :meth:`learn`.

        Raises:
            KeyError: there is no such image.
        """
        number = self._number.get(pattern)
        told = self._within(self._states[image_key].place, _whole(days))
        return 0.0 if number is None else float(told[number])

    def likely(
        self, image_key: str, days: float, least: float
    ) -> tuple[tuple[Pattern, float], ...]:
        """Return the patterns that will be asked for with at least that probability, and it.

        Those that were asked of the image already are not among them.

        Raises:
            KeyError: there is no such image.
        """
        state = self._states[image_key]
        told = self._within(state.place, _whole(days))[: self._candidates]
        return tuple(
            (self._patterns[number], float(told[number]))
            for number in np.flatnonzero(told >= least).tolist()
            if number not in state.had
        )

    def _within(self, place: _Place, days: int) -> Floats:
        """Return the probability of every pattern; images in one place share the answer."""
        key = (place, days)
        if key not in self._told:
            told, situations = self._begun_with, place.situations()
            for situation, closer in zip_longest(situations, situations[1:]):
                seen = self._seen.get(situation)
                if seen is None:
                    break  # nothing closer was seen either
                at_risk, asked = seen.at_risk[:days], seen.asked[:days]
                within = self._seen.get(closer)
                if within is not None:
                    at_risk, asked = at_risk - within.at_risk[:days], asked - within.asked[:days]
                told = _drawn(at_risk, asked, told)
            self._told[key] = told
        return self._told[key]

    def _lives(
        self, image_key: str, history: Sequence[Asked], since: datetime
    ) -> Iterator[tuple[datetime, _Life]]:
        """Give each night on which the image was stored; notes where the image stands now."""
        first: dict[int, datetime] = {}
        for each in history:
            first.setdefault(self._number[each.pattern], each.at)
        state, last, position = _State(), since, 0
        for before in range(int((self._now - since) / DAY), -1, -1):
            night = self._now - before * DAY
            while position < len(history) and history[position].at < night:
                state, last = self._after(state, history[position]), history[position].at
                position += 1
            state = _quiet_since(state, night - last)
            known = min(HORIZON, before)
            if known:
                asked = frozenset(
                    (number, day)
                    for number, at in first.items()
                    if at >= night and (day := int((at - night) / DAY)) < known
                )
                yield night, _Life(state.place, known, state.had, asked)
        self._states[image_key] = state

    def _begin(self, asked: Sequence[Asked], half_life_days: float) -> None:
        """Begin each pattern with the product of the shares of its parts."""
        weights = [decayed(self._now - each.at, half_life_days) for each in asked]
        requests, seen = sum(weights), self._seen.get(())
        if requests <= 0 or seen is None:
            return
        shares: dict[str, defaultdict[object, float]] = {part: defaultdict(float) for part in PARTS}
        for each, weight in zip(asked, weights, strict=True):
            for part, of_part in shares.items():
                of_part[getattr(each.pattern, part)] += weight / requests
        a_day = float(seen.asked[0].sum() / max(1.0, seen.at_risk[0].max()))
        for pattern, number in self._number.items():
            share = np.prod([shares[part][getattr(pattern, part)] for part in PARTS])
            self._begun_with[number] = 1.0 - (1.0 - min(1.0, float(share) * a_day)) ** HORIZON

    def _after(self, state: _State, asked: Asked) -> _State:
        number = self._number[asked.pattern]
        had = state.had | {number}
        first = number if state.place.first is None else state.place.first
        return _State(had, _Place(0, first, min(MANY, len(had)), asked.movement))


def _drawn(at_risk: Floats, asked: Floats, wider: Floats) -> Floats:
    """Return the probability by the lives, drawn towards ``wider``; all by pattern."""
    # Sums of floats may miss each other by their last digits.
    at_risk, asked = np.maximum(at_risk, 0.0), np.maximum(asked, 0.0)
    hazards = np.divide(
        asked, at_risk, out=np.zeros_like(asked), where=at_risk > np.finfo(float).eps
    )
    within = 1.0 - np.prod(1.0 - np.minimum(hazards, 1.0), axis=0)
    nights = at_risk[0]
    drawn: Floats = (nights * within + PRIOR_NIGHTS * wider) / (nights + PRIOR_NIGHTS)
    return drawn


def _whole(days: float) -> int:
    return min(HORIZON, max(1, round(days)))


def _quiet_since(state: _State, quiet: timedelta) -> _State:
    days = min(LONGEST_QUIET, int(max(timedelta(), quiet) / DAY))
    return _State(state.had, replace(state.place, quiet=days))
