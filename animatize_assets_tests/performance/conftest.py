"""What the tests of the performance room share."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from animatize_assets.performance.store import PerformanceStore


@pytest.fixture
def store(engine: Engine) -> PerformanceStore:
    """The job records of that database."""
    return PerformanceStore(engine)
