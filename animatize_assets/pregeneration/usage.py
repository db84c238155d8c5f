"""What pictures made ahead were worth: which were asked for, what was wasted, what was saved.

A picture that came is *used* when a request was served by it, *waiting* while it may still be, and
*wasted* when the result store has kept it in vain for as long as it keeps anything, or when it came
after it had been made by day. What was saved is what the used ones would have cost by day, less
what all cost, used or not.

Belongs here: counting the rows. Does not belong here: noting uses (``pregenerated``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from pydantic import Field
from sqlalchemy import Engine, Row, func, select

from animatize_assets.database.tables import generation_requests, pregenerated_pictures
from animatize_assets.generation.money import to_usd
from animatize_assets.pregeneration.demand import LOCAL, in_utc
from animatize_assets.pregeneration.pregenerated import SERVED
from animatize_assets.records import Record, Share

_pictures = pregenerated_pictures.c
_requests = generation_requests.c


class NightUse(Record):
    """The pictures that were planned in one night, or of all nights together."""

    night: date | None = Field(description="local day on which it began; None: all nights")
    planned: int = Field(ge=0, description="not made yet, or in a batch")
    made: int = Field(ge=0)
    used: int = Field(ge=0)
    waiting: int = Field(ge=0)
    wasted: int = Field(ge=0)
    failed: int = Field(ge=0)
    hit_share: Share | None = Field(description="used of those used or wasted; None: none is yet")
    paid_usd: float | None = Field(description="None: what one cost is not known")
    by_day_usd: float | None = Field(description="the same list on demand")
    saved_usd: float | None = Field(
        description="the used ones by day, less what all cost; below 0 while they wait"
    )


class PregenerationUse(Record):
    """Every night, newest first, and all together."""

    nights: tuple[NightUse, ...]
    total: NightUse
    requests: int = Field(
        ge=0, description="for pictures of providers, since the first picture was made ahead"
    )
    served: int = Field(ge=0, description="of these, by pictures made ahead; repeats included")
    served_share: Share | None


@dataclass
class _Sums:
    planned: int = 0
    used: int = 0
    waiting: int = 0
    wasted: int = 0
    failed: int = 0
    paid: list[int | None] = field(default_factory=list)
    by_day: list[int | None] = field(default_factory=list)
    used_by_day: list[int | None] = field(default_factory=list)

    def told(self, night: date | None) -> NightUse:
        settled = self.used + self.wasted
        paid, used = _total(self.paid), _total(self.used_by_day)
        return NightUse(
            night=night,
            planned=self.planned,
            made=settled + self.waiting,
            used=self.used,
            waiting=self.waiting,
            wasted=self.wasted,
            failed=self.failed,
            hit_share=self.used / settled if settled else None,
            paid_usd=_usd(paid),
            by_day_usd=_usd(_total(self.by_day)),
            saved_usd=None if paid is None or used is None else to_usd(used - paid),
        )


def use_of_pregenerated(
    engine: Engine, now: datetime, *, kept_for: timedelta, time_zone: tzinfo
) -> PregenerationUse:
    """Return what the pictures were worth. ``kept_for``: by the result store, unused."""
    query = select(
        _pictures.state,
        _pictures.planned_at,
        _pictures.ready_at,
        _pictures.used_at,
        _pictures.cost_nanousd,
        _pictures.by_day_nanousd,
    ).where(_pictures.state != "dropped")
    nights: defaultdict[date, _Sums] = defaultdict(_Sums)
    total = _Sums()
    first: datetime | None = None
    with engine.connect() as connection:
        for row in connection.execute(query.order_by(_pictures.id)):
            night = in_utc(row.planned_at).astimezone(time_zone).date()
            for sums in (nights[night], total):
                _count(sums, row, now - kept_for)
            if row.ready_at is not None:
                first = min(first or in_utc(row.ready_at), in_utc(row.ready_at))
    requests, served = (0, 0) if first is None else _served(engine, first)
    return PregenerationUse(
        nights=tuple(nights[night].told(night) for night in sorted(nights, reverse=True)),
        total=total.told(None),
        requests=requests,
        served=served,
        served_share=served / requests if requests else None,
    )


def _count(sums: _Sums, row: Row[*tuple[Any, ...]], dropped_before: datetime) -> None:
    if row.state in ("planned", "submitted"):
        sums.planned += 1
        return
    sums.paid.append(row.cost_nanousd)
    if row.state == "failed":
        sums.failed += 1
        return
    sums.by_day.append(row.by_day_nanousd)
    if row.state == "late":
        sums.wasted += 1
    elif row.used_at is not None:
        sums.used += 1
        sums.used_by_day.append(row.by_day_nanousd)
    elif in_utc(row.ready_at) < dropped_before:
        sums.wasted += 1
    else:
        sums.waiting += 1


def _served(engine: Engine, since: datetime) -> tuple[int, int]:
    """Return how many requests there were since then, and those that pictures made ahead served."""
    asked = (_requests.provider != LOCAL) & (_requests.requested_at >= since)
    # One picture may have been made ahead twice, after the result store had dropped it.
    ahead = (
        select(_pictures.fingerprint, func.min(_pictures.ready_at).label("ready_at"))
        .where(_pictures.state == "ready")
        .group_by(_pictures.fingerprint)
        .subquery()
    )
    served = (
        select(func.count())
        .select_from(generation_requests)
        .join(ahead, ahead.c.fingerprint == _requests.result_key)
        .where(asked, _requests.outcome.in_(SERVED), _requests.requested_at >= ahead.c.ready_at)
    )
    with engine.connect() as connection:
        requests = connection.scalar(
            select(func.count()).select_from(generation_requests).where(asked)
        )
        return int(requests or 0), int(connection.scalar(served) or 0)


def _total(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _usd(nanousd: int | None) -> float | None:
    return None if nanousd is None else to_usd(nanousd)
