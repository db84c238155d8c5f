"""What a studio asks for in a month, drawn by how a studio works and not by any predictor's rules.

A few campaigns are under way, each for some weeks. A campaign has a look (target model and style)
and a list of formats in which every image is delivered. Images are uploaded all day long. On the
day of its upload an image is tried out in one format; most are approved, and then the other formats
are asked for over the next days, each on a day of its own. Now and then somebody asks for anything
at all of an image of the last weeks, or for the same picture once more.

The shares are own choices, named below. Nothing of ``animatize_assets.pregeneration`` is used but
the name of a pattern.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from animatize_assets.pregeneration.patterns import Pattern

TARGETS = ("generic", "flux", "imagen")
STYLES = ("cinematic", "documentary", "noir", "pastel")
Format = tuple[int, int] | None

FORMATS: tuple[Format, ...] = (None, (1024, 640), (640, 1024), (816, 816), (960, 688), (688, 960))
"""None: as the image has it. All of about 655,360 px, the fewest that the model makes."""

CAMPAIGNS = 4
CAMPAIGN_DAYS = (21, 60)
FORMATS_EACH = (3, 5)
APPROVED = 0.97
"""Images that are delivered; the others are never asked for again."""

FORMAT_LEFT_OUT = 0.01
DELIVERY_DAYS = (1, 2, 3)
DELIVERY_WEIGHTS = (0.6, 0.25, 0.15)
"""Days from the upload to the request for a format, and how often each."""

REPEATED = 0.15
"""Pictures that are asked for once more, some days later."""

ODD_ONES = 0.05
"""Share of all first requests that follow no habit."""

OPEN_HOURS = (9, 18)


@dataclass(frozen=True, order=True)
class Event:
    """Something that happens by day: an upload (no pattern) or a request."""

    at: datetime
    image_key: str
    pattern: Pattern | None = field(default=None, compare=False)
    is_odd: bool = field(default=False, compare=False)
    """Whether a request follows no habit."""


@dataclass
class _Campaign:
    until_day: int
    look: tuple[str, str]
    formats: Sequence[Format]

    def pattern(self, size: Format) -> Pattern:
        return Pattern(*self.look, "openai", size)


def month(seed: int, *, days: int, images_a_day: float, begin: datetime) -> list[Event]:
    """Return all events of so many days from ``begin`` (a midnight) on, in their order."""
    dice = random.Random(seed)  # noqa: S311 - a simulation
    campaigns: list[_Campaign] = []
    events: list[Event] = []
    images: list[tuple[int, str]] = []
    for day in range(days):
        campaigns = [each for each in campaigns if each.until_day > day]
        while len(campaigns) < CAMPAIGNS:
            campaigns.append(_campaign(dice, day))
        for _ in range(_poisson(dice, images_a_day)):
            key = f"image-{len(images):05d}"
            images.append((day, key))
            events += _life(dice, key, day, dice.choice(campaigns), begin)
        first = sum(each.pattern is not None for each in events if _day(each, begin) == day)
        for _ in range(_poisson(dice, first * ODD_ONES / (1 - ODD_ONES))):
            _, key = dice.choice(images[-20 * max(1, round(images_a_day)) :])
            pattern = Pattern(
                dice.choice(TARGETS), dice.choice(STYLES), "openai", dice.choice(FORMATS)
            )
            events.append(Event(_moment(dice, begin, day), key, pattern, is_odd=True))
    uploads = {each.image_key: each.at for each in events if each.pattern is None}
    end = begin + timedelta(days=days)
    return sorted(
        each
        for each in events
        if each.at < end and (each.pattern is None or each.at > uploads[each.image_key])
    )


def _campaign(dice: random.Random, day: int) -> _Campaign:
    # The first ones are in the middle of their time when the month begins.
    left = dice.randint(*CAMPAIGN_DAYS) if day else dice.randint(7, CAMPAIGN_DAYS[1])
    formats = dice.sample(FORMATS, dice.randint(*FORMATS_EACH))
    return _Campaign(day + left, (dice.choice(TARGETS), dice.choice(STYLES)), formats)


def _life(
    dice: random.Random, key: str, day: int, campaign: _Campaign, begin: datetime
) -> list[Event]:
    uploaded = _moment(dice, begin, day)
    tried = uploaded + timedelta(minutes=dice.randint(5, 60))
    events = [Event(uploaded, key), Event(tried, key, campaign.pattern(campaign.formats[0]))]
    if dice.random() >= APPROVED:
        return events
    for size in campaign.formats[1:]:
        if dice.random() < FORMAT_LEFT_OUT:
            continue
        after = dice.choices(DELIVERY_DAYS, DELIVERY_WEIGHTS)[0]
        at = _moment(dice, begin, day + after)
        events.append(Event(at, key, campaign.pattern(size)))
        if dice.random() < REPEATED:
            again = _moment(dice, begin, day + after + dice.randint(1, 5))
            events.append(Event(again, key, campaign.pattern(size)))
    return events


def _moment(dice: random.Random, begin: datetime, day: int) -> datetime:
    first, last = OPEN_HOURS
    return begin + timedelta(days=day, hours=dice.uniform(first, last))


def _day(event: Event, begin: datetime) -> int:
    return (event.at - begin).days


def _poisson(dice: random.Random, mean: float) -> int:
    """Count arrivals of a unit of time by their exponential gaps."""
    count, time = 0, dice.expovariate(1.0)
    while time < mean:
        count, time = count + 1, time + dice.expovariate(1.0)
    return count
