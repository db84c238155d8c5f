"""Which pictures are made tonight: the most probable ones, within money, time and waste.

What is free (one's own hardware) comes first, as far as its time goes; then what a batch sells
below the price by day, the most probable first, while

- the batch price is below what the picture will save on average (probability x price by day),
- the budget allows it, at the most that it may cost,
- the expected waste of the whole list, the mean of 1 - probability, is within what is allowed.

A picture that nobody sells cheaper at night is left to the day: making it ahead could only lose.

Belongs here: this choice. Does not belong here: probabilities (``likelihood``), prices
(``offers``), making anything (``night``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from animatize_assets.pregeneration.offers import Offer, Way
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.records import Measured, Record, Share

LeftOut = Literal[
    "over_budget",
    "no_time",
    "too_many",
    "too_wasteful",
    "not_cheaper",
    "kept",
    "under_way",
    "failed_before",
    "not_ready",
    "not_configured",
]


@dataclass(frozen=True)
class Candidate:
    """A pair of a stored image and a pattern."""

    image_key: str
    pattern: Pattern
    probability: float
    """That it is asked for before its picture would be dropped, 0..1."""


@dataclass(frozen=True)
class Quoted:
    """A candidate that could be made, and how."""

    fingerprint: str
    """Under which the result store would keep the picture."""
    model: str
    movement: str
    offer: Offer
    seconds: float = 0.0
    """Of the night's window; 0 for work that others do."""


@dataclass(frozen=True)
class Limits:
    """What a night may take."""

    budget_usd: float
    window_s: float
    most: int
    waste: float
    """Share of the list that may be expected to be never asked for, 0..1."""


class PlannedPicture(Record):
    """One picture of the plan."""

    image_key: str
    target: str
    style: str
    provider: str
    model: str
    size: tuple[int, int] | None = Field(description="px; None: as the image has it")
    movement: str
    fingerprint: str
    probability: Share
    way: Way
    cost_usd: Measured = Field(ge=0, description="at most")
    by_day_usd: Measured = Field(ge=0, description="at most, without the night's price")
    seconds: Measured = Field(ge=0, description="of the night's window")

    @property
    def pattern(self) -> Pattern:
        """The request without its image."""
        return Pattern(self.target, self.style, self.provider, self.size)


class Plan(Record):
    """What a night makes, in this order."""

    pictures: tuple[PlannedPicture, ...]
    cost_usd: Measured = Field(ge=0, description="at most")
    by_day_usd: Measured = Field(ge=0, description="the same list on demand, at most")
    seconds: Measured = Field(ge=0, description="of the window, on one's own hardware")
    expected_uses: Measured = Field(ge=0, description="pictures, the sum of the probabilities")
    left_out: dict[str, int] = Field(description="why -> candidates that are not made")


Quote = Callable[[Candidate], "Quoted | LeftOut"]
"""How a candidate could be made, or why it cannot or need not be."""


def plan_night(
    candidates: Iterable[Candidate], quote: Quote, limits: Limits, *, own: frozenset[str]
) -> Plan:
    """Choose among ``candidates``. ``own``: the providers that are one's own hardware.

    ``quote`` is asked of one candidate after the other, and of no more than are needed.
    """
    choice = _Choice(limits)
    # Sorted by what does not depend on the order in which they were found: the same every time.
    ordered = sorted(
        candidates,
        key=lambda each: (
            each.pattern.provider not in own,
            -each.probability,
            each.image_key,
            each.pattern.order,
        ),
    )
    for candidate in ordered:
        if why := choice.refuses(candidate):
            choice.left_out[why] += 1
            continue
        quoted = quote(candidate)
        if isinstance(quoted, str):
            choice.left_out[quoted] += 1
        else:
            choice.consider(candidate, quoted)
    return choice.plan()


class _Choice:
    """The plan in the making."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pictures: list[PlannedPicture] = []
        self._cost_usd = self._seconds = self._unused = 0.0
        self.left_out: Counter[LeftOut] = Counter()

    def refuses(self, candidate: Candidate) -> LeftOut | None:
        """Why a candidate is left out whatever it costs."""
        if len(self._pictures) >= self._limits.most:
            return "too_many"
        unused = self._unused + 1 - candidate.probability
        if unused > self._limits.waste * (len(self._pictures) + 1) + 1e-9:
            return "too_wasteful"
        return None

    def consider(self, candidate: Candidate, quoted: Quoted) -> None:
        offer, limits = quoted.offer, self._limits
        if offer.cost_usd > 0 and offer.cost_usd >= candidate.probability * offer.by_day_usd:
            self.left_out["not_cheaper"] += 1
        elif self._cost_usd + offer.cost_usd > limits.budget_usd:
            self.left_out["over_budget"] += 1
        elif self._seconds + quoted.seconds > limits.window_s:
            self.left_out["no_time"] += 1
        else:
            self._cost_usd += offer.cost_usd
            self._seconds += quoted.seconds
            self._unused += 1 - candidate.probability
            self._pictures.append(_planned(candidate, quoted))

    def plan(self) -> Plan:
        return Plan(
            pictures=tuple(self._pictures),
            cost_usd=self._cost_usd,
            by_day_usd=sum(each.by_day_usd for each in self._pictures),
            seconds=self._seconds,
            expected_uses=sum(each.probability for each in self._pictures),
            left_out={str(why): count for why, count in sorted(self.left_out.items())},
        )


def _planned(candidate: Candidate, quoted: Quoted) -> PlannedPicture:
    pattern = candidate.pattern
    return PlannedPicture(
        image_key=candidate.image_key,
        target=pattern.target,
        style=pattern.style,
        provider=pattern.provider,
        model=quoted.model,
        size=pattern.size,
        movement=quoted.movement,
        fingerprint=quoted.fingerprint,
        probability=candidate.probability,
        way=quoted.offer.way,
        cost_usd=quoted.offer.cost_usd,
        by_day_usd=quoted.offer.by_day_usd,
        seconds=quoted.seconds,
    )
