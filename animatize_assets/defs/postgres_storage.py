"""Dagster's PostgreSQL storage: connections are kept, and an event is one transaction.

The stock class opens a connection for every statement, and each event takes several: a new process
of the server each time, and most of what an event costs the client. Here run and event storage keep
a connection, as Dagster itself does in its webserver; an event is stored in one transaction with
its connection, instead of up to four; and the events by which a run says what it intends, one for
each image and asset, are stored together where ``DAGSTER_EVENT_BATCH_SIZE`` allows it.
``benchmarks/orchestration.py --postgres`` measures it. Tables, rows and readers are Dagster's own.

That leans on names that Dagster does not promise to keep, so any other version of Dagster than the
one it was tested with gets the stock class.

Belongs here: opening the storage, storing events. Does not belong here: what is stored in it.
``deploy/postgres/dagster.yaml`` names this class.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ContextManager  # noqa: UP035  # the stock class's word

import dagster as dg
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.config import PostgresStorageConfig
from dagster._core.storage.event_log import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import Connection, Engine, create_engine

from animatize_assets.defs.daemon_turns import keep_turns
from animatize_assets.defs.dead_workers import keep_looking
from animatize_assets.defs.event_log import TESTED_WITH

KEPT_CONNECTIONS = 1
"""Of each kind of storage in each process. More are opened while several threads ask at once, and
closed after, so that a server with PostgreSQL's usual 100 connections has room for 40 processes."""

SPARE_CONNECTIONS = 20
"""As many threads as the daemon has may ask at once."""


class KeptOpenRuns(PostgresRunStorage):
    """The stock run storage, kept open; its tables are there."""

    def __init__(self, postgres_url: str) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._engine = _kept_engine(postgres_url)

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        self._engine.dispose()


class KeptOpenEventLog(PostgresEventLogStorage):
    """The stock event log, kept open; its tables are there."""

    def __init__(self, postgres_url: str) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._engine = _kept_engine(postgres_url)
        self._in_use = _InUse()
        self._tables: set[str] = set()

    def _connect(self) -> ContextManager[Connection]:
        return self._transaction() if self._in_use.connection is not None else super()._connect()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Give the connection of this thread's transaction; begin one, if there is none."""
        if self._in_use.connection is not None:
            yield self._in_use.connection
            return
        with super()._connect() as connection:
            in_steps = connection.execution_options(isolation_level="READ COMMITTED")
            with in_steps.begin():
                self._in_use.connection = in_steps
                try:
                    yield in_steps
                finally:
                    self._in_use.connection = None

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event with everything that is looked up of it, or nothing."""
        with self._transaction():
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events together; what a run plans, too, which the stock class stores singly."""
        planned = [event for event in events if _is_planned(event)]
        others = [event for event in events if not _is_planned(event)]
        with self._transaction() as connection:
            if planned:
                statement = self.prepare_insert_event_batch(planned)
                ids = connection.scalars(statement.returning(SqlEventLogStorageTable.c.id)).all()
                # Of each asset only the last event counts.
                last = {event.get_dagster_event().asset_key: event for event in planned}
                ids_of = dict(zip(map(id, planned), ids, strict=True))
                for event in last.values():
                    self._store_asset_event(connection, event, ids_of[id(event)])
            if others:
                super().store_event_batch(others)

    def has_table(self, table_name: str) -> bool:
        """Ask the server once: a table that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        self._engine.dispose()


class _InUse(threading.local):
    """The connection of a thread's transaction."""

    connection: Connection | None = None


def _is_planned(event: EventLogEntry) -> bool:
    return event.dagster_event_type is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED


class KeptOpenPostgresStorage(DagsterPostgresStorage):
    """The stock storage, kept open. Safe to use from several threads, like the stock one."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)  # makes the tables where they miss
        self._run_storage = KeptOpenRuns(postgres_url)
        self._event_log_storage = KeptOpenEventLog(postgres_url)

    @classmethod
    def from_config_value(  # type: ignore[override]  # the stock class does so too
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig
    ) -> DagsterPostgresStorage:
        """Open the storage that the ``storage`` of ``dagster.yaml`` names by ``postgres_url``."""
        if dg.__version__ != TESTED_WITH:
            return DagsterPostgresStorage.from_config_value(inst_data, config_value)
        keep_turns(TESTED_WITH)
        keep_looking(TESTED_WITH)
        return cls(pg_url_from_config(config_value), inst_data)


def _kept_engine(url: str) -> Engine:
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=KEPT_CONNECTIONS,
        max_overflow=SPARE_CONNECTIONS,
        pool_pre_ping=True,  # a server that was started again is found again
    )
