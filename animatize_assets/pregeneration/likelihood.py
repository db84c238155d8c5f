"""How probable it is that a pattern is asked of a stored image before its picture is dropped.

A request comes with a hazard per day, as in discrete-time survival analysis (D. R. Cox, "Regression
models and life-tables", 1972; Singer and Willett, "It's about time", 1993): among the days on which
an image was in the same situation and had not been asked for the pattern, the share on which it
was. All days count that were seen, also those of images whose further days are not known yet.

The situation is told more and more closely: any; how many days nothing was asked of the image;
what was asked last; everything that was asked; with the kind of movement. The share of a closer
situation is drawn towards that of the wider one by the m-estimate (B. Cestnik, "Estimating
probabilities", ECAI 1990), the wider one counting as :data:`PRIOR_DAYS` days of the closer. So what
was seen often speaks for itself, and what was never seen is told by what is like it. A pattern that
nobody ever asked for is begun with the product of the shares of its parts. Days count less the
longer ago they are (``patterns.decayed``).

Belongs here: learning this from requests, and asking it. Does not belong here: which pictures are
made (``planning``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from animatize_assets.pregeneration.demand import Asked, Demand
from animatize_assets.pregeneration.patterns import DAY, HALF_LIFE_DAYS, Pattern, decayed

PRIOR_DAYS = 2.0
"""How many days of a closer situation the wider one counts as: Cestnik's m, whose usual value is
2."""

LONGEST_QUIET = 14
"""Days without a request from which on an image counts as quiet, however long."""

Situation = tuple[Hashable, ...]


@dataclass(frozen=True)
class _State:
    """Where an image stands at the beginning of a day."""

    had: frozenset[Pattern]
    newest: Pattern | None
    quiet: int
    """Whole days since the last request or, without one, since it is stored; capped."""
    movement: str | None

    def situations(self) -> tuple[Situation, ...]:
        """From the widest to the closest."""
        return (
            (),
            (self.quiet,),
            (self.quiet, self.newest),
            (self.quiet, self.newest, self.had),
            (self.quiet, self.newest, self.had, self.movement),
        )


@dataclass
class _Seen:
    """What was seen of one situation, in decayed days."""

    days: float = 0.0
    had: defaultdict[Pattern, float] = field(default_factory=lambda: defaultdict(float))
    """Days on which the pattern had been asked for before, and so could not come for the first
    time."""
    asked: defaultdict[Pattern, float] = field(default_factory=lambda: defaultdict(float))


class Likelihood:
    """What the requests up to ``now`` tell of the next ones. Made by :meth:`learn`."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._seen: defaultdict[Situation, _Seen] = defaultdict(_Seen)
        self._states: dict[str, _State] = {}
        self._parts: dict[str, defaultdict[object, float]] = {}
        self._requests = 0.0
        self._likely: dict[tuple[_State, float, float], tuple[tuple[Pattern, float], ...]] = {}

    @classmethod
    def learn(
        cls, demand: Demand, now: datetime, *, half_life_days: float = HALF_LIFE_DAYS
    ) -> Likelihood:
        """Learn from all requests of ``demand``, which are of before ``now``."""
        likelihood = cls(now)
        of_image: defaultdict[str, list[Asked]] = defaultdict(list)
        for each in demand.asked:
            of_image[each.image_key].append(each)
        for image_key in {**demand.stored, **of_image}:
            history = of_image.get(image_key, [])
            since = demand.stored.get(image_key) or history[0].at
            likelihood._add(image_key, history, since, half_life_days)
        likelihood._count_parts(demand.asked, half_life_days)
        return likelihood

    def had(self, image_key: str) -> frozenset[Pattern]:
        """Return the patterns that were asked of an image already."""
        state = self._states.get(image_key)
        return frozenset() if state is None else state.had

    def probability(self, image_key: str, pattern: Pattern, days: float) -> float:
        """Return how probable it is that ``pattern`` is asked of the image within ``days``, 0..1.

        For one that has not been asked of it yet, if nothing else is asked of it meanwhile.

        Raises:
            KeyError: there is no such image.
        """
        return self._probability(self._states[image_key], pattern, days)

    def likely(
        self, image_key: str, patterns: Sequence[Pattern], days: float, least: float
    ) -> tuple[tuple[Pattern, float], ...]:
        """Return those of ``patterns`` that are at least so probable, and how probable.

        The same ``patterns`` each time: images in the same situation share one answer.

        Raises:
            KeyError: there is no such image.
        """
        state = self._states[image_key]
        key = (state, days, least)
        if key not in self._likely:
            self._likely[key] = tuple(
                (pattern, probability)
                for pattern in patterns
                if pattern not in state.had
                and self._is_possible(state, pattern, days, least)
                and (probability := self._probability(state, pattern, days)) >= least
            )
        return self._likely[key]

    def _is_possible(self, state: _State, pattern: Pattern, days: float, least: float) -> bool:
        """Tell at once of most patterns that they are not: never asked for in such a situation."""
        for later in _days_ahead(state, days):
            if any(
                pattern in seen.asked
                for situation in later.situations()[1:]
                if (seen := self._seen.get(situation)) is not None
            ):
                return True
        at_most = 1.0 - (1.0 - self._hazard_of(((),), pattern)) ** max(1, round(days))
        return at_most >= least

    def _probability(self, state: _State, pattern: Pattern, days: float) -> float:
        not_asked = 1.0
        for later in _days_ahead(state, days):
            not_asked *= 1.0 - self._hazard_of(later.situations(), pattern)
        return 1.0 - not_asked

    def _hazard_of(self, situations: Sequence[Situation], pattern: Pattern) -> float:
        rate = self._begun_with(pattern)
        for situation in situations:
            seen = self._seen.get(situation)
            if seen is None:
                break  # nothing closer was seen either
            days = max(0.0, seen.days - seen.had.get(pattern, 0.0))
            asked = seen.asked.get(pattern, 0.0)
            rate = (asked + PRIOR_DAYS * rate) / (max(days, asked) + PRIOR_DAYS)
        return rate

    def _begun_with(self, pattern: Pattern) -> float:
        """Return the hazard of a pattern of which only the parts are known."""
        days = self._seen[()].days
        if self._requests <= 0 or days <= 0:
            return 0.0
        share = 1.0
        for part, counts in self._parts.items():
            share *= counts[getattr(pattern, part)] / self._requests
        return min(1.0, share * self._requests / days)

    def _add(
        self, image_key: str, history: Sequence[Asked], since: datetime, half_life_days: float
    ) -> None:
        state = _State(frozenset(), None, 0, None)
        last, position = since, 0
        for start in self._days(since):
            while position < len(history) and history[position].at < start:
                state, last = _after(state, history[position]), history[position].at
                position += 1
            state = _quiet_since(state, start - last)
            first = {
                each.pattern
                for each in history[position:]
                if each.at < start + DAY and each.pattern not in state.had
            }
            self._see(state, first, decayed(self._now - start, half_life_days))
        for each in history[position:]:
            state, last = _after(state, each), each.at
        self._states[image_key] = _quiet_since(state, self._now - last)

    def _days(self, since: datetime) -> Iterator[datetime]:
        """Begin each whole day up to now on which the image was stored from its beginning."""
        for number in range(int((self._now - since) / DAY), 0, -1):
            yield self._now - number * DAY

    def _see(self, state: _State, first: set[Pattern], weight: float) -> None:
        for situation in state.situations():
            seen = self._seen[situation]
            seen.days += weight
            for pattern in state.had:
                seen.had[pattern] += weight
            for pattern in first:
                seen.asked[pattern] += weight

    def _count_parts(self, asked: Sequence[Asked], half_life_days: float) -> None:
        parts = ("target", "style", "provider", "size")
        self._parts = {part: defaultdict(float) for part in parts}
        for each in asked:
            weight = decayed(self._now - each.at, half_life_days)
            self._requests += weight
            for part, counts in self._parts.items():
                counts[getattr(each.pattern, part)] += weight


def _days_ahead(state: _State, days: float) -> Iterator[_State]:
    """Give the image's state on each of the coming days, if nothing is asked of it."""
    for ahead in range(max(1, round(days))):
        quiet = min(LONGEST_QUIET, state.quiet + ahead)
        yield _State(state.had, state.newest, quiet, state.movement)


def _after(state: _State, asked: Asked) -> _State:
    return _State(state.had | {asked.pattern}, asked.pattern, 0, asked.movement)


def _quiet_since(state: _State, quiet: timedelta) -> _State:
    days = min(LONGEST_QUIET, int(max(timedelta(), quiet) / DAY))
    return _State(state.had, state.newest, days, state.movement)
