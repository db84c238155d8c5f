"""Results that were made once, kept so that nobody pays for them twice.

A result lies under the hash of its bytes; a row says under which key, what it is, and when it was
last used. The file is written before the row: a crash between them leaves a file that no row
names, which :meth:`ResultStore.clean` removes after an hour. A row goes before its file: a crash
between them leaves the same. A row without its file, or with other bytes in it, is a miss.

Belongs here: keeping, finding and dropping. Does not belong here: what determines a result (the
caller's key), the rows (``result_index``), who makes what is missing (``single_flight``).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.generation.result_index import About, ResultIndex, StoredResult
from animatize_assets.generation.result_leftovers import (
    damaged_files,
    remove_damaged,
    remove_orphans,
    set_aside,
)
from animatize_assets.images.durable import write_whole

DEFAULT_MAX_BYTES = 10_000_000_000
DEFAULT_TTL = timedelta(days=7)

USE_NOTED_AFTER = timedelta(minutes=1)
"""A result that is taken again within this time is not noted again: reading stays free of writes,
and what was used last is still known to the minute."""

OTHERS_AT_ONCE = 16
"""As many processes may fill the store as fast as this one before its limit is passed: the sizes
are added up (milliseconds per 10,000 results) only when they could have."""

Pinned = Callable[[Collection[str]], Collection[str]]
"""Given SHA-256s of contents, returns those that something materialized points to."""


@dataclass(frozen=True)
class Found:
    """A result, and its bytes as they were stored."""

    result: StoredResult
    content: bytes


@dataclass(frozen=True)
class StoreUsage:
    """The store at one moment. Hits and misses are those of this process."""

    entries: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int
    uses: int
    """Times that results which are still here were taken, by any process."""
    damaged: int
    oldest_stored_at: datetime | None

    @property
    def hit_rate(self) -> float | None:
        """Share of look-ups that found something, 0..1; None before the first look-up."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


@dataclass(frozen=True)
class Dropped:
    """What :meth:`ResultStore.evict` and :meth:`ResultStore.clean` removed."""

    expired: int = 0
    over_limit: int = 0
    orphans: int = 0
    without_file: int = 0
    damaged: int = 0
    bytes: int = 0
    """Of the expired and those over the limit."""


class ResultStore:
    """The results of one data folder, bounded in age and bytes.

    ``max_bytes`` holds after every ``put`` and ``evict``, unless what is pinned is larger by
    itself or more than :data:`OTHERS_AT_ONCE` processes write at once. ``ttl`` counts from a
    result's last use. Safe to use from several threads and processes at once. The database must
    be at the newest revision.
    """

    def __init__(
        self,
        data_dir: UPath,
        engine: Engine,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        ttl: timedelta = DEFAULT_TTL,
        pinned: Pinned = lambda _contents: (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        use_noted_after: timedelta = USE_NOTED_AFTER,
    ) -> None:
        self.index = ResultIndex(engine)
        self.max_bytes = max_bytes
        self._root = UPath(data_dir) / "results"
        self._ttl = ttl
        self._pinned = pinned
        self._clock = clock
        self._use_noted_after = use_noted_after
        self._lock = threading.Lock()
        self._room = 0
        self._hits = 0
        self._misses = 0

    def not_before(self) -> datetime:
        """Return the time of last use from which on a result counts now."""
        return self._clock() - self._ttl

    def path_of(self, sha256: str) -> UPath:
        """Return where a content lies."""
        return self._root / sha256[:2] / sha256

    def put(self, result_key: str, content: bytes, about: About) -> bool:
        """Keep ``content`` under ``result_key``; False when it alone is larger than the limit.

        Raises:
            StorageFailed: the file could not be written; nothing was registered.
        """
        if len(content) > self.max_bytes:
            return False
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.path_of(sha256)
        write_whole(path, content)
        self.index.write(
            result_key, about, sha256=sha256, byte_count=len(content), now=self._clock()
        )
        if not path.exists():  # evicted with its last older row, between the two steps
            write_whole(path, content)
        if self._may_be_too_much(len(content)):
            self.evict()
        return True

    def get(self, result_key: str) -> Found | None:
        """Return the result of ``result_key``; None when it is not here, too old, or damaged.

        A damaged file is set aside and never served.
        """
        result = self.index.find(result_key, not_before=self.not_before())
        content = None if result is None else self._whole(result)
        with self._lock:
            if content is None:
                self._misses += 1
            else:
                self._hits += 1
        if result is None or content is None:
            return None
        now = self._clock()
        if now - result.used_at >= self._use_noted_after:
            self.index.note_use(result, now=now)
        return Found(result, content)

    def evict(self) -> Dropped:
        """Drop what was not used for ``ttl``; then, used longest ago first, what is too much.

        What is pinned stays, and counts.
        """
        expired, freed = self._drop(before=self.not_before())
        excess = self.index.totals().bytes - self.max_bytes
        if excess <= 0:
            return Dropped(expired=expired, bytes=freed)
        over_limit, freed_more = self._drop(at_least=excess)
        return Dropped(expired=expired, over_limit=over_limit, bytes=freed + freed_more)

    def clean(self) -> Dropped:
        """Do :meth:`evict`, and remove what crashes and damage left behind."""
        evicted = self.evict()
        without_file = self._drop_rows_without_file()
        orphans = remove_orphans(self._root, self.index.all_content())
        damaged = remove_damaged(self._root, keep=0)
        return Dropped(
            expired=evicted.expired,
            over_limit=evicted.over_limit,
            orphans=orphans,
            without_file=without_file,
            damaged=damaged,
            bytes=evicted.bytes,
        )

    def usage(self) -> StoreUsage:
        """Return what the store holds, and this process's hits and misses."""
        totals = self.index.totals()
        with self._lock:
            hits, misses = self._hits, self._misses
        return StoreUsage(
            entries=totals.entries,
            bytes=totals.bytes,
            max_bytes=self.max_bytes,
            hits=hits,
            misses=misses,
            uses=totals.uses,
            damaged=len(damaged_files(self._root)),
            oldest_stored_at=totals.oldest_stored_at,
        )

    def _may_be_too_much(self, added: int) -> bool:
        """Add up all sizes, but only when others could have filled the room there was last time."""
        with self._lock:
            self._room -= OTHERS_AT_ONCE * added
            if self._room > 0:
                return False
            total = self.index.totals().bytes
            self._room = self.max_bytes - total
            return total > self.max_bytes

    def _whole(self, result: StoredResult) -> bytes | None:
        """Read a content and check it; what is not as it was stored is forgotten."""
        path = self.path_of(result.sha256)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            self.index.remove([result])
            return None
        except OSError as error:
            raise StorageFailed(f"A stored result could not be read: {error}.") from error
        if hashlib.sha256(content).hexdigest() == result.sha256:
            return content
        set_aside(self._root, path, content)
        self.index.remove_content(result.sha256)
        return None

    def _drop(
        self, *, before: datetime | None = None, at_least: int | None = None
    ) -> tuple[int, int]:
        """Drop what is not pinned, used longest ago first; the number of results and their bytes.

        ``before``: only what was last used earlier; ``at_least``: enough when so much is freed.
        """
        dropped, freed = 0, 0
        last: StoredResult | None = None
        while page := self.index.used_longest_ago(before=before, after=last):
            last = page[-1]
            pinned = set(self._pinned({each.sha256 for each in page}))
            chosen: list[StoredResult] = []
            for each in page:
                if at_least is not None and freed >= at_least:
                    break
                if each.sha256 not in pinned:
                    chosen.append(each)
                    freed += each.byte_count
            self._forget(chosen)
            dropped += len(chosen)
            if at_least is not None and freed >= at_least:
                break
        return dropped, freed

    def _forget(self, results: list[StoredResult]) -> None:
        self.index.remove(results)
        contents = {each.sha256 for each in results}
        for sha256 in contents - self.index.still_named(contents):
            self.path_of(sha256).unlink(missing_ok=True)

    def _drop_rows_without_file(self) -> int:
        dropped = 0
        last: StoredResult | None = None
        while page := self.index.used_longest_ago(after=last):
            last = page[-1]
            lost = [each for each in page if not self.path_of(each.sha256).exists()]
            self.index.remove(lost)
            dropped += len(lost)
        return dropped
