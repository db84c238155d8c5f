"""The result store's index: one row per result, found by its key or by its meaning.

Belongs here: the queries on ``stored_results``. Does not belong here: the files (``result_store``)
and which text may stand for which (``semantic``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Engine, Row, delete, func, literal, select, update
from sqlalchemy.exc import IntegrityError

from animatize_assets.database.tables import stored_results

MOST_COMPARED = 200
"""How many texts of one structured key are compared at most: the newest ones."""

_TABLE = stored_results
_C = stored_results.c
_AT_ONCE = 500  # ids in one statement: below every database's limit of parameters


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of a result beside its bytes."""

    kind: Literal["picture", "expansion"]
    structured_key: str
    """Hash of everything structured that determines it: all but the free text."""
    canonical_key: str
    """Of the free text: :func:`animatize_assets.generation.semantic.canonical.canonical_key`."""
    text: str
    record: str
    """JSON, as the one who stores it wants it back; no secrets."""
    image_key: str | None = None
    vector: bytes | None = None
    """Of the text: :func:`animatize_assets.generation.semantic.similar.packed`."""


_ABOUT = tuple(field.name for field in fields(About))


@dataclass(frozen=True, kw_only=True)
class StoredResult(About):
    """A row of the index: what its storer told, and what the store knows."""

    row_id: int
    result_key: str
    sha256: str
    byte_count: int
    stored_at: datetime
    used_at: datetime
    uses: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that another one is compared with."""

    result_key: str
    text: str
    vector: bytes | None


@dataclass(frozen=True)
class Totals:
    """All rows together. ``bytes`` counts a file once for each row that names it."""

    entries: int
    bytes: int
    uses: int
    oldest_stored_at: datetime | None


class ResultIndex:
    """Rows of ``stored_results``. The database must be at the newest revision.

    Safe to use from several threads and processes at once. Times are aware; ``not_before`` leaves
    out what was last used earlier than that.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(
        self, result_key: str, about: About, *, sha256: str, byte_count: int, now: datetime
    ) -> None:
        """Write the row of ``result_key``, replacing an older one."""
        values = {
            **{name: getattr(about, name) for name in _ABOUT},
            "sha256": sha256,
            "byte_count": byte_count,
            "stored_at": now,
            "used_at": now,
            "uses": 0,
        }
        if self._replace(result_key, values):
            return
        try:
            with self._engine.begin() as connection:
                connection.execute(_TABLE.insert().values(result_key=result_key, **values))
        except IntegrityError:  # another process wrote it between the two statements
            self._replace(result_key, values)

    def find(self, result_key: str, *, not_before: datetime) -> StoredResult | None:
        """Return the row of exactly this key."""
        query = select(_TABLE).where(_C.result_key == result_key, _C.used_at >= not_before)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _result_of(row)

    def same_meaning(
        self, structured_key: str, canonical_key: str, *, not_before: datetime
    ) -> StoredResult | None:
        """Return the newest row with both keys."""
        query = (
            select(_TABLE)
            .where(
                _C.structured_key == structured_key,
                _C.canonical_key == canonical_key,
                _C.used_at >= not_before,
            )
            .order_by(_C.id.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _result_of(row)

    def newest(
        self,
        structured_key: str,
        *,
        not_before: datetime,
        with_vectors: bool = False,
        limit: int = MOST_COMPARED,
    ) -> tuple[Candidate, ...]:
        """Return the newest texts with the structured key, the newest first."""
        # The ids come from an index alone; only what is compared is read from the table.
        ids = (
            select(_C.id)
            .where(_C.structured_key == structured_key)
            .order_by(_C.id.desc())
            .limit(limit)
        )
        vector = _C.vector if with_vectors else literal(None)
        query = (
            select(_C.result_key, _C.text, vector)
            .where(_C.id.in_(ids), _C.used_at >= not_before)
            .order_by(_C.id.desc())
        )
        with self._engine.connect() as connection:
            return tuple(Candidate(*row) for row in connection.execute(query))

    def note_use(self, result: StoredResult, *, now: datetime) -> None:
        """Note that a result was taken."""
        with self._engine.begin() as connection:
            connection.execute(
                update(_TABLE).where(_C.id == result.row_id).values(used_at=now, uses=_C.uses + 1)
            )

    def used_longest_ago(
        self, *, before: datetime | None = None, after: StoredResult | None = None
    ) -> tuple[StoredResult, ...]:
        """Return a page of rows, the one used longest ago first.

        ``before``: only what was last used earlier; ``after``: the last row of the page before.
        """
        query = select(_TABLE).order_by(_C.used_at, _C.id).limit(_AT_ONCE)
        if before is not None:
            query = query.where(_C.used_at < before)
        if after is not None:
            query = query.where(
                (_C.used_at > after.used_at)
                | ((_C.used_at == after.used_at) & (_C.id > after.row_id))
            )
        with self._engine.connect() as connection:
            return tuple(_result_of(row) for row in connection.execute(query))

    def remove(self, results: Sequence[StoredResult]) -> None:
        """Remove rows, unless they were replaced or used since they were read."""
        with self._engine.begin() as connection:
            for result in results:
                connection.execute(
                    delete(_TABLE).where(_C.id == result.row_id, _C.used_at == result.used_at)
                )

    def remove_content(self, sha256: str) -> None:
        """Remove every row that names this content."""
        with self._engine.begin() as connection:
            connection.execute(delete(_TABLE).where(_C.sha256 == sha256))

    def still_named(self, sha256s: Collection[str]) -> set[str]:
        """Return those of the contents that some row names."""
        found: set[str] = set()
        wanted = sorted(sha256s)
        with self._engine.connect() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                query = select(_C.sha256).where(_C.sha256.in_(some)).distinct()
                found.update(connection.scalars(query))
        return found

    def all_content(self) -> set[str]:
        """Return every content that some row names."""
        with self._engine.connect() as connection:
            return set(connection.scalars(select(_C.sha256).distinct()))

    def totals(self) -> Totals:
        """Return all rows together."""
        query = select(
            func.count(), func.sum(_C.byte_count), func.sum(_C.uses), func.min(_C.stored_at)
        ).select_from(_TABLE)
        with self._engine.connect() as connection:
            entries, size, uses, oldest = connection.execute(query).one()
        return Totals(
            entries=entries,
            bytes=int(size or 0),
            uses=int(uses or 0),
            oldest_stored_at=None if oldest is None else _aware(oldest),
        )

    def _replace(self, result_key: str, values: dict[str, object]) -> bool:
        with self._engine.begin() as connection:
            done = connection.execute(
                update(_TABLE).where(_C.result_key == result_key).values(**values)
            )
        return done.rowcount > 0


def _result_of(row: Row[tuple[object, ...]]) -> StoredResult:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    values["row_id"] = values.pop("id")
    values["stored_at"] = _aware(values["stored_at"])
    values["used_at"] = _aware(values["used_at"])
    return StoredResult(**values)


def _aware(moment: datetime) -> datetime:
    """SQLite keeps no zone; what is written is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
