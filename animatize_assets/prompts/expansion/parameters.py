"""Parameters that a model turned down, so that it is not sent them again.

Belongs here: which may be left out, and remembering them. Does not belong here: sending.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from animatize_assets.prompts.expansion.accounts import PROVIDER

if TYPE_CHECKING:
    from sqlalchemy import Engine

DROPPABLE = frozenset({
    "temperature", "top_p", "seed", "reasoning_effort", "max_tokens", "max_completion_tokens",
})  # fmt: skip
"""What an answer can do without. Anything else that is turned down is a fault of ours."""


class RefusedParameters(Protocol):
    """What each model turned down."""

    def of(self, model: str) -> frozenset[str]:
        """Return the parameters that ``model`` is not to be sent."""

    def remember(self, model: str, parameter: str) -> None:
        """Note that ``model`` turned ``parameter`` down. Noting it twice changes nothing."""


class RememberedHere:
    """Forgotten when the process ends."""

    def __init__(self) -> None:
        self._refused: dict[str, frozenset[str]] = {}

    def of(self, model: str) -> frozenset[str]:
        """Return the parameters that ``model`` is not to be sent."""
        return self._refused.get(model, frozenset())

    def remember(self, model: str, parameter: str) -> None:
        """Note that ``model`` turned ``parameter`` down."""
        self._refused[model] = self.of(model) | {parameter}


class SqlRefusedParameters:
    """Remembered in the project's database, which must be at the newest revision.

    ``clock`` tells the time, with its time zone.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._clock = clock

    def of(self, model: str) -> frozenset[str]:
        """Return the parameters that ``model`` is not to be sent."""
        from sqlalchemy import select

        from animatize_assets.database.tables import refused_parameters as table

        query = select(table.c.parameter).where(
            table.c.provider == PROVIDER, table.c.model == model
        )
        with self._engine.connect() as connection:
            return frozenset(connection.scalars(query))

    def remember(self, model: str, parameter: str) -> None:
        """Note that ``model`` turned ``parameter`` down. Noting it twice changes nothing."""
        from sqlalchemy import insert
        from sqlalchemy.exc import IntegrityError

        from animatize_assets.database.tables import refused_parameters as table

        row = {"provider": PROVIDER, "model": model, "parameter": parameter}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(table).values(**row, refused_at=self._clock()))
        except IntegrityError:
            if parameter not in self.of(model):
                raise
