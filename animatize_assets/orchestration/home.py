"""Where Dagster lives: its home folder, its instance file and the environment it reads.

Dagster resolves relative paths from wherever the process stands, has no defaults for
environment variables in ``dagster.yaml``, and makes a temporary home when ``DAGSTER_HOME`` is
unset. So both variables are exported as absolute paths before it starts.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import NamedTemporaryFile

from dagster import DagsterInstance

TEMPLATE = "dagster_instance.yaml"
"""The instance file that ships in the package."""


def prepare_home(data_dir: Path) -> Path:
    """Export the variables that Dagster reads and make its home; return the home.

    ``DAGSTER_HOME`` from the environment is kept, made absolute. Without it the home is
    ``<data_dir>/dagster``. A home that is new or empty gets the instance file of this package;
    one that has files is somebody's and stays as it is.
    """
    home = home_of(data_dir)
    os.environ["ANIMATIZE_DATA_DIR"] = str(data_dir.absolute())
    os.environ["DAGSTER_HOME"] = str(home)
    # The template says so too; this holds for a home with another instance file.
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        if not any(home.iterdir()):
            _write_template(home / "dagster.yaml")
    return home


def home_of(data_dir: Path) -> Path:
    """Return where the home is, or will be; nothing is made."""
    given = os.environ.get("DAGSTER_HOME")
    return Path(given).expanduser().absolute() if given else data_dir.absolute() / "dagster"


def _write_template(path: Path) -> None:
    content = (files("animatize_assets") / TEMPLATE).read_bytes()
    with NamedTemporaryFile(dir=path.parent, prefix=".dagster-", delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)  # a temporary file is private; the daemon may be another user
    Path(file.name).replace(path)


@contextmanager
def open_instance(data_dir: Path) -> Iterator[DagsterInstance]:
    """Prepare the home of ``data_dir`` and open the Dagster instance that lives there.

    One process opens at a time: a new home's databases are made by whoever comes first, and Dagster
    itself does not keep two from making them at once.
    """
    with _alone(prepare_home(data_dir)):
        opened = DagsterInstance.get()
    with opened as instance:
        yield instance


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock a folder; the kernel frees the lock of a killed process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
