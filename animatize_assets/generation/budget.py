"""How much may be spent, and the refusal of a call that could pass it.

Belongs here: which limits apply to a call and what a refusal says. Does not belong here: what has
been spent (``ledger``, which asks in the transaction that writes the call's row), prices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from animatize_assets.errors import BudgetExceeded, InvalidSetting
from animatize_assets.generation.accounting import PlannedCall
from animatize_assets.generation.money import in_dollars, to_nanousd

Scope = Literal["run", "day", "provider_day"]

_SETTINGS: dict[Scope, str] = {
    "run": "ANIMATIZE_BUDGET_RUN_USD",
    "day": "ANIMATIZE_BUDGET_DAY_USD",
    "provider_day": "ANIMATIZE_BUDGET_PROVIDER_DAY_USD",
}

_WAITING: dict[Scope, str] = {
    "run": "start the rest in another run",
    "day": "wait for midnight UTC",
    "provider_day": "wait for midnight UTC, ask another provider",
}


@dataclass(frozen=True)
class Limit:
    """One limit that applies to a call."""

    scope: Scope
    nanousd: int
    name: str
    """As a sentence calls it: "the budget of the day"."""

    @property
    def setting(self) -> str:
        """The environment variable that sets it."""
        return _SETTINGS[self.scope]


@dataclass(frozen=True)
class Budget:
    """Limits in US dollars; None, or a provider that is not named, means no limit.

    A run is a Dagster run. A call outside of any run counts as a run of its own. Days are UTC.
    """

    per_run_usd: float | None = None
    per_day_usd: float | None = None
    per_provider_day_usd: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        amounts: dict[str, float | None] = {
            _SETTINGS["run"]: self.per_run_usd,
            _SETTINGS["day"]: self.per_day_usd,
        }
        for provider, amount in self.per_provider_day_usd.items():
            amounts[f"{_SETTINGS['provider_day']} ({provider})"] = amount
        for name, usd in amounts.items():
            if usd is not None and not (math.isfinite(usd) and usd >= 0):
                raise InvalidSetting(f"{name} is {usd}; give an amount of 0 dollars or more.")

    def limits_of(self, planned: PlannedCall) -> tuple[Limit, ...]:
        """Return the limits that ``planned`` must keep."""
        limits: list[Limit] = []
        if self.per_run_usd is not None:
            limits.append(Limit("run", to_nanousd(self.per_run_usd), "the budget of the run"))
        if self.per_day_usd is not None:
            limits.append(Limit("day", to_nanousd(self.per_day_usd), "the budget of the day (UTC)"))
        usd = self.per_provider_day_usd.get(planned.provider)
        if usd is not None:
            name = f"the budget of the day (UTC) for {planned.provider}"
            limits.append(Limit("provider_day", to_nanousd(usd), name))
        return tuple(limits)


def check(planned: PlannedCall, limit: Limit, spent_nanousd: int) -> None:
    """Refuse the call if it could pass the limit.

    ``spent_nanousd``: what the limit's run or day has cost so far, every call whose outcome is not
    known at what it may cost.

    Raises:
        BudgetExceeded: the call could pass it, or could cost anything as its price is not known.

    """
    call = f"A call to {planned.provider} ({planned.model})"
    if planned.expected_usd is None:
        raise BudgetExceeded(
            f"{call} has no known price, so it could pass {limit.name} of "
            f"{in_dollars(limit.nanousd)}; take a model that has a price in `animatize providers`,"
            f" or unset {limit.setting}."
        )
    expected = to_nanousd(planned.expected_usd)
    if expected and spent_nanousd + expected > limit.nanousd:
        raise BudgetExceeded(
            f"{call} may cost {in_dollars(expected)} and would pass {limit.name}: "
            f"{in_dollars(spent_nanousd)} of {in_dollars(limit.nanousd)} are spent or possibly "
            f"spent; {_WAITING[limit.scope]} or raise {limit.setting}."
        )
