"""The sums over all job records that this service has ever seen, kept between two looks.

They are written to a file below the data folder, so that they go on after a restart also when
records have been deleted meanwhile: a counter that falls would be read as that many new jobs.

Belongs here: when records are added, and the file. Does not belong here: adding up
(``performance.job_counts``), what the sums are called (``metrics_page``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Engine
from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.images.durable import write_whole
from animatize_assets.performance.job_counts import Counts, Line, added_up, count_jobs, newest_id
from animatize_assets.records import Record

_log = logging.getLogger(__name__)

FILE: Final = "service_sums.json"
"""Below the folder of the performance room."""

SETTLE_S: Final = 5.0
"""A server with several writers shows a record later than one with a larger id, by as long as its
transaction takes. So records are added when they were the newest ones this long ago."""


class _Sums(Record):
    until: int = 0
    """Id of the last record that is added."""
    lines: tuple[Line, ...] = ()


class JobSums:
    """The sums over the records of one database. Threads may share it; ``timer`` counts seconds."""

    def __init__(
        self, engine: Engine, folder: Path, *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._file = folder / FILE
        self._timer = timer
        self._lock = threading.Lock()
        self._sums: _Sums | None = None
        self._seen: tuple[int, float] | None = None

    def read(self) -> Counts:
        """Add what is new and return the sums.

        Raises:
            SQLAlchemyError: the database cannot be read.
        """
        with self._lock:
            sums = self._sums or self._stored()
            newest = newest_id(self._engine)
            if newest < sums.until:  # the records were deleted, or it is another database
                sums = _Sums()
            until = max(sums.until, self._settled(newest))
            if until > sums.until:
                new = count_jobs(self._engine, after=sums.until, until=until)
                sums = _Sums(until=until, lines=added_up(sums.lines, new))
                self._store(sums)
            self._sums = sums
            return sums.lines

    def _settled(self, newest: int) -> int:
        """Return an id below which no further record will appear; 0 when none is known."""
        if self._engine.dialect.name == "sqlite":  # which has one writer at a time
            return newest
        now = self._timer()
        seen_id, seen_at = self._seen or (0, now)
        if self._seen is not None and now - seen_at < SETTLE_S:
            return 0
        self._seen = (newest, now)
        return seen_id

    def _stored(self) -> _Sums:
        try:
            return _Sums.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return _Sums()
        except (OSError, ValidationError) as error:
            _log.warning(
                "The sums of jobs begin anew, for '%s' cannot be read (%s).",
                self._file,
                type(error).__name__,
            )
            return _Sums()

    def _store(self, sums: _Sums) -> None:
        try:
            write_whole(UPath(self._file), sums.model_dump_json().encode())
        except StorageFailed as error:
            _log.warning("After a restart the sums of jobs begin anew: %s", error.message)
