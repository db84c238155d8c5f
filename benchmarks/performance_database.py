"""The database that job records of a benchmark go through: SQLite, or a PostgreSQL server.

What is measured of job records is computed from what the database gave back, so that a figure of
one kind of database is a figure of that kind.

Belongs here: the option that names the database, opening it, records there and back. Does not
belong here: any figure.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import delete

import project  # noqa: F401  # isort: skip - puts the tests' server on the path
from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.performance.models import JobRecord, Submission
from animatize_assets.performance.store import PerformanceStore, to_row

AUTO = "auto"


def add_postgres_option(parser: argparse.ArgumentParser) -> None:
    """Let a person name a PostgreSQL database instead of SQLite."""
    parser.add_argument(
        "--postgres",
        metavar="URL",
        help=f"an empty database instead of SQLite; '{AUTO}' starts a server for this run",
    )


@contextmanager
def postgres_url(asked: str | None) -> Iterator[str | None]:
    """Give the URL that the option asked for, with a server of its own for ``auto``."""
    if asked != AUTO:
        yield asked
        return
    # Here: it needs the developer's tools.
    from animatize_assets_tests.postgres import running_postgres  # noqa: PLC0415

    with running_postgres() as url:
        yield url


@contextmanager
def opened_store(postgres: str | None) -> Iterator[PerformanceStore]:
    """Open an up-to-date and empty database: the one asked for, or SQLite in a temporary folder.

    Raises:
        SystemExit: it has job records. They are somebody's, and would be deleted here.

    """
    with ExitStack() as opened:
        url = opened.enter_context(postgres_url(postgres))
        if url is None:
            folder = opened.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{Path(folder) / 'performance.db'}"
        engine = open_engine(url)
        opened.callback(engine.dispose)
        upgrade(engine)
        store = PerformanceStore(engine)
        if store.count():
            raise SystemExit("The database has job records already; name an empty one.")
        yield store


def clear(store: PerformanceStore) -> None:
    """Delete all job records: what comes next is another fleet, or another file."""
    with store.engine.begin() as connection:
        connection.execute(delete(generation_performance))


def kept(store: PerformanceStore, jobs: Sequence[JobRecord]) -> list[JobRecord]:
    """Write jobs into the emptied database and read them, in the order in which they finished.

    Raises:
        RuntimeError: one did not come back as it was written, or did not come back.

    """
    clear(store)
    store.record(*jobs)
    back = store.jobs()
    written = sorted(jobs, key=lambda job: job.finished_at)
    for before, after in zip(written, back, strict=True):
        if to_row(before) != to_row(after) or Submission.of(before) != Submission.of(after):
            raise RuntimeError(f"{store.engine.dialect.name} changed {before!r} into {after!r}")
    return back
