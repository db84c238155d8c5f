"""The kept-open event log stores what the stock one does; other versions get the stock one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from animatize_assets.defs import event_log
from animatize_assets.defs.event_log import KeptOpenSqliteEventLog
from animatize_assets.orchestration import open_instance
from animatize_assets_tests.defs.runs import register, run
from animatize_assets_tests.pipeline.cheap import wish

VOLATILE = {
    "id",
    "run_id",
    "timestamp",
    "event",
    "event_timestamp",
    "create_timestamp",
    "migration_completed",
}
"""Columns that differ between any two runs; the text of an event contains some of them."""

SAID = {
    "asset_keys": {"asset_key"},
    "asset_check_executions": {"asset_key", "check_name", "execution_status"},
    "asset_event_tags": {"asset_key", "key"},
}
"""Of tables whose other columns hold ids, times or whole events: what can be compared."""


@contextmanager
def stock_instance(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    with monkeypatch.context() as patch:
        patch.setattr(event_log, "TESTED_WITH", "another version")
        with open_instance(data_dir) as instance:
            assert type(instance.event_log_storage) is SqliteEventLogStorage
            yield instance


def stored(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table of the index and of the run's file, without what no two runs share."""
    tables: dict[str, list[tuple[object, ...]]] = {}
    for file in sorted((home / "history" / "runs").glob("*.db")):
        kind = "index" if file.stem == "index" else "run"
        with closing(sqlite3.connect(file)) as database:
            found = database.execute("select name from sqlite_master where type='table'")
            names = [row[0] for row in found]
            for name in names:
                rows = database.execute(f"select * from {name}")
                columns = [column[0] for column in rows.description]
                kept = [at for at, column in enumerate(columns) if column not in VOLATILE]
                if name in SAID:
                    kept = [at for at in kept if columns[at] in SAID[name]]
                tables[f"{kind}.{name}"] = sorted(
                    (tuple(str(row[at]) for at in kept) for row in rows), key=str
                )
    return tables


def test_both_store_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("kept", "stock"):
        data_dir = tmp_path / name
        monkeypatch.setenv("ANIMATIZE_DATA_DIR", str(data_dir))
        monkeypatch.setenv("DAGSTER_HOME", str(data_dir / "dagster"))
        opened = (
            open_instance(data_dir) if name == "kept" else stock_instance(data_dir, monkeypatch)
        )
        with opened as instance:
            keys = register(instance, data_dir, 2)
            wish(data_dir, fail={keys[1]: "motion_prompt"})
            run(instance, keys)
        found.append(stored(data_dir / "dagster"))
    kept, stock = found
    assert kept.keys() == stock.keys()
    for table, rows in kept.items():
        assert rows == stock[table], table


def test_an_instance_of_ours_uses_it_and_one_can_read_the_others_files(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert type(instance.event_log_storage) is KeptOpenSqliteEventLog
    keys = register(instance, data_dir, 1)
    result = run(instance, keys)
    with stock_instance(data_dir, monkeypatch) as stock:
        assert len(stock.all_logs(result.run_id)) == len(instance.all_logs(result.run_id))
        run(stock, keys)
    assert len(instance.get_runs()) == 2


def test_few_files_stay_open(data_dir: Path) -> None:
    storage = KeptOpenSqliteEventLog(str(data_dir / "runs"))
    for number in range(event_log.OPEN_FILES * 2):
        with storage.run_connection(f"run-{number}"):
            pass
    assert len(storage._engines) == event_log.OPEN_FILES
    storage.wipe()
    assert list(storage._engines) == ["index"]  # whose content is deleted, not the file
    assert [file.name for file in (data_dir / "runs").glob("run-*.db")] == []
    with storage.run_connection("run-0"):
        pass
    storage.dispose()
    assert not storage._engines


def test_a_table_that_a_migration_adds_is_found(data_dir: Path) -> None:
    with open_instance(data_dir) as instance:
        log = instance.event_log_storage
        assert isinstance(log, KeptOpenSqliteEventLog)
        assert log.has_table("dynamic_partitions")
        assert not log.has_table("later")
        with log.index_connection() as connection:
            connection.exec_driver_sql("create table later (id integer)")
        assert log.has_table("later")


def test_without_a_home_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    with pytest.raises(Exception, match="Set DAGSTER_HOME"):
        KeptOpenSqliteEventLog.from_config_value(None, {})
