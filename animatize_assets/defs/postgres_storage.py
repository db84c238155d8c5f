"""Dagster's PostgreSQL storage with a connection that is kept instead of opened for each event.

The stock class opens a connection for every statement: each costs the server a new process, and
the client more than the statement (benchmarks/orchestration.py --postgres). Tables, rows and
queries are Dagster's own; this only gives run and event storage an engine that keeps one connection
open, as Dagster itself does in its webserver. That leans on names that Dagster does not promise to
keep, so any other version of Dagster than the one it was tested with gets the stock class.

Belongs here: opening the storage. Does not belong here: what is stored in it.
``deploy/postgres/dagster.yaml`` names this class.
"""

import dagster as dg
from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import Engine, create_engine

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

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        self._engine.dispose()


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
        return cls(pg_url_from_config(config_value), inst_data)


def _kept_engine(url: str) -> Engine:
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=KEPT_CONNECTIONS,
        max_overflow=SPARE_CONNECTIONS,
        pool_pre_ping=True,  # a server that was started again is found again
    )
