"""Images that nobody has touched for long: kept whole, and out of the way.

An archived image keeps its files, its artefacts and its rows. It is no partition any more, is left
out of lists unless they ask for it, and no run works on it. What Dagster knew of it is kept with
it, so that Dagster can be told again when the image comes back.

Belongs here: the rows, and which images are untouched. Does not belong here: partitions
(``orchestration.archive``), when the daily turn comes (``defs``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, insert, select, update

from animatize_assets.database.tables import (
    generation_requests,
    image_aliases,
    image_archives,
    image_states,
    images,
)

ARCHIVED = "archived"
"""State of an archived image in ``image_states``."""

Tags = Mapping[str, str]
Materializations = Mapping[str, Tags]
"""Asset -> tags of its latest materialization; an asset that was never made is left out."""

_KEYS_AT_ONCE = 500
"""Bound values of one statement; old versions of SQLite take 999."""

_images, _states, _archives = images.c, image_states.c, image_archives.c


@dataclass(frozen=True)
class ArchivedImage:
    """An image in the archive."""

    image_key: str
    archived_at: datetime
    materializations: Materializations


class ImageArchive:
    """The archive of one database. Safe to use from several threads and processes.

    ``clock`` tells the time, with its time zone.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._clock = clock

    def untouched(self, since: datetime, *, limit: int) -> tuple[str, ...]:
        """Return keys of images that nobody has touched at or after ``since``, oldest first.

        Touched is what was uploaded (again), worked on by a run, or asked a picture of. An image
        that a run works on is touched.
        """
        query = (
            select(_images.image_key)
            .join_from(image_states, images)
            .where(*_is_untouched(since))
            .order_by(_images.id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return tuple(connection.scalars(query))

    def add(
        self,
        known: Mapping[str, Materializations],
        *,
        untouched_since: datetime | None = None,
    ) -> frozenset[str]:
        """Archive images, with what Dagster knows of each; returns those that were archived now.

        Left out are images that are archived already, that a run works on, that were touched at or
        after ``untouched_since``, and keys that no image has.
        """
        now = self._clock().astimezone(UTC)
        added: set[str] = set()
        with self._engine.begin() as connection:
            for image_key, materializations in known.items():
                if self._add(connection, image_key, materializations, untouched_since, now):
                    added.add(image_key)
        return frozenset(added)

    def find(self, image_keys: Collection[str]) -> tuple[ArchivedImage, ...]:
        """Return those of the images that are archived, in the order of their upload."""
        found: list[ArchivedImage] = []
        wanted = list(dict.fromkeys(image_keys))
        with self._engine.connect() as connection:
            for at in range(0, len(wanted), _KEYS_AT_ONCE):
                query = (
                    select(_images.image_key, _archives.archived_at, _archives.materializations)
                    .join_from(image_archives, images)
                    .where(_images.image_key.in_(wanted[at : at + _KEYS_AT_ONCE]))
                    .order_by(_images.id)
                )
                found += [
                    ArchivedImage(key, _in_utc(archived_at), json.loads(text))
                    for key, archived_at, text in connection.execute(query)
                ]
        return tuple(found)

    def remove(self, image_key: str) -> bool:
        """Take an image out of the archive; whether it was in it.

        How far it is will be looked up again.
        """
        with self._engine.begin() as connection:
            image_id = connection.scalar(select(_images.id).where(_images.image_key == image_key))
            gone = connection.execute(
                delete(image_archives).where(_archives.image_id == image_id)
            ).rowcount
            if gone:
                now = self._clock().astimezone(UTC)
                connection.execute(
                    update(image_states)
                    .where(_states.image_id == image_id)
                    .values(state="unknown", run_id=None, reason=None, updated_at=now)
                )
        return bool(gone)

    def keys(self) -> tuple[str, ...]:
        """Return the keys of all archived images, in the order in which they were uploaded."""
        query = select(_images.image_key).join_from(image_archives, images).order_by(_images.id)
        with self._engine.connect() as connection:
            return tuple(connection.scalars(query))

    def count(self) -> int:
        """Return how many images are archived."""
        with self._engine.connect() as connection:
            return int(connection.scalar(select(func.count()).select_from(image_archives)) or 0)

    def _add(
        self,
        connection: Connection,
        image_key: str,
        materializations: Materializations,
        untouched_since: datetime | None,
        now: datetime,
    ) -> bool:
        """Mark the row first: on both databases that locks it until the transaction ends."""
        conditions = [_states.state != "in_progress", _states.state != ARCHIVED]
        if untouched_since is not None:
            conditions += _is_untouched(untouched_since)
        image_id = connection.scalar(
            select(_images.id)
            .join_from(image_states, images)
            .where(_images.image_key == image_key, *conditions)
        )
        if image_id is None:
            return False
        marked = connection.execute(
            update(image_states)
            .where(_states.image_id == image_id, _states.state.not_in(("in_progress", ARCHIVED)))
            .values(state=ARCHIVED, run_id=None, reason=None)
        ).rowcount
        if marked:
            text = json.dumps(materializations, sort_keys=True, separators=(",", ":"))
            connection.execute(
                insert(image_archives).values(
                    image_id=image_id, archived_at=now, materializations=text
                )
            )
        return bool(marked)


def _is_untouched(since: datetime) -> list[ColumnElement[bool]]:
    since = since.astimezone(UTC)
    asked = select(generation_requests.c.image_key).where(
        generation_requests.c.requested_at >= since
    )
    named = select(image_aliases.c.image_id).where(image_aliases.c.registered_at >= since)
    return [
        _states.state.not_in(("in_progress", ARCHIVED)),
        _states.updated_at < since,
        _images.registered_at < since,
        _images.image_key.not_in(asked),
        _images.id.not_in(named),
    ]


def _in_utc(moment: datetime) -> datetime:
    """SQLite keeps no zone; PostgreSQL answers in the session's."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
