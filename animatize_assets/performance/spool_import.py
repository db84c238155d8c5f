"""Spooled records into the database: each once, whoever tries and whatever is killed in between.

Belongs here: the transaction, and which errors are a record's own. Does not belong here: the files
(``spool``), when to try (``recording``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from animatize_assets.database.performance_tables import performance_spool_imports
from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.store import PerformanceStore


@dataclass(frozen=True)
class Imported:
    """What became of a batch."""

    new: int
    """Records that the database did not have."""
    refused: Mapping[str, str]
    """Records that no database will take: spool id -> why."""


def import_records(
    store: PerformanceStore, jobs: Mapping[str, JobRecord], now: datetime
) -> Imported:
    """Write records (spool id -> job) in their order, in one transaction, each once.

    The spool id is noted in the same transaction, so a record whose file outlived it is passed
    over, also when another process writes it at this moment. It is on the disk when this returns.

    Raises:
        SQLAlchemyError: the database could not be written; nothing is.

    """
    new = 0
    refused: dict[str, str] = {}
    with _durable_transaction(store.engine) as connection:
        for spool_id, job in jobs.items():
            try:
                with connection.begin_nested():
                    if _is_first(connection, spool_id, now):
                        new += store.write(connection, [job])
            except Exception as error:
                if not is_fault_of_record(error):
                    raise
                refused[spool_id] = reason(error)
    return Imported(new, refused)


def is_fault_of_record(error: Exception) -> bool:
    """Whether the database would refuse the record on any other day too."""
    return isinstance(error, DataError | IntegrityError | ValueError | OverflowError | TypeError)


def reason(error: Exception) -> str:
    """Return the first line of an error; SQLAlchemy's own words repeat the whole statement."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0].rstrip(".")


def _is_first(connection: Connection, spool_id: str, now: datetime) -> bool:
    """Note that a record is written now; False when it was before."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(performance_spool_imports).on_conflict_do_nothing(
        index_elements=["spool_id"]
    )
    return connection.execute(statement, {"spool_id": spool_id, "imported_at": now}).rowcount == 1


@contextmanager
def _durable_transaction(engine: Engine) -> Iterator[Connection]:
    """Give a transaction that is on the disk when it ends: the files are removed after it."""
    with engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            yield connection
            connection.commit()
            return
        usual = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
        try:
            # The driver begins no transaction for a savepoint, and a read could not become a write.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql(f"PRAGMA synchronous = {usual}")
