"""A month of a studio with pictures made ahead at night, against the same list on demand.

The demand is drawn by ``pregeneration_demand``, which knows no predictor. Providers, ledger,
caches, batches and the nights are the project's own, at the loopback server; the clock is set by
hand. After a fortnight by day alone, each night at 02:00 is a night's work, each batch has ended in
the morning, and each day is asked for what the demand says. After the last night it goes on by day
alone for a week, until every picture made ahead was asked for or dropped.

*Hit share*: of all pictures that are asked for the first time, the share that was made ahead. The
*best possible* is that of an oracle with the same limits each night, which knows all requests to
come but only the images stored by then, and makes first what is asked for soonest. *Waste*:
pictures made ahead that nobody asked for. *By day*: how many requests of images stored before the
night were answered without a call, repeats by the result store included.

    python benchmarks/pregeneration.py [--quick] [--json] [--seed N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import openai  # noqa: F401, TID253 - its import is nothing that a night waits for
from pregeneration_demand import Event, month
from report import Measurement, finish, measure

import project  # noqa: F401  # isort: skip - puts the tests' server on the path
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.pregeneration.planning import Limits
from animatize_assets.pregeneration.usage import PregenerationUse, use_of_pregenerated
from animatize_assets_tests.generation.ledgers import Clock
from animatize_assets_tests.loopback.process import loopback_process
from animatize_assets_tests.pregeneration.studio import KEPT_FOR, Workshop, open_studio

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
NIGHT = timedelta(hours=2)
WINDOW = timedelta(hours=4)
WARM_UP_DAYS = 14
"""Days of requests before the first night: a studio asks before it switches this on."""

SETTLING_DAYS = 8
"""After the last night: until all that it made was asked for or dropped."""

CHEAPER_GOAL = 0.5
OF_ORACLE_GOAL = 0.8
WASTE_GOAL = 0.1
BY_DAY_GOAL = 0.9

Pair = tuple[str, Pattern]


@dataclass(frozen=True)
class Size:
    """How much is simulated."""

    nights: int
    images_a_day: float
    most: int
    """Pictures a night at most."""


FULL = Size(nights=30, images_a_day=12, most=60)
QUICK = Size(nights=8, images_a_day=8, most=60)
"""Too short to show what a month comes to: the shares of hits have no goal then."""


@dataclass
class Simulated:
    """What a month came to."""

    use: PregenerationUse
    hits: int
    """First requests that a picture made ahead answered."""
    first_requests: int
    oracle_hits: int
    answered: int
    """Requests of images stored before the night that cost no call."""
    asked: int
    habitual_answered: int
    """Of those the ones that follow a habit."""
    habitual: int


def main() -> int:
    """Simulate, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small studio")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--seed", type=int, default=1, help="of the demand")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    return finish(
        f"pregeneration, {size.nights} nights, {size.images_a_day:g} new images a day",
        measured(size, options.seed),
        as_json=options.json,
    )


def measured(size: Size, seed: int) -> list[Measurement]:
    """Simulate a month and return its rows."""
    with tempfile.TemporaryDirectory() as folder, loopback_process(seed=1) as server:
        clock = Clock(BEGIN)
        with open_studio(Path(folder), server, clock=clock, durable=False) as studio:
            done = simulate(studio, size, seed)
        billed = sum(charge.cost_nanousd for charge in server.bill())
    return rows_of(done, billed, size)


def rows_of(done: Simulated, billed_nanousd: int, size: Size) -> list[Measurement]:
    """Return the benchmark's rows."""
    total = done.use.total
    if total.paid_usd is None or total.by_day_usd is None or total.saved_usd is None:
        raise RuntimeError("The loopback server did not tell what a picture used.")
    hit_share, best = done.hits / done.first_requests, done.oracle_hits / done.first_requests
    return [
        measure(
            "pictures made ahead: paid / the same list on demand",
            total.paid_usd / total.by_day_usd,
            "share",
            goal=CHEAPER_GOAL,
        ),
        measure("paid at night", total.paid_usd, "USD", baseline=total.by_day_usd),
        measure("saved, waste paid for", total.saved_usd, "USD"),
        measure("paid in all, by day and at night", billed_nanousd / 1e9, "USD"),
        measure("hit share", hit_share, "share", baseline=best),
        measure(
            "hit share / the best possible",
            hit_share / best,
            "ratio",
            goal=OF_ORACLE_GOAL if size == FULL else None,
            direction="at least",
        ),
        measure(
            "waste", total.wasted / total.made, "share", goal=WASTE_GOAL if size == FULL else None
        ),
        measure(
            "by day: requests that repeat the habits of stored images, answered without a call",
            done.habitual_answered / done.habitual,
            "share",
            goal=BY_DAY_GOAL if size == FULL else None,
            direction="at least",
        ),
        measure("all requests of stored images, by day", done.answered / done.asked, "share"),
        measure("made ahead", total.made, "pictures"),
        measure("first requests", done.first_requests, "requests"),
    ]


def simulate(studio: Workshop, size: Size, seed: int) -> Simulated:
    """Go through the month, night and day."""
    last = WARM_UP_DAYS + size.nights
    days = last + SETTLING_DAYS
    events = month(seed, days=days, images_a_day=size.images_a_day, begin=BEGIN)
    limits = Limits(
        budget_usd=100.0, window_s=WINDOW.total_seconds(), most=size.most, waste=WASTE_GOAL
    )
    hits = first = answered = asked = habitual = habitual_answered = 0
    seen: set[Pair] = set()
    stored: dict[str, datetime] = {}
    for day in range(days):
        night = BEGIN + timedelta(days=day) + NIGHT
        if WARM_UP_DAYS <= day < last:
            studio.clock.now = night
            studio.work(limits)
            studio.clock.now = night + WINDOW
            while studio.night.collect()[1]:
                pass
        for event in of_day(events, day):
            studio.clock.now = event.at
            if event.pattern is None:
                stored[event.image_key] = event.at
                studio.store(event.image_key)
                continue
            pair = (event.image_key, event.pattern)
            if day < WARM_UP_DAYS - KEPT_FOR.days or (day >= last and not is_kept(studio, pair)):
                studio.note(event.image_key, event.pattern)  # nothing that is measured
                seen.add(pair)
                continue
            is_served = studio.ask(event.image_key, event.pattern).reuse is not None
            if WARM_UP_DAYS <= day < last:
                first += pair not in seen
                hits += is_served and pair not in seen
                if stored[event.image_key] < night:
                    asked += 1
                    answered += is_served
                    habitual += not event.is_odd
                    habitual_answered += is_served and not event.is_odd
            seen.add(pair)
    studio.rows.note_uses()
    use = use_of_pregenerated(
        studio.engine, studio.clock(), kept_for=KEPT_FOR, time_zone=ZoneInfo("UTC")
    )
    return Simulated(
        use=use,
        hits=hits,
        first_requests=first,
        oracle_hits=oracle(events, size),
        answered=answered,
        asked=asked,
        habitual_answered=habitual_answered,
        habitual=habitual,
    )


def is_kept(studio: Workshop, pair: Pair) -> bool:
    """Whether the result store has the picture of a pair."""
    prepared, caches = studio.lines.prepared(*pair), studio.source.caches
    if prepared is None or caches is None:
        return False
    not_before = caches.results.not_before()
    return caches.results.index.find(prepared.fingerprint, not_before=not_before) is not None


def oracle(events: Sequence[Event], size: Size) -> int:
    """Return how many first requests the best of all predictors would have made ahead."""
    stored = {each.image_key: each.at for each in events if each.pattern is None}
    first: dict[Pair, datetime] = {}
    for each in events:
        if each.pattern is not None:
            first.setdefault((each.image_key, each.pattern), each.at)
    made: set[Pair] = set()
    hits = 0
    end = BEGIN + timedelta(days=WARM_UP_DAYS + size.nights)
    for number in range(WARM_UP_DAYS, WARM_UP_DAYS + size.nights):
        night = BEGIN + timedelta(days=number) + NIGHT
        coming = sorted(
            (at, pair[0], pair[1].order, pair)
            for pair, at in first.items()
            if pair not in made and stored[pair[0]] < night <= at < night + KEPT_FOR
        )
        for at, _, _, pair in coming[: size.most]:
            made.add(pair)
            hits += at < end
    return hits


def of_day(events: Sequence[Event], day: int) -> list[Event]:
    """Return the events of one day."""
    return [each for each in events if (each.at - BEGIN).days == day]


if __name__ == "__main__":
    sys.exit(main())
