"""Where pictures are made while the pipeline's threads wait: one event loop in the background.

Belongs here: the thread and its end. Does not belong here: what the loop does (``router``).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from animatize_assets.generation.across_runs import AcrossRuns
from animatize_assets.generation.journey import Keep
from animatize_assets.generation.models import Delivery, PictureRequest
from animatize_assets.generation.router import Router
from animatize_assets.generation.station import ProviderState

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

THREADS = 16
"""Beside the loop: they write the ledger and look at pictures, and mostly wait for a disk."""

CLOSING_S = 10.0
"""How long an end is waited for; the thread never keeps the interpreter from ending."""


class Studio:
    """Makes pictures for any number of threads. Nothing starts before the first one asks.

    ``open_router`` is called once, in the loop that its providers will live in.
    """

    def __init__(self, open_router: Callable[[], Router]) -> None:
        self._loop = _LoopInThread(open_router)
        self._end = weakref.finalize(self, self._loop.close)

    def deliver(
        self,
        request: PictureRequest,
        order: Sequence[str],
        *,
        run_id: str | None = None,
        keep: Keep | None = None,
        across_runs: AcrossRuns | None = None,
    ) -> Delivery:
        """Return what :meth:`Router.deliver` returns, or raise what it raises, in this thread.

        Raises:
            RuntimeError: the studio is closed, or the caller is the loop itself.
        """
        router = self._loop.router()
        return self._loop.result_of(
            router.deliver(request, order, run_id=run_id, keep=keep, across_runs=across_runs)
        )

    def states(self) -> tuple[ProviderState, ...]:
        """Return how each provider is doing now; opens the providers when that is not done yet."""
        router = self._loop.router()

        async def look() -> tuple[ProviderState, ...]:
            return router.states()

        return self._loop.result_of(look())

    def close(self) -> None:
        """End everything in flight and free the thread. Closing twice is closing once."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _LoopInThread:
    """An event loop, its thread and the router in it. Knows no studio, so that one can be freed."""

    def __init__(self, open_router: Callable[[], Router]) -> None:
        self._open_router = open_router
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._router: Router | None = None
        self._is_closed = False

    def router(self) -> Router:
        """Return the router; the first call starts the thread."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("The studio's own loop must not wait for the studio; use a thread.")
        with self._lock:
            if self._is_closed:
                raise RuntimeError("The studio is closed; open another one.")
            if self._loop is None:
                self._start()
            if self._router is None:
                self._router = self.result_of(self._opened())
            return self._router

    def result_of(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for ``work``, which runs in the loop; a wait that is broken off ends the work."""
        with self._lock:  # so that nothing comes after the end, to be waited for for ever
            if self._loop is None:
                work.close()
                raise RuntimeError("The studio is closed; open another one.")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError("The studio was closed while this was in flight.") from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            loop, thread, router = self._loop, self._thread, self._router
            self._loop = None
        if loop is None or thread is None:
            return
        if thread.is_alive() and threading.current_thread() is not thread:
            loop.call_soon_threadsafe(lambda: loop.create_task(_wind_up(loop, router)))
            thread.join(CLOSING_S)
            if thread.is_alive():
                _log.warning("Providers did not end within %.0f s; they are left.", CLOSING_S)

    async def _opened(self) -> Router:
        return self._open_router()

    def _start(self) -> None:
        loop = asyncio.new_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="studio"))
        self._thread = threading.Thread(target=_run, args=(loop,), name="studio", daemon=True)
        self._loop = loop
        self._thread.start()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _wind_up(loop: asyncio.AbstractEventLoop, router: Router | None) -> None:
    """Cancel what is under way, close the providers and stop the loop."""
    try:
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks(loop) if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if router is not None:
            await router.close()
        await loop.shutdown_asyncgens()
    finally:
        loop.stop()
