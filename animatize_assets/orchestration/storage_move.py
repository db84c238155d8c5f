"""Dagster's storage of an embedded instance, to be copied to PostgreSQL, and the tables for it.

Embedded, Dagster keeps three SQLite files and one more for each run; on PostgreSQL everything is
one database. All rows keep their numbers, because cursors of sensors, backfills under way and the
pointers by which Dagster tells staleness name events by number. Events that only a run's own file
has (its engine's and its steps') get new numbers above all others, in the order in which they
happened: in the log of a run from before the move they stand behind its assets' events.

Belongs here: where these files are, what is in them. Does not belong here: copying
(``database.transfer``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from dagster_postgres.storage import DagsterPostgresStorage
from sqlalchemy import Connection, bindparam, text

from animatize_assets.database.transfer import Row, SourceTable, reading_sqlite, tables_of
from animatize_assets.errors import OrchestrationFailed
from animatize_assets.orchestration.process_marks import is_alive
from animatize_assets.orchestration.runs import PROCESS_TAG, UNFINISHED

BOOKKEEPING = ("alembic_version", "secondary_indexes")
"""Tables that tell how the database itself was made; each keeps its own."""

EVENTS = "event_logs"
RUNLESS_FILE = ".db"
"""Dagster's name for the file of events that belong to no run: the run's id is empty."""


_GOING_ON = text("SELECT run_id FROM runs WHERE status IN :statuses ORDER BY id").bindparams(
    bindparam("statuses", [status.value for status in UNFINISHED], expanding=True)
)
_MARK = text("SELECT value FROM run_tags WHERE run_id = :run_id AND key = :key")
_INDEXED = text("SELECT event FROM event_logs WHERE run_id = :run_id")


def dagster_files(home: Path) -> tuple[Path, Path, Path]:
    """Return where an embedded instance keeps its runs, the index of its events, its schedules."""
    history = home / "history"
    return history / "runs.db", history / "runs" / "index.db", home / "schedules" / "schedules.db"


def make_dagster_tables(database_url: str) -> None:
    """Make Dagster's tables in a PostgreSQL database that has none."""
    DagsterPostgresStorage(database_url)


@contextmanager
def dagster_tables(home: Path) -> Iterator[dict[str, SourceTable]]:
    """Give every table of the embedded instance in ``home``; nobody can write to it meanwhile.

    Raises:
        StorageFailed: another process writes to one of the files.
        OrchestrationFailed: a run goes on; what it would still write would be lost. Queued ones may
            wait: they move, too.
    """
    runs_file, index_file, schedules_file = dagster_files(home)
    with ExitStack() as opened:
        runs, index, schedules = (
            opened.enter_context(reading_sqlite(file))
            for file in (runs_file, index_file, schedules_file)
        )
        _check_idle(runs, home)
        tables: dict[str, SourceTable] = {}
        for connection in (runs, index, schedules):
            tables |= tables_of(connection, BOOKKEEPING)
        events = tables[EVENTS]
        tables[EVENTS] = replace(
            events, rows=lambda: _all_events(events, index, runs, index_file.parent)
        )
        yield tables


def _check_idle(runs: Connection, home: Path) -> None:
    """Return when no run goes on. One whose process of ours died is told so on the next start."""
    for run_id in runs.execute(_GOING_ON).scalars().all():
        mark = runs.scalar(_MARK, {"run_id": run_id, "key": PROCESS_TAG})
        if mark is None or is_alive(home, mark):
            raise OrchestrationFailed(
                f"The run {run_id[:8]} goes on. Let it end, or cancel it, before the instance is "
                "moved."
            )


def _all_events(
    indexed: SourceTable, index: Connection, runs: Connection, folder: Path
) -> Iterator[Row]:
    last = 0
    for row in indexed.rows():
        last = max(last, row["id"])
        yield row
    for run_id, file in _run_files(runs, folder):
        for row in _only_in(file, run_id, index):
            last += 1
            yield {**row, "id": last}


def _run_files(runs: Connection, folder: Path) -> Iterator[tuple[str, Path]]:
    """Return the id and the file of each run that has one, oldest first, then of no run."""
    for run_id in runs.execute(text("SELECT run_id FROM runs ORDER BY id")).scalars().all():
        file = folder / f"{run_id}.db"
        if file.is_file():
            yield run_id, file
    if (folder / RUNLESS_FILE).is_file():
        yield "", folder / RUNLESS_FILE


def _only_in(file: Path, run_id: str, index: Connection) -> Iterator[Row]:
    """Return the events of a run's file that the index does not repeat.

    The index has the same text; the same event may have happened twice.
    """
    texts = index.execute(_INDEXED, {"run_id": run_id}, execution_options={"yield_per": 500})
    repeated = Counter(_name_of(text) for text in texts.scalars())
    with reading_sqlite(file) as connection:
        for row in tables_of(connection)[EVENTS].rows():
            if repeated[_name_of(row["event"])] > 0:
                repeated[_name_of(row["event"])] -= 1
            else:
                yield row


def _name_of(event: str) -> bytes:
    """Stand for an event of up to 75 KB, of which a run may have thousands."""
    return hashlib.sha256(event.encode()).digest()
