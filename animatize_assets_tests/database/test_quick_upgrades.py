"""The short cut of the other tests makes the same database as the history does."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect, text

import animatize_assets.database.performance_tables  # noqa: F401  # adds its tables
from animatize_assets.database import migration
from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import NEWEST_REVISION, revision_of, upgrade
from animatize_assets.database.tables import metadata
from animatize_assets.performance.registry import make_tracking_tables
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
    return sorted(
        f"{key} {sorted(map(repr, each)) if isinstance(each, list) else each!r}"
        for part in told
        for key, each in part.items()
    )


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


def test_the_short_cut_makes_what_mlflow_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str) -> tuple[list[str], Any]:
        url = f"sqlite:///{tmp_path / name}"
        make_tracking_tables(url)
        engine = open_engine(url)
        with engine.connect() as connection:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        found = _everything(engine)
        engine.dispose()
        return found, revision

    by_mlflow = made("alone.db")
    module = import_module(quick_upgrades._MLFLOW)
    short_cut = partial(quick_upgrades.make_mlflow_tables, module._initialize_tables)
    monkeypatch.setattr(quick_upgrades, "_of_mlflow", {})
    monkeypatch.setattr(module, "_initialize_tables", short_cut)
    assert made("overheard.db") == by_mlflow
    monkeypatch.setattr(
        module, "_initialize_tables", partial(quick_upgrades.make_mlflow_tables, None)
    )
    assert made("again.db") == by_mlflow
