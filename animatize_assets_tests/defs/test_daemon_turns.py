"""The daemon's turns go on when the wall clock is set back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from inspect import unwrap
from threading import Event
from typing import Any

import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._daemon import daemon, sensor

from animatize_assets.defs.daemon_turns import LONGEST_PAUSE_S, ShortPauses, keep_turns
from animatize_assets.defs.event_log import TESTED_WITH

HOUR_S = 3_600.0


@pytest.fixture(autouse=True)
def _stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's modules as they are, whatever instance this process has opened before."""
    monkeypatch.setattr(daemon, "time", time)
    for owner, name in ((daemon.DagsterDaemon, "run_daemon_loop"), (sensor, "get_elapsed")):
        monkeypatch.setattr(owner, name, unwrap(getattr(owner, name)))


class Often(daemon.IntervalDaemon[Any]):
    """A daemon whose turns are counted."""

    turns = 0

    @classmethod
    def daemon_type(cls) -> str:
        return "OFTEN"

    def run_iteration(self, workspace_process_context: Any) -> Iterator[None]:  # noqa: ARG002
        self.turns += 1
        yield


def turns_after_an_hour_back(monkeypatch: pytest.MonkeyPatch) -> int:
    """Give the loop 300 chances to begin a second turn, which is due at once."""
    often, ended = Often(0), Event()
    ended.set()  # so that it does not sleep
    loop = often.core_loop(None, ended)
    while often.turns == 0:
        next(loop)
    there = time.time
    monkeypatch.setattr(time, "time", lambda: there() - HOUR_S)
    for _ in range(300):
        next(loop)
    return often.turns


def test_a_clock_that_is_set_back_stops_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_turns(TESTED_WITH)
    assert turns_after_an_hour_back(monkeypatch) > 1


def test_the_stock_daemon_would_wait_and_any_other_version_stays_stock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_turns("another version")
    assert turns_after_an_hour_back(monkeypatch) == 1


def looked_at(timestamp: float) -> InstigatorState:
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "repository")
    return InstigatorState(
        RemoteInstigatorOrigin(repository, "sensor"),
        InstigatorType.SENSOR,
        InstigatorStatus.RUNNING,
        SensorInstigatorData(last_tick_timestamp=timestamp, last_tick_start_timestamp=timestamp),
    )


def test_a_sensor_whose_last_look_lies_in_the_future_looks_now() -> None:
    keep_turns(TESTED_WITH)
    keep_turns(TESTED_WITH)
    assert sensor.get_elapsed(looked_at(time.time() + HOUR_S)) is None
    elapsed = sensor.get_elapsed(looked_at(time.time() - HOUR_S))
    assert elapsed == pytest.approx(HOUR_S, rel=0.1)


class Waited(Event):
    """Notes how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return self.is_set()


def test_no_pause_is_longer_than_a_minute_and_the_end_is_seen() -> None:
    keep_turns(TESTED_WITH)
    end, given = Waited(), []

    class Pausing(Often):
        def core_loop(self, workspace_process_context: Any, shutdown_event: Event) -> Any:  # noqa: ARG002
            given.append(shutdown_event)
            shutdown_event.wait(HOUR_S)
            shutdown_event.wait(5)
            shutdown_event.wait()
            end.set()
            yield

    class Instance:
        daemon_skip_heartbeats_without_errors = True

    class Workspace:
        instance = Instance()

    Pausing(0).run_daemon_loop(Workspace(), "id", end, 30, 30)  # type: ignore[arg-type]
    assert end.seconds == [LONGEST_PAUSE_S, 5, LONGEST_PAUSE_S]
    assert isinstance(given[0], ShortPauses)
    assert given[0].is_set()
