"""How each provider was doing when any process last looked, for display.

Every process has circuit breakers of its own; what they last saw is shared here, so that
`animatize providers` and a dashboard can show it. Belongs here: storing and reading it. Does not
belong here: when a breaker opens (``breaker``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from animatize_assets.database.tables import provider_health
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.spending import in_utc


class BreakerSnapshot(Protocol):
    """What is stored of a circuit breaker; ``breaker.BreakerState`` is one."""

    @property
    def provider(self) -> str:
        """The provider's name."""

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half_open``."""

    @property
    def failures(self) -> int:
        """Failures in a row."""

    @property
    def reason(self) -> str | None:
        """Kind of the failure that opened it."""


@dataclass(frozen=True)
class ProviderHealth:
    """A breaker as last seen."""

    provider: str
    state: str
    failures: int
    reason: str | None
    opened_at: datetime | None
    """Since when it has not been closed; None when it is."""
    changed_at: datetime


class HealthBoard:
    """The breakers of all processes. Safe to use from several threads and processes."""

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._clock = clock

    def note(self, seen: BreakerSnapshot) -> None:
        """Store what a breaker has changed to; the latest change of any process stands.

        Raises:
            StorageFailed: the database could not be written.

        """
        try:
            try:
                self._store(seen)
            except IntegrityError:  # another process wrote the provider's first row meanwhile
                self._store(seen)
        except OperationalError as error:
            raise StorageFailed(
                f"The health of '{seen.provider}' could not be stored; see that the database can "
                f"be reached and its disk is not full ({error.orig})."
            ) from error

    def read(self) -> tuple[ProviderHealth, ...]:
        """Return every provider that was ever noted, by its name."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(provider_health).order_by(provider_health.c.provider))
            return tuple(
                ProviderHealth(
                    provider=row.provider,
                    state=row.state,
                    failures=row.failures,
                    reason=row.reason,
                    opened_at=None if row.opened_at is None else in_utc(row.opened_at),
                    changed_at=in_utc(row.changed_at),
                )
                for row in rows
            )

    def _store(self, seen: BreakerSnapshot) -> None:
        now = self._clock().astimezone(UTC)
        values = {
            "state": seen.state,
            "failures": seen.failures,
            "reason": seen.reason,
            "changed_at": now,
        }
        this = provider_health.c.provider == seen.provider
        with self._engine.begin() as connection:
            since = connection.scalar(select(provider_health.c.opened_at).where(this))
            values["opened_at"] = None if seen.state == "closed" else since or now
            if not connection.execute(update(provider_health).where(this).values(values)).rowcount:
                connection.execute(insert(provider_health).values(provider=seen.provider, **values))
