"""New homes of tests get the files that Dagster made for a new home once in this process.

Dagster takes 0.3 s of CPU to make its SQLite files, and the tests make hundreds of homes. What
tests the home itself, in ``orchestration/test_home.py``, goes without this.

Belongs here: that short cut. Does not belong here: an instance on PostgreSQL (``production``).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

HOMES = Path(__file__).parent / "orchestration" / "test_home.py"
_HOME = "animatize_assets.orchestration.home"
"""Its module is asked for only when a test has imported it: that takes seconds."""


@pytest.fixture(scope="session")
def ready_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with empty storages, to be copied."""
    from dagster import DagsterInstance  # noqa: PLC0415  # seconds of import

    folder = tmp_path_factory.mktemp("ready") / "dagster"
    folder.mkdir()
    sys.modules[_HOME]._write_template(folder / "dagster.yaml")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DAGSTER_HOME", str(folder))
        with DagsterInstance.get() as instance:
            instance.get_runs()
    return folder


@pytest.fixture(autouse=True)
def _quick_homes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    home = sys.modules.get(_HOME)
    if home is None or request.node.path == HOMES:
        return
    # Before it is needed: a test may make its home in a thread.
    ready: Path = request.getfixturevalue("ready_home")

    def copy(path: Path) -> None:
        shutil.copytree(ready, path.parent, dirs_exist_ok=True)

    monkeypatch.setattr(home, "_write_template", copy)
