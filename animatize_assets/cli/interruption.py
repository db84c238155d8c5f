"""Ctrl-C and SIGTERM while a run is going on: end it in good order.

The run works in a thread of its own; the main thread waits and hears the signals. So a signal
never cuts a database write or a native call in half: it sets an event, and the run ends before
its next stage.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import TypeVar

Answer = TypeVar("Answer")
LISTEN_EVERY_S = 0.2


@contextmanager
def canceled_by_signals(tell: Callable[[str], None]) -> Iterator[Event]:
    """Yield an event that the first Ctrl-C or SIGTERM sets; a second one ends the process.

    ``tell`` gets one sentence for the person at the keyboard.
    """
    cancel = Event()

    def heard(_number: int, _frame: FrameType | None) -> None:
        if cancel.is_set():
            os._exit(1)  # what the run had finished is stored; the next command ends its record
        cancel.set()
        tell("Canceling after the stage at work; once more to stop at once.")

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, heard)
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_own_thread(work: Callable[[], Answer]) -> Answer:
    """Run ``work`` in a thread and wait; what it raises is raised here."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="run") as pool:
        future = pool.submit(work)
        # Python hears a signal only between two steps of the main thread, so it keeps stepping.
        while not wait([future], timeout=LISTEN_EVERY_S).done:
            pass
        return future.result()
