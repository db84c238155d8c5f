"""What the performance room is told of providers and of money, which it does not know itself.

Belongs here: reading breakers and the ledger's sums, and putting them in the performance room's
words. Does not belong here: what is an alert (``performance.service_alerts``), keeping breakers or
the ledger (``generation``).
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from animatize_assets.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from animatize_assets.performance.alert_models import ProviderState, Spending
    from animatize_assets.performance.alert_watch import Services

STILL_DOWN = timedelta(hours=1)
"""An open breaker tells itself again with each probe that fails, at the latest after ten minutes
(``generation.breaker``). One that said nothing for six times as long belongs to a process that has
ended, or to a provider that nobody asks: whether it is down now, nobody knows."""


def read_services(engine: Engine, settings: Settings, *, now: datetime) -> Services:
    """Return what is known now. ``engine``: of the database of images and calls."""
    from animatize_assets.performance.alert_watch import Services  # noqa: PLC0415  # SQLAlchemy

    return Services(
        providers=provider_states(engine, now=now), spending=spending(engine, settings, now=now)
    )


def provider_states(engine: Engine, *, now: datetime) -> tuple[ProviderState, ...]:
    """Return the breakers of which somebody knows how they are."""
    from animatize_assets.generation.health import HealthBoard  # noqa: PLC0415  # SQLAlchemy
    from animatize_assets.generation.recovery import breakers_in_effect  # noqa: PLC0415
    from animatize_assets.generation.request_log import RequestLog  # noqa: PLC0415
    from animatize_assets.performance.alert_models import ProviderState  # noqa: PLC0415

    return tuple(
        ProviderState.model_validate(
            {
                "provider": seen.provider,
                "state": seen.state,
                "failures": seen.failures,
                "reason": seen.reason,
            }
        )
        for seen in breakers_in_effect(RequestLog(engine), HealthBoard(engine))
        if seen.state == "closed" or now - seen.changed_at < STILL_DOWN
    )


def spending(engine: Engine, settings: Settings, *, now: datetime) -> tuple[Spending, ...]:
    """Return what today (UTC) has cost, or may have, of each limit of a day.

    A limit of nothing says that nothing may be paid; it is no alert that nothing was.
    """
    from animatize_assets.generation.spending import totals  # noqa: PLC0415  # SQLAlchemy
    from animatize_assets.performance.alert_models import Spending  # noqa: PLC0415

    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    spent = {
        each.provider: each.billed_usd + each.possible_usd
        for each in totals(engine, since=midnight)
    }
    limits = {
        f"{name} a day": (spent.get(name, 0.0), limit)
        for name, limit in settings.budget_provider_day_usd.items()
    }
    if settings.budget_day_usd is not None:
        limits["day"] = (sum(spent.values()), settings.budget_day_usd)
    return tuple(
        Spending(limit_name=name, spent_usd=used, limit_usd=limit)
        for name, (used, limit) in sorted(limits.items())
        if limit > 0 or used > 0
    )
