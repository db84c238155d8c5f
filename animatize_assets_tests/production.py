"""The production instance for the tests: deploy/postgres/dagster.yaml on a real PostgreSQL.

Belongs here: making it where a test's embedded instance would be. Does not belong here: the server
(``postgres``), what is tested.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from animatize_assets_tests.postgres import empty_database

ROOT = Path(__file__).parents[1]
DAGSTER_YAML = ROOT / "deploy" / "postgres" / "dagster.yaml"


def use_production(home: Path, server: str, monkeypatch: pytest.MonkeyPatch, to: ExitStack) -> None:
    """Have the instance of ``home`` and everything recorded be in new databases of a server."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(DAGSTER_YAML, home / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")  # as the compose file sets it
    for name in ("ANIMATIZE_DATABASE_URL", "ANIMATIZE_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(name, to.enter_context(empty_database(server)))


@pytest.fixture(params=["sqlite", "postgresql"])
def either_instance(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Have the test run on the embedded instance, then on the production instance.

    Gives the name of the kind of database.
    """
    with ExitStack() as databases:
        if request.param == "postgresql":
            server: str = request.getfixturevalue("postgres_server")
            use_production(tmp_path / "data" / "dagster", server, monkeypatch, databases)
        yield request.param


ON_EITHER = [
    pytest.mark.usefixtures("either_instance"),
    pytest.mark.parametrize(
        "either_instance",
        ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)],
        indirect=True,
    ),
]
"""``pytestmark`` of tests that run on the embedded instance, and at full size on both."""

ON_EITHER_DATABASE = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)], indirect=True
)
"""The same for tests that need no Dagster, only a database."""
