"""Batches start one after the other, and those that wait survive the service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.orchestration import DetachedRuns
from animatize_assets.web import batches as module
from animatize_assets.web.batches import FOLDER, Batches


class Process:
    """A process that ends when the test says so."""

    def __init__(self) -> None:
        self.code: int | None = None
        self._ended = threading.Event()

    def end(self, code: int = 0) -> None:
        self.code = code
        self._ended.set()

    def wait(self, timeout_s: float | None = None) -> int | None:
        self._ended.wait(timeout_s)
        return self.code


class Starter:
    """Starts such processes and tells when it has."""

    def __init__(self) -> None:
        self.started: list[tuple[str, tuple[str, ...]]] = []
        self.processes: dict[str, Process] = {}
        self.refuses = False
        self.arrived = threading.Semaphore(0)

    def __call__(self, batch_id: str, options: Sequence[str]) -> DetachedRuns:
        self.started.append((batch_id, tuple(options)))
        self.processes[batch_id] = Process()
        self.arrived.release()
        if self.refuses:
            raise OrchestrationFailed("No process could be started.")
        return cast("DetachedRuns", self.processes[batch_id])

    def next(self) -> str:
        assert self.arrived.acquire(timeout=30)
        return self.started[-1][0]


@pytest.fixture
def starter() -> Starter:
    return Starter()


@pytest.fixture
def opened(tmp_path: Path, starter: Starter) -> Any:
    made: list[Batches] = []

    def open_batches() -> Batches:
        made.append(Batches(tmp_path, starter))
        return made[-1]

    yield open_batches
    for each in made:
        each.close()


Open = Callable[[], Batches]


def test_one_runs_and_the_others_wait_in_their_order(opened: Open, starter: Starter) -> None:
    batches = opened()
    first = batches.submit(["--", "a"], images=1)
    assert starter.next() == first.batch_id
    second = batches.submit(["--", "b"], images=1, estimated_seconds=2.5)
    third = batches.submit(["--", "c"], images=1)
    assert batches.waiting(second.batch_id) is not None
    assert batches.waiting(third.batch_id) == (third, batches.waiting(second.batch_id)[1] + 1)  # type: ignore[index]
    starter.processes[first.batch_id].end()
    assert starter.next() == second.batch_id
    starter.processes[second.batch_id].end()
    assert starter.next() == third.batch_id
    assert [options for _, options in starter.started] == [("--", "a"), ("--", "b"), ("--", "c")]
    assert batches.waiting("unheard-of") is batches.started("unheard-of") is None


def test_what_waits_is_started_by_the_next_service(
    opened: Open, starter: Starter, tmp_path: Path
) -> None:
    before = opened()
    running = before.submit(["--", "a"], images=1)
    starter.next()
    waiting = [before.submit(["--", name], images=1) for name in "bc"]
    before.close()
    (tmp_path / FOLDER / "torn.json").write_text("{")
    after = opened()
    after.resume()
    assert starter.next() == waiting[0].batch_id
    starter.processes[waiting[0].batch_id].end()
    assert starter.next() == waiting[1].batch_id
    assert [batch_id for batch_id, _ in starter.started].count(running.batch_id) == 1
    after.close()
    assert [file.name for file in (tmp_path / FOLDER).glob("*.json")] == ["torn.json"]


def test_a_process_that_fails_is_told_and_the_next_one_starts(
    opened: Open, starter: Starter
) -> None:
    batches = opened()
    first = batches.submit(["--", "a"], images=1)
    second = batches.submit(["--", "b"], images=1)
    starter.next()
    starter.processes[first.batch_id].end(3)
    assert starter.next() == second.batch_id
    told = batches.started(first.batch_id)
    assert told is not None
    assert "ended with 3" in (told.problem or "")


def test_a_batch_that_cannot_be_started_holds_up_no_other(opened: Open, starter: Starter) -> None:
    starter.refuses = True
    batches = opened()
    given_up = batches.submit(["--", "a"], images=1)
    assert starter.next() == given_up.batch_id
    following = batches.submit(["--", "b"], images=1)
    assert starter.next() == following.batch_id
    told = batches.started(given_up.batch_id)
    assert told is not None
    assert "could not be started" in (told.problem or "")


def test_no_more_wait_than_are_allowed(
    opened: Open, starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    with pytest.raises(OrchestrationFailed, match="wait already"):
        opened().submit(["--", "a"], images=1)
