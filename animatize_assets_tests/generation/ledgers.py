"""Ledgers for tests: a database at the newest revision, a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.generation.accounting import PlannedCall
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger


class Clock:
    """Tells the time that a test sets."""

    def __init__(self, now: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@contextmanager
def database(folder: Path | None = None) -> Iterator[Engine]:
    """A database file in ``folder``, or one in memory for a single thread."""
    engine = open_engine("sqlite://" if folder is None else f"sqlite:///{folder}/animatize.db")
    upgrade(engine)
    yield engine
    engine.dispose()


@contextmanager
def ledger_of(
    folder: Path | None = None, *, clock: Clock | None = None, **budget: Any
) -> Iterator[SqlLedger]:
    """A ledger under the budget whose limits are given."""
    with database(folder) as engine:
        yield SqlLedger(engine, Budget(**budget), clock or Clock())


def planned(**changes: Any) -> PlannedCall:
    """A call to flux for four and a half cents."""
    values: dict[str, Any] = {
        "provider": "flux",
        "model": "flux-2-pro",
        "fingerprint": "f" * 64,
        "expected_usd": 0.045,
        "image_key": "test-0123456789abcdef",
        "run_id": "run-1",
        **changes,
    }
    return PlannedCall(**values)
