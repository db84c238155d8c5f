"""Batches that the service was asked for: one at a time, each in a process of its own.

A batch waits as a file until its process is started, so that a service that is killed begins again
with those that waited. Killed in that very moment it starts a batch twice, which costs little: what
is made already is found again.

Belongs here: the order in which they start. Does not belong here: what a run does, Dagster.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache
from pydantic import AwareDatetime, Field, ValidationError
from upath import UPath

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.images.durable import write_whole
from animatize_assets.records import Measured, Record

if TYPE_CHECKING:
    from animatize_assets.orchestration import DetachedRuns

_log = logging.getLogger(__name__)

FOLDER: Final = "batches"
"""Below the data folder; holds what waits."""

MOST_WAITING: Final = 1_000

MOST_REMEMBERED: Final = 1_000
"""Batches of which is known that they were started, before Dagster knows their runs."""

LISTEN_EVERY_S: Final = 0.5
"""How soon a process that has ended, or the service's own end, is noticed."""

StartBatch = Callable[[str, Sequence[str]], "DetachedRuns"]
"""Starts ``animatize run`` with an id and its options."""


class WaitingBatch(Record):
    """A batch that no process works on yet, as it is kept in its file."""

    batch_id: str
    queued_at: AwareDatetime
    images: int = Field(gt=0)
    options: tuple[str, ...] = Field(description="of `animatize run`, image keys included")
    estimated_seconds: Measured | None = None
    estimated_interval_80: tuple[Measured, Measured] | None = None


class StartedBatch(Record):
    """A batch that this service has started, or tried to."""

    waited: WaitingBatch
    problem: str | None = Field(description="why its process is over without success")


class Batches:
    """The batches of one data folder. Threads may share it."""

    def __init__(self, data_dir: Path, start: StartBatch) -> None:
        self._folder = data_dir / FOLDER
        self._start = start
        self._waiting: dict[str, WaitingBatch] = {}
        self._under_way: WaitingBatch | None = None
        self._started: LRUCache[str, tuple[WaitingBatch, DetachedRuns | None]]
        self._started = LRUCache(MOST_REMEMBERED)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def submit(
        self,
        options: Sequence[str],
        *,
        images: int,
        estimated_seconds: float | None = None,
        estimated_interval_80: tuple[float, float] | None = None,
    ) -> WaitingBatch:
        """Put a batch behind those that wait; it survives a crash from here on.

        Raises:
            OrchestrationFailed: too many wait.
            StorageFailed: it cannot be written down.

        """
        batch = WaitingBatch(
            batch_id=str(uuid.uuid4()),
            queued_at=datetime.now(UTC),
            images=images,
            options=tuple(options),
            estimated_seconds=estimated_seconds,
            estimated_interval_80=estimated_interval_80,
        )
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise OrchestrationFailed(
                    f"{MOST_WAITING} batches wait already; ask again when some are done."
                )
            write_whole(UPath(self._file(batch)), batch.model_dump_json().encode())
            self._waiting[batch.batch_id] = batch
            self._work()
        return batch

    def resume(self) -> None:
        """Go on with what waited when the service ended."""
        found = []
        for file in self._folder.glob("*.json"):
            try:
                found.append(WaitingBatch.model_validate_json(file.read_bytes()))
            except ValidationError:
                _log.exception("%s holds no batch; look at it and remove it.", file.name)
        with self._lock:
            for batch in sorted(found, key=lambda each: each.queued_at):
                self._waiting.setdefault(batch.batch_id, batch)
            if self._waiting:
                self._work()

    def waiting(self, batch_id: str) -> tuple[WaitingBatch, int] | None:
        """Return a batch that waits, and how many start before it; None when it does not."""
        with self._lock:
            if batch_id not in self._waiting:
                return None
            return self._waiting[batch_id], list(self._waiting).index(batch_id)

    def before(self, batch_id: str) -> tuple[WaitingBatch, ...]:
        """Return the batches that must end before one begins: under way first, then waiting."""
        with self._lock:
            order = list(self._waiting)
            place = order.index(batch_id) if batch_id in order else 0
            under_way = () if self._under_way is None else (self._under_way,)
            return (*under_way, *(self._waiting[each] for each in order[:place]))

    def queue(self) -> tuple[WaitingBatch, ...]:
        """Return the batches that no process works on yet, in the order in which they start."""
        with self._lock:
            return tuple(self._waiting.values())

    def started(self, batch_id: str) -> StartedBatch | None:
        """Return a batch that this service has started lately; None when it has not."""
        with self._lock:
            found = self._started.get(batch_id)
        if found is None:
            return None
        waited, runs = found
        code = None if runs is None else runs.wait(0)
        problem = None
        if runs is None:
            problem = "Its process could not be started; the service's log says why."
        elif code:
            problem = f"Its process ended with {code}; the service's log says why."
        return StartedBatch(waited=waited, problem=problem)

    def close(self) -> None:
        """Start no more. What runs goes on by itself; what waits is resumed."""
        self._stop.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work_off, name="batches", daemon=True)
            self._thread.start()

    def _work_off(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                batch = next(iter(self._waiting.values()), None)
                if batch is None:
                    self._thread = None  # the next one that comes starts another
                    return
            runs = self._begin(batch)
            with self._lock:
                self._started[batch.batch_id] = batch, runs
                del self._waiting[batch.batch_id]
                self._under_way = None if runs is None else batch
            self._file(batch).unlink(missing_ok=True)
            while runs is not None and not self._stop.is_set():
                if runs.wait(LISTEN_EVERY_S) is not None:
                    break
            with self._lock:
                self._under_way = None

    def _begin(self, batch: WaitingBatch) -> DetachedRuns | None:
        """Start a batch; one that cannot be started is given up, in words in the log."""
        try:
            return self._start(batch.batch_id, batch.options)
        except OrchestrationFailed:
            _log.exception("Batch %s is given up.", batch.batch_id)
            return None

    def _file(self, batch: WaitingBatch) -> Path:
        return self._folder / f"{batch.batch_id}.json"
