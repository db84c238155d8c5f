"""Dagster's SQLite event log with connections that are kept instead of opened for each event.

The stock class builds an engine and opens a connection for every event that is stored, which is
most of what a materialization costs: keeping them was measured to take a third of the time
(benchmarks/orchestration.py). Tables, rows and readers are Dagster's own; this only overrides
how a database file is opened. That leans on names that Dagster does not promise to keep, so any
other version of Dagster than the one it was tested with gets the stock class.

Belongs here: opening the event log. Does not belong here: what is stored in it.
``dagster_instance.yaml`` names this class.
"""

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._config import StringSource
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import QueuePool

from animatize_assets.defs.daemon_turns import keep_turns
from animatize_assets.defs.dead_workers import keep_looking
from animatize_assets.errors import NotConfigured

TESTED_WITH = "1.13.27"
"""The version of Dagster whose private names are used here."""

INDEX_PAGE_BYTES = 16_384
RUN_PAGE_BYTES = 8_192
"""Page size of new files. A materialization takes 2 to 3 KB, of which one of SQLite's usual pages
of 4 KB holds only one; a run's file has few rows besides, so there each table's last page counts.
"""

OPEN_FILES = 8
"""Database files (the index, and one per run) that are kept open at a time."""


class KeptOpenSqliteEventLog(SqliteEventLogStorage):
    """The stock event log, kept open. Safe to use from several threads, like the stock one."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._knows_index_columns = False
        self._known_tables: set[str] = set()
        is_new = _make_file(Path(base_dir) / f"{INDEX_SHARD_NAME}.db", INDEX_PAGE_BYTES)
        super().__init__(base_dir, inst_data)
        if is_new:  # what the stock class does when it finds no file
            self._initdb(self._engine(INDEX_SHARD_NAME), for_index_shard=True)
            self.reindex_events()
            self.reindex_assets()

    @classmethod
    def config_type(cls) -> Any:
        """No setting is needed: the files lie where the stock class has them."""
        return {"base_dir": dg.Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(  # type: ignore[override]  # the stock class does so too
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> SqliteEventLogStorage:
        """Open the event log of this ``DAGSTER_HOME``.

        Raises:
            NotConfigured: neither ``base_dir`` nor ``DAGSTER_HOME`` says where it is.

        """
        base_dir = config_value.get("base_dir")
        if not base_dir:
            home = os.environ.get("DAGSTER_HOME")
            if not home:
                raise NotConfigured("Set DAGSTER_HOME to the folder of dagster.yaml.")
            base_dir = str(Path(home) / "history" / "runs")
        keep_turns(TESTED_WITH)
        keep_looking(TESTED_WITH)
        chosen = cls if dg.__version__ == TESTED_WITH else SqliteEventLogStorage
        return chosen(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                _make_file(Path(self.path_for_shard(shard)), RUN_PAGE_BYTES)
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        """Return the engine of one database file; those not used for longest are closed."""
        if shard not in self._engines:
            self._engines[shard] = create_engine(
                create_db_conn_string(self._base_dir, shard),
                poolclass=QueuePool,
                pool_size=1,
                max_overflow=-1,  # making a file takes two connections
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
            while len(self._engines) > OPEN_FILES:
                self._engines.popitem(last=False)[1].dispose()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def _has_asset_key_index_cols_on_connection(self, conn: Connection) -> bool:
        # The stock class asks the schema again for each event; a migration only ever adds them.
        if not self._knows_index_columns:
            self._knows_index_columns = super()._has_asset_key_index_cols_on_connection(conn)
        return self._knows_index_columns

    def has_table(self, table_name: str) -> bool:
        """Whether the index has that table, asked of each only until it has."""
        # The stock class builds an engine for each question, and there is one for each event with
        # tags and for each look at partitions; a migration only ever adds tables.
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def delete_events(self, run_id: str) -> None:
        """Delete the run's file, too: the stock class leaves it there, empty and as large."""
        super().delete_events(run_id)
        with self._db_lock:
            engine = self._engines.pop(run_id, None)
            if engine is not None:
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)

    def _close_all(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()

    def wipe(self) -> None:
        """Close the files first: the stock class deletes them."""
        self._close_all()
        self._known_tables.clear()
        super().wipe()

    def dispose(self) -> None:
        """Close the files."""
        self._close_all()
        super().dispose()


def _make_file(path: Path, page_bytes: int) -> bool:
    """Make a database file with pages of this size unless there is one; whether it was made."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=SQLITE_BUSY_TIMEOUT_SECONDS)) as connection:
        connection.execute(f"PRAGMA page_size={page_bytes}")
        connection.execute("VACUUM")  # writes the first page, and with it the size
    return True
