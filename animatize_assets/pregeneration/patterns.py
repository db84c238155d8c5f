"""What people ask for, without the image: target model, style, provider and size.

Belongs here: a pattern, how often each was asked for of late, and what is close to it. Does not
belong here: reading requests (``demand``), how probable a pattern is for one image
(``likelihood``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from animatize_assets.records import Measured, Record

if TYPE_CHECKING:
    from animatize_assets.pregeneration.demand import Asked

TOP = 100
"""Patterns that are looked at, the most asked for of late (the predecessor's number)."""

HALF_LIFE_DAYS = 7.0
"""After so long a request counts half: work in a studio comes in weeks."""

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pattern:
    """A request without its image."""

    target: str
    style: str
    provider: str
    size: tuple[int, int] | None
    """Width and height, px; None: as the image has it."""

    def __str__(self) -> str:
        size = "own size" if self.size is None else f"{self.size[0]}x{self.size[1]}"
        return f"{self.target}, {self.style}, {self.provider}, {size}"

    @property
    def order(self) -> tuple[str, str, str, tuple[int, int]]:
        """To sort by."""
        return self.target, self.style, self.provider, self.size or (0, 0)


class PatternCount(Record):
    """How often a pattern was asked for."""

    target: str
    style: str
    provider: str
    size: tuple[int, int] | None = Field(description="px; None: as the image has it")
    requests: int = Field(ge=1, description="in the window")
    weight: Measured = Field(gt=0, description="requests, each counting half after the half-life")
    movements: dict[str, int] = Field(description="kind of camera movement -> requests")

    @property
    def pattern(self) -> Pattern:
        """The pattern that was counted."""
        return Pattern(self.target, self.style, self.provider, self.size)


def decayed(age: timedelta, half_life_days: float = HALF_LIFE_DAYS) -> float:
    """Return what something of that age counts, 0..1."""
    return float(0.5 ** (max(timedelta(), age) / DAY / half_life_days))


def pattern_counts(
    asked: Iterable[Asked], now: datetime, *, half_life_days: float = HALF_LIFE_DAYS
) -> tuple[PatternCount, ...]:
    """Return every pattern that was asked for, the most asked for of late first."""
    requests: defaultdict[Pattern, int] = defaultdict(int)
    weights: defaultdict[Pattern, float] = defaultdict(float)
    movements: defaultdict[Pattern, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in asked:
        requests[each.pattern] += 1
        weights[each.pattern] += decayed(now - each.at, half_life_days)
        movements[each.pattern][each.movement] += 1
    return tuple(
        PatternCount(
            target=pattern.target,
            style=pattern.style,
            provider=pattern.provider,
            size=pattern.size,
            requests=requests[pattern],
            weight=weights[pattern],
            movements=dict(sorted(movements[pattern].items())),
        )
        for pattern in sorted(requests, key=lambda each: (-weights[each], each.order))
    )


def with_variations(top: Sequence[Pattern]) -> tuple[Pattern, ...]:
    """Return the patterns and, after them, each with one part exchanged for another one's.

    What nobody asked for together yet may still be asked for: a known style in a known size.
    """
    found = dict.fromkeys(top)
    for pattern in top:
        for other in top:
            for part in ("target", "style", "provider", "size"):
                found.setdefault(replace(pattern, **{part: getattr(other, part)}))
    return tuple(found)
