"""Batches start one after the other, and those that wait survive the service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.orchestration import DetachedRuns
from animatize_assets.web import batches as module
from animatize_assets.web.batches import FOLDER, Batches, WaitingBatch
from animatize_assets.web.routes.batches import in_a_row


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


def test_what_goes_first_is_what_is_under_way_and_then_what_waits(
    opened: Open, starter: Starter
) -> None:
    batches = opened()
    first = batches.submit(["--", "a"], images=1)
    starter.next()
    second = batches.submit(["--", "b"], images=1)
    third = batches.submit(["--", "c"], images=1)
    assert batches.before(third.batch_id) == (first, second)
    assert batches.before(second.batch_id) == (first,)
    starter.processes[first.batch_id].end()
    starter.next()
    assert batches.before(third.batch_id) == (second,)


NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def waiting(seconds: float | None, interval: tuple[float, float] | None) -> WaitingBatch:
    return WaitingBatch(
        batch_id="b",
        queued_at=NOW,
        images=1,
        options=(),
        estimated_seconds=seconds,
        estimated_interval_80=interval,
    )


def test_batches_in_a_row_end_after_the_sum_of_their_times() -> None:
    told = in_a_row(NOW, [waiting(10.0, (8.0, 13.0)), waiting(5.0, (4.0, 7.0))])
    assert told is not None
    assert told.finishing_at == NOW + timedelta(seconds=15)
    assert told.interval_80 == (NOW + timedelta(seconds=12), NOW + timedelta(seconds=20))
    late = NOW - timedelta(seconds=1), NOW + timedelta(seconds=2)
    shifted = in_a_row(NOW, [waiting(10.0, (8.0, 13.0))], late)
    assert shifted is not None
    assert shifted.interval_80 == (NOW + timedelta(seconds=7), NOW + timedelta(seconds=15))


def test_one_without_an_interval_takes_it_from_all_and_one_without_a_time_everything() -> None:
    told = in_a_row(NOW, [waiting(10.0, (8.0, 13.0)), waiting(5.0, None)])
    assert told is not None
    assert told.interval_80 is None
    assert in_a_row(NOW, [waiting(10.0, (8.0, 13.0)), waiting(None, None)]) is None


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
