"""Writing down what a job was, whatever state the database is in.

A record that the database does not take now is spooled to the disk, and written later, in order
and once, by whichever process next reaches the database. What cannot even be spooled is told in
full in the log, counted, and kept in memory for another try.

Belongs here: the way of a record to the database. Does not belong here: the spool's files
(``spool``), the transaction that imports them (``spool_import``), what is recorded (``tracking``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from animatize_assets.database.engine import open_engine
from animatize_assets.errors import StorageFailed
from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.spool import Spool
from animatize_assets.performance.spool_import import (
    import_records,
    is_fault_of_record,
    reason,
)
from animatize_assets.performance.store import PerformanceStore

_log = logging.getLogger(__name__)

RECORDING_WAIT_S = 1.0
"""The longest that a job waits for the database before its record is spooled; for a server that
does not answer at all, ``engine.LEAST_CONNECT_TIMEOUT_S``."""

RETRY_S = 5.0
"""How long the database is left alone after it failed: jobs then spool at once."""

BATCH = 100
"""Spooled records per transaction, and per record of a job that finds some: a few hundredths of a
second. A longer spool takes as many jobs, or one :meth:`JobRecorder.drain`."""

MOST_HELD = 1_000
"""Records kept in memory while neither database nor disk takes them, a few kilobytes each."""


Kept = Literal["recorded", "known", "spooled", "held", "refused", "lost"]
"""Where a record is: in the database, now or from before; on the disk, to be written later; in the
memory of this process alone; beside the spool, for no database takes it; only in the log."""


@dataclass(frozen=True)
class RecorderState:
    """What became of the records of this process."""

    recorded: int
    """Records that went to the database at once."""
    imported: int
    """Spooled records, of any process, that this one wrote to the database."""
    spooled: int
    held: int
    """Records that only the memory of this process keeps."""
    lost: int
    """Records that only the log tells."""
    outage: str | None
    """Why the database takes nothing at present; None when it does."""


class JobRecorder:
    """Writes job records. Safe to use from several threads; nothing it does ever raises.

    A job id that the database has already stays as it is. The engine of ``store`` should give up
    soon: :func:`open_recorder` makes one that does. The database may be behind the newest
    revision; records are spooled until it is not. ``clock`` tells the time, with its time zone;
    ``timer`` counts seconds.
    """

    def __init__(
        self,
        store: PerformanceStore,
        spool_dir: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._spool = Spool(spool_dir, clock)
        self._clock = clock
        self._timer = timer
        self._turn = threading.Lock()  # one thread at a time is at the database
        self._books = threading.Lock()  # for what is below
        self._held: dict[str, JobRecord] = {}
        self._recorded = self._imported = self._spooled = self._lost = 0
        self._outage: str | None = None
        self._retry_at = 0.0

    def record(self, job: JobRecord) -> Kept:
        """Write a job's record, or spool it; returns where it is now.

        Waits for the database for as long as the store's engine does, and not again for
        :data:`RETRY_S` after that was in vain.
        """
        try:
            return self._written(job) or self._put_on_disk(job)
        except Exception as error:  # noqa: BLE001  # a job never fails because of its record
            return self._tell_lost(job, error)
        except BaseException:
            # Ctrl-C: the record is safe first. It does no harm if it was written: its id is there.
            self._put_on_disk(job)
            raise

    def drain(self) -> int:
        """Write everything that is spooled; returns how many records were new to the database."""
        imported = 0
        try:
            self._spool.remove_abandoned()
            with self._turn:
                while self._has_waiting():
                    imported += self._import_batch()
            self._end_outage()
        except Exception as error:  # noqa: BLE001  # reported; the records stay where they are
            self._begin_outage(error)
        return imported

    def catch_up(self) -> int:
        """Do as :meth:`drain`, for those who come by: at once where nothing waits.

        Nor does it wait for a database that failed less than :data:`RETRY_S` ago.
        """
        if not self._has_waiting() or self._timer() < self._retry_at:
            return 0
        return self.drain()

    @property
    def state(self) -> RecorderState:
        """How things stand now."""
        with self._books:
            return RecorderState(
                recorded=self._recorded,
                imported=self._imported,
                spooled=self._spooled,
                held=len(self._held),
                lost=self._lost,
                outage=self._outage,
            )

    def close(self) -> None:
        """Close the connections of the store's engine."""
        self._store.engine.dispose()

    def _written(self, job: JobRecord) -> Kept | None:
        """Write a record to the database, after those that wait; None when that cannot be now."""
        if self._timer() < self._retry_at:
            return None
        if not self._turn.acquire(timeout=RECORDING_WAIT_S):
            return None  # another thread waits for the database already
        try:
            if self._has_waiting():
                self._import_batch()
                if self._has_waiting():
                    return None  # its turn comes after those
            is_new = self._store.record(job)
        except Exception as error:  # noqa: BLE001  # whatever it is, the record is kept
            if is_fault_of_record(error):
                return self._put_aside(self._spool.new_id(), job, reason(error))
            self._begin_outage(error)
            return None
        finally:
            self._turn.release()
        with self._books:
            self._recorded += 1
        self._end_outage()
        return "recorded" if is_new else "known"

    def _has_waiting(self) -> bool:
        return bool(self._held) or bool(self._spool.ids())

    def _import_batch(self) -> int:
        """Write the oldest of what waits; returns how many were new."""
        with self._books:
            waiting = dict(self._held)
        batch = sorted({*self._spool.ids(), *waiting})[:BATCH]
        jobs: dict[str, JobRecord] = {}
        for spool_id in batch:
            job = waiting.get(spool_id) or self._spool.read(spool_id)
            if job is not None:
                jobs[spool_id] = job
        done = import_records(self._store, jobs, self._clock().astimezone(UTC))
        with self._books:
            for spool_id in jobs:
                self._held.pop(spool_id, None)
            self._imported += done.new
        for spool_id, why in done.refused.items():
            if spool_id in waiting:
                self._put_aside(spool_id, waiting[spool_id], why)
            else:
                self._spool.set_aside(spool_id, why)
        self._spool.remove(spool_id for spool_id in jobs if spool_id not in done.refused)
        return done.new

    def _put_aside(self, spool_id: str, job: JobRecord, why: str) -> Kept:
        try:
            self._spool.put_aside(spool_id, job, why)
        except StorageFailed as error:
            return self._tell_lost(job, error)
        return "refused"

    def _put_on_disk(self, job: JobRecord) -> Kept:
        spool_id = self._spool.new_id()
        try:
            self._spool.put(spool_id, job)
        except StorageFailed as error:
            return self._hold(spool_id, job, error)
        with self._books:
            self._spooled += 1
            held = dict(self._held)
        for earlier_id, earlier in held.items():
            try:
                self._spool.put(earlier_id, earlier)
            except StorageFailed:  # told when it was first tried
                break
            with self._books:
                self._held.pop(earlier_id, None)
                self._spooled += 1
        return "spooled"

    def _hold(self, spool_id: str, job: JobRecord, error: Exception) -> Kept:
        _log.critical(
            "The record of job %s is neither in the database nor on the disk, and is kept in "
            "memory until this process ends; free some space. %s The record: %s",
            job.job_id,
            error,
            job.model_dump_json(),
        )
        with self._books:
            self._held[spool_id] = job
            if len(self._held) > MOST_HELD:
                del self._held[next(iter(self._held))]
                self._lost += 1
        return "held"

    def _tell_lost(self, job: JobRecord, error: Exception) -> Kept:
        with self._books:
            self._lost += 1
        _log.critical("A job record is lost: %s. The record: %r", reason(error), job)
        return "lost"

    def _begin_outage(self, error: Exception) -> None:
        with self._books:
            is_known = self._outage is not None
            self._outage = reason(error)
            self._retry_at = self._timer() + RETRY_S
        if not is_known:
            _log.warning(
                "The performance database takes no records (%s); they are spooled in '%s' and "
                "written when it does.",
                self._outage,
                self._spool.folder,
            )

    def _end_outage(self) -> None:
        with self._books:
            was_out = self._outage is not None
            self._outage = None
            self._retry_at = 0.0
        if was_out:
            _log.warning("The performance database takes records again.")


def open_recorder(url: str, spool_dir: Path, *, is_durable: bool = False) -> JobRecorder:
    """Return a recorder with connections of its own, which keep no job waiting.

    ``is_durable``: whether a commit is awaited on the disk (SQLite). A run does not: a power cut
    may cost its latest records, never the file. Who acknowledges a record to others does.
    """
    engine = open_engine(url, wait_s=RECORDING_WAIT_S, is_durable=is_durable)
    return JobRecorder(PerformanceStore(engine), spool_dir)
