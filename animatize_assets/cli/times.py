"""How a command writes how long something takes.

Belongs here: words for estimated times. Does not belong here: estimates.
"""

from __future__ import annotations

from animatize_assets.performance.report_page import duration

NOT_KNOWN = "not known yet: too few such jobs have ended"


def between(interval: tuple[float, float] | None) -> str:
    """Write an interval, or that nobody knows it yet."""
    return NOT_KNOWN if interval is None else f"{exactly(interval[0])} to {exactly(interval[1])}"


def exactly(seconds: float) -> str:
    """Write a duration, of less than ten seconds with two digits: stages take hundredths."""
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)
