"""A look for dead workers that failed is not the last one."""

from __future__ import annotations

from inspect import unwrap
from threading import Event

import pytest
from dagster._grpc.server import DagsterApiServer
from sqlalchemy.exc import OperationalError

from animatize_assets.defs.dead_workers import keep_looking
from animatize_assets.defs.event_log import TESTED_WITH


class Server(DagsterApiServer):
    """A code server of which only the thread's work is there."""

    def __init__(self, ends_after: int) -> None:
        self._server_termination_event = Turns(ends_after)


class Turns(Event):
    """Ends the thread after some turns, between which nobody waits."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._left = most + 1

    def wait(self, timeout: float | None = None) -> bool:
        del timeout
        self._left -= 1
        if not self._left:
            self.set()
        return self.is_set()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The servers that looked; the first look fails."""
    seen: list[object] = []

    def look(server: object) -> None:
        seen.append(server)
        if len(seen) == 1:
            raise OperationalError("select 1", {}, ConnectionError("database or disk is full"))

    assert callable(unwrap(DagsterApiServer._check_for_orphaned_runs))
    monkeypatch.setattr(DagsterApiServer, "_check_for_orphaned_runs", look)
    return seen


def test_it_looks_again_and_says_what_was_wrong(
    looks: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    keep_looking(TESTED_WITH)
    keep_looking(TESTED_WITH)
    server = Server(3)
    server._cleanup_thread()
    assert looks == [server] * 3
    (record,) = caplog.records
    assert "trying again" in record.message
    assert record.exc_info is not None


def test_any_other_version_stays_stock(looks: list[object]) -> None:
    keep_looking("another version")
    with pytest.raises(OperationalError):
        Server(3)._cleanup_thread()
    assert len(looks) == 1
