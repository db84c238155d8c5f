"""Which days and weeks, in UTC, have ended since a schedule's last time in its own time zone.

The figures' days are UTC, and a schedule keeps a local time: over a change of the clock two of its
times are 23 or 25 hours apart, and then none or two days may have ended between them. Counting what
lies between the two, instead of taking "yesterday", leaves no day out and asks for none twice.

Belongs here: this arithmetic. Does not belong here: Dagster, the schedules.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
OFFSETS_OF = (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))
"""Winter and summer of either hemisphere: a zone's offsets, whatever the date of a change."""


def ended_days(now: datetime) -> tuple[date, ...]:
    """Return the UTC days that ended after the same local time a day ago, up to ``now``.

    ``now``: with the time zone of the schedule.
    """
    first, last = _utc_day(now - DAY), _utc_day(now)
    return tuple(first + DAY * number for number in range((last - first).days))


def ended_weeks(now: datetime) -> tuple[date, ...]:
    """Return the Mondays of the UTC weeks that ended after the same local time a week ago."""
    first, last = _utc_monday(now - WEEK), _utc_monday(now)
    return tuple(first + WEEK * number for number in range((last - first).days // WEEK.days))


def hour_after_utc_midnight(hour: int, time_zone: str) -> int:
    """Return ``hour``, or the first full hour at which the UTC day has ended, all year.

    That is another one where a local day begins more than ``hour`` hours before UTC's.
    """
    zone = ZoneInfo(time_zone)
    offsets = [moment.astimezone(zone).utcoffset() or timedelta() for moment in OFFSETS_OF]
    return max(hour, math.ceil(max(offsets) / timedelta(hours=1)))


def _utc_day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _utc_monday(moment: datetime) -> date:
    day = _utc_day(moment)
    return day - DAY * day.weekday()
