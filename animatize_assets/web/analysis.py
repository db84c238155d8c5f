"""Statistics over many jobs, in a process of their own beside the service.

They take tenths of a second of pure computing, in which no other thread of a process goes on. Here
they take none from who asks for an estimate: another process, at lower priority, does them one
after the other. It also keeps pandas and SciPy out of the service's memory.

Belongs here: that process. Does not belong here: what is computed (``views``).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from animatize_assets.web.problems import Refused
from animatize_assets.web.remembered import Timed

if TYPE_CHECKING:
    from animatize_assets.performance.opening import PerformanceRoom

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

PRIORITY = 10
"""Added to the process's niceness: about a tenth of the share of a process of normal priority."""

_rooms: list[PerformanceRoom] = []
"""In the analysing process: its one room."""


class AnalysisProcess:
    """Computes views of one performance room. Threads may share it.

    The process is started by the first call, and again after one that ended unexpectedly.
    """

    def __init__(self, room: PerformanceRoom) -> None:
        # A copy without what was opened here; a GPU is of no interest there.
        self._room = replace(room, gpu_monitor=None)
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def run(
        self,
        view: Callable[Concatenate[PerformanceRoom, Asked], Answer],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Answer:
        """Return ``view(room, ...)``, computed there. ``view`` is a function of a module.

        Raises:
            Refused: the process ended before it answered, such as for want of memory.

        """
        return self.timed(view, *args, **kwargs).answer

    def timed(
        self,
        view: Callable[Concatenate[PerformanceRoom, Asked], Answer],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Timed[Answer]:
        """Return the same with its seconds, without what the process takes to start.

        Raises:
            Refused: the process ended before it answered, such as for want of memory.

        """
        pool = self._open()
        try:
            answer, took_s = pool.submit(_computed, view, args, kwargs).result()
        except BrokenProcessPool as error:
            with self._lock:
                if self._pool is pool:
                    self._pool = None
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The process that computes statistics ended. Ask again.",
                headers={"Retry-After": "5"},
            ) from error
        return Timed(answer, took_s)

    def close(self) -> None:
        """End the process; what it computes now is given up."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _open(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    max_workers=1,
                    mp_context=multiprocessing.get_context("spawn"),  # threads cannot be forked
                    initializer=_prepare,
                    initargs=(self._room,),
                )
            return self._pool


def _prepare(room: PerformanceRoom) -> None:
    """Make the new process ready; it is what ``initializer`` names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends this
    os.nice(PRIORITY)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    _rooms[:] = [room]


def _end_with_parent() -> None:
    """End this process when the service was killed and could not do it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _computed(
    view: Callable[..., Answer], args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[Answer, float]:
    (room,) = _rooms
    began = time.perf_counter()
    answer = view(room, *args, **kwargs)
    return answer, time.perf_counter() - began
