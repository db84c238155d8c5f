"""How many stages of a process may compute at the same time.

Belongs here: giving up one's place while waiting for somebody else's computer. Does not belong
here: what is computed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore


class Desks:
    """As many places to work as there are processors, by default."""

    def __init__(self, count: int | None = None) -> None:
        self._places = BoundedSemaphore(count or os.cpu_count() or 1)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Work at a desk inside this context; wait for one first."""
        with self._places:
            yield

    @contextmanager
    def left(self) -> Iterator[None]:
        """Leave the desk to another inside this context, and take one again at its end."""
        self._places.release()
        try:
            yield
        finally:
            self._places.acquire()
