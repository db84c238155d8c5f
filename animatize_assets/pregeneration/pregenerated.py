"""The rows of pictures that are made before anybody asks for them, and of their batches.

A row is planned, then submitted in a batch (or made here), then ready; or it failed, or was dropped
as nobody is likely to ask for it any more. What is planned and was not made is gone on with the
next night. A picture that was made by day while a batch made it, too, is ``late``: it was paid for
twice, and counts as waste.

Belongs here: the queries. Does not belong here: who makes them (``night``, ``picture_batches``),
what they were worth (``usage``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Engine, Row, func, select, update

from animatize_assets.database.tables import (
    generation_requests,
    pregenerated_pictures,
    pregeneration_batches,
    stored_results,
)
from animatize_assets.generation.money import to_nanousd
from animatize_assets.generation.remembered import Remembered
from animatize_assets.pregeneration.offers import Way
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.pregeneration.planning import PlannedPicture
from animatize_assets.records import Measured, Record

PictureState = Literal["planned", "submitted", "ready", "late", "failed", "dropped"]
BatchState = Literal["creating", "submitted", "collected", "failed"]

UNDER_WAY: tuple[PictureState, ...] = ("planned", "submitted")
BEGUN_WASTE = 2.0
"""Wasted pictures that are taken for expected and seen before any are: the probabilities are
believed until a few say otherwise. Own choice."""

SERVED = ("exact", "canonical", "similar")

_pictures = pregenerated_pictures.c
_batches = pregeneration_batches.c
_requests = generation_requests.c
_AT_ONCE = 500  # values in one statement: below every database's limit of parameters


class AskedPicture(Record):
    """What must be known of a picture when its batch comes back, days later."""

    structured_key: str
    text: str
    width: int
    """Of the request, px."""
    height: int
    source_spread: Measured
    remembered: Remembered


@dataclass(frozen=True)
class PictureRow:
    """One picture."""

    row_id: int
    fingerprint: str
    image_key: str
    pattern: Pattern
    model: str
    movement: str
    way: Way
    state: PictureState
    probability: float
    expected_nanousd: int
    by_day_nanousd: int
    asked: AskedPicture | None


@dataclass(frozen=True)
class BatchOfPictures:
    """One batch."""

    row_id: int
    batch_key: str
    model: str
    endpoint: str
    state: BatchState
    call_id: str | None
    remote_id: str | None
    created_at: datetime


class PregeneratedPictures:
    """The rows in the project's database, which must be at the newest revision."""

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.engine = engine
        self._clock = clock

    def plan(self, pictures: Iterable[PlannedPicture]) -> None:
        """Note what is to be made; what is planned already is not noted again."""
        under_way = self.under_way()
        now = self._clock().astimezone(UTC)
        rows = [
            {
                "fingerprint": each.fingerprint,
                "image_key": each.image_key,
                "target": each.target,
                "style": each.style,
                "provider": each.provider,
                "model": each.model,
                "width": each.size and each.size[0],
                "height": each.size and each.size[1],
                "movement": each.movement,
                "probability": each.probability,
                "way": each.way,
                "state": "planned",
                "expected_nanousd": to_nanousd(each.cost_usd),
                "by_day_nanousd": to_nanousd(each.by_day_usd),
                "planned_at": now,
            }
            for each in pictures
            if each.fingerprint not in under_way
        ]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(pregenerated_pictures.insert(), rows)

    def under_way(self) -> frozenset[str]:
        """Return the fingerprints of what is planned or submitted."""
        query = select(_pictures.fingerprint).where(_pictures.state.in_(UNDER_WAY))
        with self.engine.connect() as connection:
            return frozenset(connection.scalars(query))

    def pictures(
        self, state: PictureState, *, way: Way | None = None, batch: BatchOfPictures | None = None
    ) -> tuple[PictureRow, ...]:
        """Return the rows in one state, in the order in which they were planned."""
        query = select(pregenerated_pictures).where(_pictures.state == state)
        if way is not None:
            query = query.where(_pictures.way == way)
        if batch is not None:
            query = query.where(_pictures.batch_id == batch.row_id)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(_pictures.id)).all()
        return tuple(_picture(row) for row in rows)

    def keep_planned(self, fingerprints: Collection[str]) -> int:
        """Drop what is planned and not among ``fingerprints``; how many went."""
        planned = self.pictures("planned")
        dropped = [row for row in planned if row.fingerprint not in fingerprints]
        self.drop(dropped, "It is not likely enough any more, or was made by day.")
        return len(dropped)

    def drop(self, rows: Sequence[PictureRow], reason: str) -> None:
        """Note that pictures were not made, and cost nothing; another night may plan them again."""
        for start in range(0, len(rows), _AT_ONCE):
            some = [row.row_id for row in rows[start : start + _AT_ONCE]]
            self._change(some, state="dropped", reason=reason)

    def failed_since(self, since: datetime) -> frozenset[str]:
        """Return the fingerprints of pictures that were tried in vain since then."""
        query = select(_pictures.fingerprint).where(
            _pictures.state == "failed", _pictures.planned_at >= since.astimezone(UTC)
        )
        with self.engine.connect() as connection:
            return frozenset(connection.scalars(query))

    def doubt(self, settled_before: datetime) -> float:
        """Return how much more, or less, was wasted so far than the probabilities said.

        Wasted per expected waste of the pictures that came before ``settled_before``, since when
        each would have been asked for or dropped; begun with :data:`BEGUN_WASTE` of both.
        """
        query = select(
            func.count(),
            func.count(_pictures.used_at),
            func.coalesce(func.sum(1.0 - _pictures.probability), 0.0),
        ).where(_pictures.state == "ready", _pictures.ready_at < settled_before.astimezone(UTC))
        with self.engine.connect() as connection:
            made, used, expected = connection.execute(query).one()
        return float((made - used + BEGUN_WASTE) / (expected + BEGUN_WASTE))

    def ready(self, row: PictureRow, *, cost_usd: float | None, by_day_usd: float | None) -> None:
        """Note that a picture is kept, what it cost, and what it would have cost by day."""
        self._made(row, "ready", cost_usd, by_day_usd, None)

    def late(self, row: PictureRow, *, cost_usd: float | None, by_day_usd: float | None) -> None:
        """Note that a picture came when it had been made by day."""
        self._made(row, "late", cost_usd, by_day_usd, "It was made by day before it came.")

    def failed(self, row: PictureRow, reason: str, *, cost_usd: float | None = 0.0) -> None:
        """Note why there is no picture; ``cost_usd``: what it cost all the same."""
        cost = None if cost_usd is None else to_nanousd(cost_usd)
        self._change([row.row_id], state="failed", reason=reason, cost_nanousd=cost)

    def begin_batch(
        self, model: str, endpoint: str, members: Sequence[tuple[PictureRow, AskedPicture]]
    ) -> BatchOfPictures:
        """Note that ``members`` are about to be sent as one batch."""
        key, now = str(uuid4()), self._clock().astimezone(UTC)
        with self.engine.begin() as connection:
            inserted = connection.execute(
                pregeneration_batches.insert().values(
                    batch_key=key, model=model, endpoint=endpoint, state="creating", created_at=now
                )
            ).inserted_primary_key
            assert inserted is not None  # noqa: S101  # an insert has one
            batch_id = int(inserted[0])
            for row, asked in members:
                connection.execute(
                    update(pregenerated_pictures)
                    .where(_pictures.id == row.row_id)
                    .values(state="submitted", batch_id=batch_id, asked=asked.model_dump_json())
                )
        return BatchOfPictures(batch_id, key, model, endpoint, "creating", None, None, now)

    def note_batch(self, batch: BatchOfPictures, **values: Any) -> None:
        """Change the row of a batch."""
        with self.engine.begin() as connection:
            connection.execute(
                update(pregeneration_batches).where(_batches.id == batch.row_id).values(**values)
            )

    def dissolve(self, batch: BatchOfPictures, error: str) -> None:
        """End a batch that was never sent: its pictures are planned as before."""
        with self.engine.begin() as connection:
            connection.execute(
                update(pregenerated_pictures)
                .where(_pictures.batch_id == batch.row_id, _pictures.state == "submitted")
                .values(state="planned", batch_id=None)
            )
            connection.execute(
                update(pregeneration_batches)
                .where(_batches.id == batch.row_id)
                .values(state="failed", error=error, finished_at=self._clock().astimezone(UTC))
            )

    def end_batch(self, batch: BatchOfPictures, error: str | None = None) -> None:
        """Note that everything of a batch is collected."""
        state = "collected" if error is None else "failed"
        now = self._clock().astimezone(UTC)
        self.note_batch(batch, state=state, error=error, finished_at=now)

    def batches(self, *states: BatchState) -> tuple[BatchOfPictures, ...]:
        """Return the batches in one of ``states``, oldest first."""
        query = select(pregeneration_batches).where(_batches.state.in_(states))
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(_batches.id)).all()
        return tuple(_batch(row) for row in rows)

    def cost_nanousd(self, batch: BatchOfPictures) -> int | None:
        """Return what the collected pictures of a batch cost; None when that of one is unknown."""
        query = select(_pictures.cost_nanousd).where(
            _pictures.batch_id == batch.row_id, _pictures.state.in_(("ready", "late", "failed"))
        )
        with self.engine.connect() as connection:
            costs = list(connection.scalars(query))
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    def note_uses(self) -> int:
        """Note which ready pictures were asked for since; how many of them are new.

        The log of requests tells those that asked for the very picture; the result store those
        that it served otherwise, such as for a text with the same words in another order.
        """
        with self.engine.connect() as connection:
            asked = connection.execute(
                select(_pictures.id, func.min(_requests.requested_at))
                .join(pregenerated_pictures, _requests.result_key == _pictures.fingerprint)
                .where(
                    _pictures.state == "ready",
                    _pictures.used_at.is_(None),
                    _requests.outcome.in_(SERVED),
                    _requests.requested_at >= _pictures.ready_at,
                )
                .group_by(_pictures.id)
            ).all()
            taken = connection.execute(
                select(_pictures.id, stored_results.c.used_at)
                .join(pregenerated_pictures, stored_results.c.result_key == _pictures.fingerprint)
                .where(
                    _pictures.state == "ready",
                    _pictures.used_at.is_(None),
                    stored_results.c.uses > 0,
                )
            ).all()
        first = {row.id: row[1] for row in [*taken, *asked]}
        with self.engine.begin() as connection:
            for row_id, moment in first.items():
                connection.execute(
                    update(pregenerated_pictures)
                    .where(_pictures.id == row_id)
                    .values(used_at=moment)
                )
        return len(first)

    def _made(
        self,
        row: PictureRow,
        state: PictureState,
        cost_usd: float | None,
        by_day_usd: float | None,
        reason: str | None,
    ) -> None:
        values: dict[str, Any] = {
            "state": state,
            "reason": reason,
            "ready_at": self._clock().astimezone(UTC),
            "cost_nanousd": None if cost_usd is None else to_nanousd(cost_usd),
            "asked": None,
        }
        if by_day_usd is not None:
            values["by_day_nanousd"] = to_nanousd(by_day_usd)
        self._change([row.row_id], **values)

    def _change(self, row_ids: Sequence[int], **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                update(pregenerated_pictures).where(_pictures.id.in_(row_ids)).values(**values)
            )


def _picture(row: Row[Any]) -> PictureRow:
    size = None if row.width is None else (row.width, row.height)
    return PictureRow(
        row_id=row.id,
        fingerprint=row.fingerprint,
        image_key=row.image_key,
        pattern=Pattern(row.target, row.style, row.provider, size),
        model=row.model,
        movement=row.movement,
        way=row.way,
        state=row.state,
        probability=row.probability,
        expected_nanousd=row.expected_nanousd or 0,
        by_day_nanousd=row.by_day_nanousd or 0,
        asked=None if row.asked is None else AskedPicture.model_validate_json(row.asked),
    )


def _batch(row: Row[Any]) -> BatchOfPictures:
    created = row.created_at
    return BatchOfPictures(
        row_id=row.id,
        batch_key=row.batch_key,
        model=row.model,
        endpoint=row.endpoint,
        state=row.state,
        call_id=row.call_id,
        remote_id=row.remote_id,
        created_at=created.replace(tzinfo=UTC) if created.tzinfo is None else created,
    )
