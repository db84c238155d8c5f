"""An event loop whose time passes only when everything waits: hours take milliseconds.

What is handed to a thread runs at once, in the loop, so that no time passes meanwhile.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: tells by how much time has to go on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            assert timeout is not None, "everything waits for something that never happens"
            self.now += max(timeout, 0)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(  # type: ignore[override]  # the future is this loop's own
        self,
        executor: Any,  # noqa: ARG002 - there is none
        func: Callable[..., Any],
        *args: Any,
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)
        return future


def now_s() -> float:
    """The virtual time, as a clock to inject."""
    return asyncio.get_running_loop().time()


def in_virtual_time(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``work()`` to its end; every ``asyncio.sleep`` in it takes no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work())
