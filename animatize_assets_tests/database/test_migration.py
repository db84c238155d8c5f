"""The database arrives at the newest schema from any state, once, whoever asks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

from animatize_assets.database import migration
from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import (
    MIGRATIONS_DIR,
    NEWEST_REVISION,
    revision_of,
    upgrade,
)
from animatize_assets.database.tables import images, metadata


def _open(folder: Path) -> Engine:
    return open_engine(f"sqlite:///{folder}/deep/animatize.db")


def test_the_history_leads_to_the_tables(tmp_path: Path) -> None:
    engine = _open(tmp_path)
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_newest_revision_is_the_historys_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST_REVISION]


def test_an_upgraded_database_needs_no_alembic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = _open(tmp_path)
    upgrade(engine)
    monkeypatch.setattr(migration, "_run_alembic", None)
    upgrade(engine)
    engine.dispose()


def test_upgrades_at_the_same_moment_happen_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(6)

    def run() -> None:
        engine = _open(tmp_path)
        barrier.wait()
        upgrade(engine)
        engine.dispose()

    with ThreadPoolExecutor(6) as pool:
        for running in [pool.submit(run) for _ in range(6)]:
            running.result()
    engine = _open(tmp_path)
    with engine.connect() as connection:
        versions = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
    assert versions == [NEWEST_REVISION]
    engine.dispose()


def test_threads_upgrade_two_databases_at_the_same_moment(tmp_path: Path) -> None:
    engines = [open_engine(f"sqlite:///{tmp_path}/{number}.db") for number in range(2)]
    at_once = threading.Barrier(len(engines))

    def upgrade_at_once(engine: Engine) -> str | None:
        at_once.wait()
        upgrade(engine)
        return revision_of(engine)

    with ThreadPoolExecutor(len(engines)) as threads:
        assert list(threads.map(upgrade_at_once, engines)) == [NEWEST_REVISION] * len(engines)
    for engine in engines:
        engine.dispose()


def test_an_upgrade_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = _open(tmp_path)
    original = migration._run_alembic

    def fail(connection: Any) -> None:
        original(connection)
        raise RuntimeError("the power went")

    with monkeypatch.context() as broken:
        broken.setattr(migration, "_run_alembic", fail)
        with pytest.raises(RuntimeError):
            upgrade(engine)
    assert inspect(engine).get_table_names() == []
    upgrade(engine)
    assert "images" in inspect(engine).get_table_names()
    engine.dispose()


def test_a_folder_with_a_percent_sign_works(tmp_path: Path) -> None:
    engine = _open(tmp_path / "100% mine")
    upgrade(engine)
    engine.dispose()


def _row(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {column.name: 1 for column in images.columns if column.name != "id"}
    row |= {column.name: column.name for column in images.columns if column.type.python_type is str}
    row |= {"has_icc_profile": True, "flattened_alpha": False}
    row["registered_at"] = datetime(2026, 1, 1, tzinfo=UTC)
    return row | changes


@pytest.mark.parametrize("column", ["sha256", "image_key"])
def test_an_identity_is_stored_once(column: str, tmp_path: Path) -> None:
    engine = _open(tmp_path)
    upgrade(engine)
    other = {"sha256": "other", "image_key": "other"}
    with engine.begin() as connection:
        connection.execute(images.insert().values(_row()))
    del other[column]
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(images.insert().values(_row(**other)))
    engine.dispose()
