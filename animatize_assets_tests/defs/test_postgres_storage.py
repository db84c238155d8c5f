"""The kept-open storage stores what the stock one does; other versions get the stock one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster_postgres.event_log import PostgresEventLogStorage
from sqlalchemy import MetaData, create_engine, event, select, text

from animatize_assets.defs import postgres_storage
from animatize_assets.defs.postgres_storage import KeptOpenEventLog
from animatize_assets.orchestration import open_instance
from animatize_assets_tests.defs.runs import register, run, states
from animatize_assets_tests.defs.test_event_log import SAID, VOLATILE
from animatize_assets_tests.pipeline.cheap import wish
from animatize_assets_tests.production import use_production

NEVER_ALIKE = VOLATILE | {"run_body", "start_time", "end_time", "update_timestamp", "value"}
"""Columns that differ between any two runs, of the tables of runs, too."""


@contextmanager
def opened(
    folder: Path, server: str, monkeypatch: pytest.MonkeyPatch, *, stock: bool = False
) -> Iterator[dg.DagsterInstance]:
    """A production instance in new databases."""
    with ExitStack() as databases, monkeypatch.context() as patch:
        data_dir = folder / "data"
        patch.setenv("ANIMATIZE_DATA_DIR", str(data_dir))
        patch.setenv("DAGSTER_HOME", str(data_dir / "dagster"))
        use_production(data_dir / "dagster", server, patch, databases)
        if stock:
            patch.setattr(postgres_storage, "TESTED_WITH", "another version")
        with open_instance(data_dir) as instance:
            yield instance


def stored(instance: dg.DagsterInstance) -> dict[str, list[tuple[str, ...]]]:
    """Every table of the database, without what no two runs share."""
    engine = create_engine(instance.event_log_storage.postgres_url)
    metadata = MetaData()
    metadata.reflect(engine)
    tables = {}
    with engine.connect() as connection:
        for name, table in metadata.tables.items():
            alike = SAID.get(name, set(table.columns.keys()) - NEVER_ALIKE)
            columns = [table.c[column] for column in sorted(alike)]
            rows = connection.execute(select(*columns)).all() if columns else []
            tables[name] = sorted(tuple(map(str, row)) for row in rows)
    engine.dispose()
    return tables


def test_both_store_the_same(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for stock in (False, True):
        folder = tmp_path / f"stock {stock}"
        with opened(folder, postgres_server, monkeypatch, stock=stock) as instance:
            kind = PostgresEventLogStorage if stock else KeptOpenEventLog
            assert type(instance.event_log_storage) is kind
            data_dir = folder / "data"
            keys = register(instance, data_dir, 2)
            wish(data_dir, fail={keys[1]: "motion_prompt"})
            run(instance, keys)
            assert states(instance, keys)["animatic_clip"][keys[0]] == "materialized"
            found.append(stored(instance))
    kept, stock_rows = found
    assert kept.keys() == stock_rows.keys()
    for table, rows in kept.items():
        assert rows == stock_rows[table], table


def test_an_event_is_stored_whole_or_not_at_all(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, postgres_server, monkeypatch) as instance:
        keys = register(instance, tmp_path / "data", 1)
        assert run(instance, keys).success
        before = stored(instance)
        (made,) = instance.fetch_materializations(dg.AssetKey("source_image"), limit=1).records

        def fail(*_: object) -> None:
            raise ConnectionError("the server went away")

        with monkeypatch.context() as broken:
            broken.setattr(instance.event_log_storage, "_store_asset_event", fail)
            with pytest.raises(ConnectionError):
                instance.event_log_storage.store_event(made.event_log_entry)
            with pytest.raises(ConnectionError):
                instance.event_log_storage.store_event_batch([made.event_log_entry] * 2)
        assert stored(instance) == before
        instance.event_log_storage.store_event(made.event_log_entry)
        assert len(stored(instance)["event_logs"]) == len(before["event_logs"]) + 1


def test_a_connection_is_kept_and_one_that_the_server_closed_is_opened_again(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, postgres_server, monkeypatch) as instance:
        opened_connections = []
        engine = instance.run_storage._engine
        event.listen(engine, "connect", lambda *_: opened_connections.append(1))
        for _ in range(3):
            instance.get_runs()
        assert len(opened_connections) <= 1
        admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = :name AND pid <> pg_backend_pid()"
                ),
                {"name": engine.url.database},
            )
        admin.dispose()
        assert instance.get_runs() == []
        assert instance.run_storage._engine is engine
