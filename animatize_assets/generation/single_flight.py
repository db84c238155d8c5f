"""Identical requests at the same moment, in any process of this machine, make one call.

The first one takes the lock of its key and works; the others wait for it and then find the result
in the result store. A lock is a file that the kernel locks (``flock``): a killed holder frees it,
and threads of one process exclude each other as processes do. A lock's file is removed when it is
freed, so there are as many as requests in flight; what a killed holder leaves is empty and is
taken over or cleaned.

Belongs here: who works and who waits. Does not belong here: where the result is found afterwards
(``result_store``), requests within one event loop (``studio``).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from animatize_assets.errors import StorageFailed

FIRST_WAIT_S = 0.005
LONGEST_WAIT_S = 0.25
"""Between two looks at a lock that is taken: short against any paid call, long against a poll."""

_SUFFIX = ".lock"


class SingleFlight:
    """The locks of one folder on a local file system.

    A thread holds one lock at a time: two that each wait for the other's would wait for ever.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = Path(folder)
        self._clock = clock
        self._sleep = sleep
        self._held = threading.local()

    @contextmanager
    def hold(self, key: str, timeout_s: float) -> Iterator[bool]:
        """Hold the lock of ``key``. Gives True when it was free, False when it was waited for.

        Look for the result again after False: whoever held the lock has probably made it.

        Raises:
            TimeoutError: it was not freed in time.
            StorageFailed: the folder cannot be written.
            RuntimeError: this thread holds a lock already.
        """
        if getattr(self._held, "key", None) is not None:
            raise RuntimeError("A thread holds one request's lock at a time; free the other first.")
        descriptor, waited = self._wait_for(key, timeout_s)
        self._held.key = key
        try:
            yield not waited
        finally:
            self._held.key = None
            self._free(key, descriptor)

    def clean(self) -> int:
        """Remove the files that killed holders left; the number of them."""
        if not self._folder.is_dir():
            return 0
        removed = 0
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            descriptor = _try_lock(path)
            if descriptor is not None:
                path.unlink(missing_ok=True)
                os.close(descriptor)
                removed += 1
        return removed

    def _wait_for(self, key: str, timeout_s: float) -> tuple[int, bool]:
        path = self._path(key)
        deadline = self._clock() + timeout_s
        wait = FIRST_WAIT_S
        waited = False
        while True:
            descriptor = self._locked(path)
            if descriptor is not None:
                return descriptor, waited
            waited = True
            left = deadline - self._clock()
            if left <= 0:
                raise TimeoutError(
                    f"The same request has been in flight for more than {timeout_s:g} s; "
                    "wait for it or ask again later."
                )
            # jitter, so that those who wait for one lock do not all look at the same moment
            self._sleep(min(left, wait * random.uniform(0.5, 1)))  # noqa: S311 - no secret
            wait = min(2 * wait, LONGEST_WAIT_S)

    def _locked(self, path: Path) -> int | None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return _try_lock(path)
        except OSError as error:
            raise StorageFailed(
                f"The folder '{self._folder.name}' of locks is not usable: {error}."
            ) from error

    def _free(self, key: str, descriptor: int) -> None:
        # removed while it is locked: whoever waits for it sees that the name is another file now
        self._path(key).unlink(missing_ok=True)
        os.close(descriptor)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}{_SUFFIX}"


def _try_lock(path: Path) -> int | None:
    """Lock the file now, or return None; the descriptor holds the lock until it is closed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):  # taken, or its holder just removed it
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
