"""Dagster's daemon takes its turns by a clock that nobody sets.

Its loops tell by the wall clock how long ago their last turn was. One that is set back by an hour
leaves queued runs where they are, unmonitored, and the sensors silent, until the clock has come to
where it was (integration/test_clock_jump.py). Here they count monotonic seconds; a sensor whose
last look lies in the future looks now; and no pause is longer than a minute, which is the longest
that Dagster means to make.

That leans on names that Dagster does not promise to keep, so any other version of Dagster than the
one it was tested with stays as it is.

Belongs here: those three. Does not belong here: what a turn does. The event storages call it,
because both instance files name one, and an instance opens it before its daemon's threads start.
"""

import sys
import time
from collections.abc import Callable
from functools import wraps
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from dagster._core.scheduler.instigation import InstigatorState

DAEMON, SENSORS = "dagster._daemon.daemon", "dagster._daemon.sensor"
LONGEST_PAUSE_S = 60.0
"""The scheduler's, until the next minute; the other loops pause 5 and 30 seconds."""


STEADY_TIME = SimpleNamespace(time=time.monotonic, sleep=time.sleep)
"""Stands for the module ``time`` where only differences are asked for."""


class ShortPauses(Event):
    """The event that ends the daemon; who waits for it looks up at least once a minute."""

    def __init__(self, end: Event) -> None:
        super().__init__()
        self._end = end

    def is_set(self) -> bool:
        """Whether the daemon is to end."""
        return self._end.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end for ``timeout`` seconds, and no longer than :data:`LONGEST_PAUSE_S`."""
        most = LONGEST_PAUSE_S if timeout is None else min(timeout, LONGEST_PAUSE_S)
        return self._end.wait(most)


def keep_turns(tested_with: str) -> None:
    """Have the daemon of this process, if it is one, keep its turns. Once is enough.

    ``tested_with``: the only version of Dagster that is touched.
    """
    daemon, sensors = sys.modules.get(DAEMON), sys.modules.get(SENSORS)
    if daemon is None or sensors is None or dg.__version__ != tested_with:
        return
    if getattr(daemon, "time", None) is STEADY_TIME:
        return
    daemon.time = STEADY_TIME  # type: ignore[attr-defined]  # a module's global
    daemon.DagsterDaemon.run_daemon_loop = _with_short_pauses(daemon.DagsterDaemon.run_daemon_loop)
    sensors.get_elapsed = _never_before(sensors.get_elapsed)  # type: ignore[attr-defined]  # the same


def _with_short_pauses(run_daemon_loop: Callable[..., None]) -> Callable[..., None]:
    @wraps(run_daemon_loop)
    def run(
        daemon: object, workspace: object, daemon_uuid: str, end: Event, *others: Any, **named: Any
    ) -> None:
        run_daemon_loop(daemon, workspace, daemon_uuid, ShortPauses(end), *others, **named)

    return run


def _never_before(
    get_elapsed: "Callable[[InstigatorState], float | None]",
) -> "Callable[[InstigatorState], float | None]":
    @wraps(get_elapsed)
    def elapsed(state: "InstigatorState") -> float | None:
        seconds = get_elapsed(state)
        return None if seconds is not None and seconds < 0 else seconds

    return elapsed
