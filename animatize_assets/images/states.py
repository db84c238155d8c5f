"""How far each image is, as rows: what a list of images is filtered, sorted and counted by.

A row is a note of what is known elsewhere (the artefacts of an image, the run that works on it),
kept so that 100,000 images can be listed by page. It is written by whoever changes what it notes.
A run that dies leaves rows ``in_progress``; they are made ``unknown`` and looked up again.

Belongs here: writing, paging and counting the rows. Does not belong here: finding out how far an
image is (``pipeline.progress``), Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field
from sqlalchemy import (
    ColumnElement,
    Engine,
    Row,
    and_,
    bindparam,
    case,
    false,
    func,
    not_,
    select,
    update,
)

from animatize_assets.database.tables import image_states, images
from animatize_assets.images.archive import ARCHIVED
from animatize_assets.images.models import ImageFormat
from animatize_assets.records import Record

NotedState = Literal["unknown", "missing", "in_progress", "failed", "complete"]
"""``unknown``: look it up in what is stored. ``missing``: a stage was never made."""

ListedState = Literal[
    "unknown", "missing", "in_progress", "failed", "stale", "complete", "archived"
]
"""``stale``: all is there, but other code made it than is current. ``archived``: ``archive``."""

KEYS_AT_ONCE = 500
"""Bound values of one statement; SQLite's limit is 32,766, that of its older versions 999."""

_states, _images = image_states.c, images.c


@dataclass(frozen=True)
class Standing:
    """How far one image is. None leaves what the row says."""

    image_key: str
    state: NotedState
    provider: str | None = None
    """Who made its picture."""
    movement: str | None = None
    """The camera's move in its clip."""
    code_digest: str | None = None
    """Of the versions of the code that made everything."""
    reason: str | None = None
    """Why a stage failed; forgotten with the next state."""


@dataclass(frozen=True)
class Wanted:
    """Which images a list shows; None: all that are not archived."""

    state: ListedState | None = None
    provider: str | None = None
    movement: str | None = None
    key_contains: str | None = None


class ListedImage(Record):
    """One line of a list of images."""

    image_key: str
    original_name: str = Field(description="file name of the first upload")
    format: ImageFormat
    byte_count: int = Field(gt=0, description="size of the uploaded file, bytes")
    width: int = Field(gt=0, description="px")
    height: int = Field(gt=0, description="px")
    registered_at: AwareDatetime = Field(description="first acceptance, UTC")
    state: ListedState
    provider: str | None = Field(description="who made the picture; null: nobody yet")
    movement: str | None = Field(description="the camera's move; null: not predicted yet")
    reason: str | None = Field(description="why a stage failed, one sentence")
    run_id: str | None = Field(description="the latest run that worked on it")
    updated_at: AwareDatetime = Field(
        description="last change of the state, or upload of the same bytes, UTC"
    )


class ImagePage(Record):
    """Some images, newest first, and where the list goes on."""

    images: tuple[ListedImage, ...]
    next_cursor: int | None = Field(description="None: this was the last page")


class ImageStates:
    """The rows of one database. Safe to use from several threads and processes.

    ``code_digest``: of the code versions that are current; None: nothing is stale.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        code_digest: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._digest = code_digest
        self._clock = clock

    def begin(self, image_keys: Sequence[str], run_id: str | None) -> None:
        """Note that a run works on these images from now on."""
        values = {"state": "in_progress", "run_id": run_id, "reason": None} | self._now()
        with self._engine.begin() as connection:
            for at in range(0, len(image_keys), KEYS_AT_ONCE):
                some = select(_images.id).where(
                    _images.image_key.in_(image_keys[at : at + KEYS_AT_ONCE])
                )
                connection.execute(
                    update(image_states)
                    .where(_states.image_id.in_(some), _states.state != ARCHIVED)
                    .values(values)
                )

    def settle(self, standings: Iterable[Standing]) -> None:
        """Write how far images are."""
        rows = [_row(standing) | self._now() for standing in standings]
        if not rows:
            return
        kept: dict[str, ColumnElement[Any]] = {
            name: func.coalesce(bindparam(f"new_{name}"), _states[name])
            for name in ("provider", "movement", "code_digest")
        }
        image_id = select(_images.id).where(_images.image_key == bindparam("key"))
        statement = (
            update(image_states)
            .where(_states.image_id == image_id.scalar_subquery(), _states.state != ARCHIVED)
            .values(
                state=bindparam("new_state"),
                reason=bindparam("new_reason"),
                updated_at=bindparam("updated_at"),
                **kept,
            )
        )
        with self._engine.begin() as connection:
            connection.execute(statement, rows)

    def unknown(self, limit: int) -> tuple[str, ...]:
        """Return keys of images that nobody has looked up yet."""
        query = (
            select(_images.image_key)
            .join_from(image_states, images)
            .where(_states.state == "unknown")
            .order_by(_states.image_id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return tuple(connection.scalars(query))

    def runs_in_progress(self) -> frozenset[str]:
        """Return the ids of the runs that images are said to be worked on by."""
        query = (
            select(_states.run_id)
            .where(_states.state == "in_progress", _states.run_id.is_not(None))
            .distinct()
        )
        with self._engine.connect() as connection:
            return frozenset(connection.scalars(query))

    def forget_runs(self, run_ids: Iterable[str]) -> None:
        """Make images ``unknown`` that these runs, which have ended, left in progress."""
        with self._engine.begin() as connection:
            connection.execute(
                update(image_states)
                .where(_states.state == "in_progress", _states.run_id.in_(list(run_ids)))
                .values({"state": "unknown"} | self._now())
            )

    def page(self, wanted: Wanted, *, before: int | None, limit: int) -> ImagePage:
        """Return ``limit`` images, newest first, that come after the cursor ``before``."""
        shown = [_images[name] for name in ListedImage.model_fields if name in _images]
        noted = [_states[name] for name in ListedImage.model_fields if name in _states]
        query = (
            select(_images.id, _states.code_digest, *shown, *noted)
            .join_from(image_states, images)
            .where(*self._conditions(wanted))
            .order_by(_states.image_id.desc())
            .limit(limit + 1)
        )
        if before is not None:
            query = query.where(_states.image_id < before)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        more = len(rows) > limit
        return ImagePage(
            images=tuple(self._listed(row) for row in rows[:limit]),
            next_cursor=rows[limit - 1].id if more else None,
        )

    def of(self, image_key: str) -> ListedImage | None:
        """Return the line of one image; None when there is no such image."""
        shown = [_images[name] for name in ListedImage.model_fields if name in _images]
        noted = [_states[name] for name in ListedImage.model_fields if name in _states]
        query = (
            select(_states.code_digest, *shown, *noted)
            .join_from(image_states, images)
            .where(_images.image_key == image_key)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else self._listed(row)

    def counts(self) -> dict[ListedState, int]:
        """Return how many images are in each state; states without any are left out."""
        is_stale = and_(_states.state == "complete", self._made_by_other_code())
        state = case((is_stale, "stale"), else_=_states.state)
        query = select(state.label("state"), func.count().label("images")).group_by(state)
        with self._engine.connect() as connection:
            return {row.state: int(row.images) for row in connection.execute(query)}

    def _conditions(self, wanted: Wanted) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if wanted.state == "stale":
            conditions += [_states.state == "complete", self._made_by_other_code()]
        elif wanted.state == "complete":
            conditions += [_states.state == "complete", not_(self._made_by_other_code())]
        elif wanted.state is not None:
            conditions.append(_states.state == wanted.state)
        else:
            conditions.append(_states.state != ARCHIVED)
        if wanted.provider is not None:
            conditions.append(_states.provider == wanted.provider)
        if wanted.movement is not None:
            conditions.append(_states.movement == wanted.movement)
        if wanted.key_contains:
            conditions.append(_images.image_key.contains(wanted.key_contains, autoescape=True))
        return conditions

    def _made_by_other_code(self) -> ColumnElement[bool]:
        if self._digest is None:
            return false()
        # NULL, where nobody knows, is neither equal nor different.
        return func.coalesce(_states.code_digest != self._digest, false())

    def _listed(self, row: Row[Any]) -> ListedImage:
        values = {name: getattr(row, name) for name in ListedImage.model_fields}
        for name in ("registered_at", "updated_at"):
            values[name] = _in_utc(values[name])
        other = None not in (row.code_digest, self._digest) and row.code_digest != self._digest
        if row.state == "complete" and other:
            values["state"] = "stale"
        return ListedImage(**values)

    def _now(self) -> dict[str, datetime]:
        return {"updated_at": self._clock().astimezone(UTC)}


def _in_utc(moment: datetime) -> datetime:
    """SQLite keeps no zone; PostgreSQL answers in the session's."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _row(standing: Standing) -> dict[str, str | None]:
    return {
        "key": standing.image_key,
        "new_state": standing.state,
        "new_reason": standing.reason,
        "new_provider": standing.provider,
        "new_movement": standing.movement,
        "new_code_digest": standing.code_digest,
    }
