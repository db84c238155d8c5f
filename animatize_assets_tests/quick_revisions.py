"""The revisions of a database's history are read once in this process of tests.

Dagster asks at every opening of an instance, for each of its three storages, whether a database is
up to date, and Alembic reads all of its files of revisions for each answer. What tests our own
history, in ``database``, goes without this.

Belongs here: that short cut. Does not belong here: the history (``animatize_assets.database``).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

HISTORY = Path(__file__).parent / "database"

_read = ScriptDirectory.from_config
_known: dict[str | None, ScriptDirectory] = {}


@pytest.fixture(autouse=True)
def _quick_revisions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if HISTORY not in request.node.path.parents:
        monkeypatch.setattr(ScriptDirectory, "from_config", known_revisions)


def known_revisions(config: Config) -> ScriptDirectory:
    """Return the revisions where ``config`` says, as they were when they were first asked for."""
    place = config.get_main_option("script_location")
    if place not in _known:
        _known[place] = _read(config)
    return _known[place]
