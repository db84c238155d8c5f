"""How hard one picture is tried for.

Belongs here: the limits of one request. Does not belong here: the budgets of runs and days
(``budget``), the limits of a provider (``router.Configured``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from animatize_assets.errors import InvalidSetting


@dataclass(frozen=True)
class Policy:
    """Limits of one request. Times are in seconds.

    Raises:
        InvalidSetting: a limit that can never be kept.
    """

    max_attempts: int = 8
    """Calls to one provider for one picture. With 27 % of calls failing at random, 8 leave 0.003 %
    of pictures without one; 3 would leave 2 %. An outage ends at the breaker long before."""
    deadline_s: float = 900.0
    """For the whole request, fallbacks included. Waiting in our own queue for a free place of a
    provider does not count: a list of any length may be asked for at once. Providers of our own
    are asked even after it, so that a picture comes."""
    call_timeout_s: float = 240.0
    """For one call. Pictures of high quality take up to two minutes."""
    least_call_s: float = 5.0
    """No call that may cost money begins with less of the deadline left."""
    longest_wait_s: float = 60.0
    """A provider that asks us to wait longer is left for the next one."""
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 8.0
    """The n-th wait is uniform in 0..min(longest, first * 2^(n-1)): full jitter, as in
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015."""
    picture_usd: float | None = None
    """What the calls of one request may cost together; None: no such limit."""
    share_refused: bool = False
    """Whether content that one provider refused may be sent to another one."""
    fall_back_over_budget: bool = False
    """Whether a call that the budget does not allow is a reason to ask the next provider; else
    the refusal ends the request, as a budget that is silently worked around is none."""

    @property
    def least_left_s(self) -> float:
        """What must be left of the deadline to begin a call: less when the deadline is short."""
        return min(self.least_call_s, self.deadline_s / 10)

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise InvalidSetting(f"max_attempts is {self.max_attempts}; give 1 or more.")
        positive = {
            "deadline_s": self.deadline_s,
            "call_timeout_s": self.call_timeout_s,
            "longest_backoff_s": self.longest_backoff_s,
        }
        for name, seconds in positive.items():
            if not (math.isfinite(seconds) and seconds > 0):
                raise InvalidSetting(f"{name} is {seconds}; give a number of seconds above 0.")
        natural = {
            "least_call_s": self.least_call_s,
            "longest_wait_s": self.longest_wait_s,
            "first_backoff_s": self.first_backoff_s,
            "picture_usd": self.picture_usd,
        }
        for name, value in natural.items():
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise InvalidSetting(f"{name} is {value}; give a number of 0 or more.")
