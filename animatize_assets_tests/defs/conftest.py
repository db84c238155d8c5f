from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from animatize_assets.orchestration import open_instance

HERE = Path(__file__).parent
DAGSTERS_OWN = "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
"""Dagster 1.13 calls this deprecated property of its own whenever a resource is set up."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(DAGSTERS_OWN))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def instance(data_dir: Path) -> Iterator[dg.DagsterInstance]:
    """A real embedded instance, as it ships."""
    with open_instance(data_dir) as instance:
        yield instance


@pytest.fixture
def either_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep job records in SQLite, then in PostgreSQL: the test runs with both."""
    monkeypatch.setenv("ANIMATIZE_PERFORMANCE_DATABASE_URL", database_url)
