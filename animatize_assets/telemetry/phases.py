"""How long each phase of one piece of work takes.

Belongs here: measuring. Does not belong here: where the seconds are stored or what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class PhaseTimer:
    """Seconds per named phase, in the order in which phases were first entered.

    A phase that is entered twice adds up. One timer belongs to one thread.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the block as (a part of) the phase ``name``, also when it raises."""
        started = perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + perf_counter() - started

    @property
    def seconds(self) -> dict[str, float]:
        """A copy: phase name -> seconds."""
        return dict(self._seconds)
