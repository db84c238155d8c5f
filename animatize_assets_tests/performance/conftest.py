"""What the tests of the performance room share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.performance.store import PerformanceStore


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An up-to-date database; tests that take it run on SQLite and on PostgreSQL."""
    opened = open_engine(database_url)
    upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def store(engine: Engine) -> PerformanceStore:
    """The job records of that database."""
    return PerformanceStore(engine)
