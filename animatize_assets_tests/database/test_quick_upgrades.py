"""The short cut of the other tests makes the same database as the history does."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect

import animatize_assets.database.performance_tables  # noqa: F401  # adds its tables
from animatize_assets.database import migration
from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import NEWEST_REVISION, revision_of, upgrade
from animatize_assets.database.tables import metadata
from animatize_assets_tests import quick_upgrades


def _everything(engine: Engine) -> list[str]:
    """What the database itself tells of its tables: columns, keys, constraints, indexes."""
    asked = inspect(engine)
    told = (
        asked.get_multi_columns(),
        asked.get_multi_pk_constraint(),
        asked.get_multi_foreign_keys(),
        asked.get_multi_unique_constraints(),
        asked.get_multi_check_constraints(),
        asked.get_multi_indexes(),
    )
    return sorted(repr((key, each)) for part in told for key, each in part.items())


def test_the_short_cut_makes_what_the_history_makes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(database_url)
    upgrade(engine)
    by_history = _everything(engine)
    made = []
    monkeypatch.setattr(quick_upgrades, "_known", {})
    monkeypatch.setattr(migration, "_run_alembic", quick_upgrades.run_history)
    for _ in range(2):  # by Alembic, which is overheard; then by what was heard
        found = MetaData()
        found.reflect(engine)
        found.drop_all(engine)
        upgrade(engine)
        made.append(_everything(engine))
        monkeypatch.setattr(quick_upgrades, "_by_alembic", None)
    assert made == [by_history, by_history]
    assert revision_of(engine) == NEWEST_REVISION
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
