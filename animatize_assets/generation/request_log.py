"""One row per request for a picture, those answered from a cache included.

It tells how often what is asked for again, which caches serve, and (later) what will be asked for
next. Belongs here: writing and counting the rows. Does not belong here: what calls cost
(``ledger``): a request is one row here and none, one or several calls there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import ColumnElement, Engine, Row, case, distinct, func, insert, select
from sqlalchemy.exc import OperationalError

from animatize_assets.database.tables import generation_requests
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.models import ReuseLevel
from animatize_assets.generation.money import to_nanousd, to_usd

RequestOutcome = Literal["made", "failed"] | ReuseLevel
Groupable = Literal[
    "image_key", "run_id", "target", "style", "provider", "model", "movement", "outcome", "made_by"
]

_SERVED: tuple[ReuseLevel, ...] = ("exact", "canonical", "similar")
_requests = generation_requests.c


@dataclass(frozen=True)
class LoggedRequest:
    """What was asked for, and what came of it."""

    image_key: str
    target: str
    """The target model that the prompt was written for."""
    style: str
    provider: str
    """The provider that was asked for."""
    model: str
    width: int
    """Asked width, px."""
    height: int
    """Asked height, px."""
    movement: str
    """The camera move of the path."""
    outcome: RequestOutcome
    run_id: str | None = None
    made_by: str | None = None
    """The provider that delivered; another one after a fallback, None when nobody did."""
    cost_usd: float | None = None
    """Of this request alone: 0.0 from a cache, None when it is not known."""
    result_key: str | None = None
    """Under which the result store keeps the picture."""


@dataclass(frozen=True)
class PastRequest:
    """A row of the log."""

    request_id: int
    """Counts up."""
    requested_at: datetime
    asked: LoggedRequest


@dataclass(frozen=True)
class Repeats:
    """How one provider's requests for images that it had been asked for before were answered."""

    repeats: int
    served: int
    """Those answered from a cache."""


class RequestLog:
    """The log in the project's database. Safe to use from several threads and processes."""

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._clock = clock

    def write(self, request: LoggedRequest) -> None:
        """Add a row.

        Raises:
            StorageFailed: the database could not be written.

        """
        values = asdict(request)
        cost_usd = values.pop("cost_usd")
        values["cost_nanousd"] = None if cost_usd is None else to_nanousd(cost_usd)
        values["requested_at"] = self._clock().astimezone(UTC)
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(generation_requests).values(values))
        except OperationalError as error:
            raise StorageFailed(
                "The request could not be logged; see that the database can be reached and its "
                f"disk is not full ({error.orig})."
            ) from error

    def counts(
        self,
        by: Sequence[Groupable],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> dict[tuple[str | None, ...], int]:
        """Return how many requests there were per combination of the columns ``by``.

        Counted are those at or after ``since`` and before ``until``.
        """
        columns = [_requests[name] for name in by]
        query = select(*columns, func.count()).where(*_times(since, until)).group_by(*columns)
        with self._engine.connect() as connection:
            return {tuple(row[:-1]): int(row[-1]) for row in connection.execute(query)}

    def delivered(self, image_key: str, *, limit: int) -> tuple[PastRequest, ...]:
        """Return the requests that gave ``image_key`` a picture, the newest ``limit`` first."""
        query = (
            select(generation_requests)
            .where(_requests.image_key == image_key, _requests.outcome != "failed")
            .order_by(_requests.id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return tuple(_past(row) for row in connection.execute(query))

    def fallen_back(self, *, since: datetime) -> tuple[PastRequest, ...]:
        """Return the requests whose picture ``local`` made instead of their provider, oldest first.

        Of each image its newest request since ``since`` counts: what was asked for after a fallback
        has taken its place.
        """
        newest = select(func.max(_requests.id)).where(*_times(since, None))
        query = (
            select(generation_requests)
            .where(
                _requests.id.in_(newest.group_by(_requests.image_key).scalar_subquery()),
                _requests.outcome == "made",
                _requests.provider != "local",
                _requests.made_by == "local",
            )
            .order_by(_requests.id)
        )
        with self._engine.connect() as connection:
            return tuple(_past(row) for row in connection.execute(query))

    def has_made(self, provider: str, *, since: datetime) -> bool:
        """Return whether ``provider`` itself made a picture since then."""
        query = select(_requests.id).where(
            _requests.outcome == "made", _requests.made_by == provider, *_times(since, None)
        )
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def repeats(self, *, since: datetime | None = None) -> dict[str, Repeats]:
        """Return per provider how its repeated requests since ``since`` were answered.

        A request is a repeat when its image was asked of the same provider before in that time.
        What was served beyond that (its first request lies further back) is not counted.
        """
        served = func.sum(case((_requests.outcome.in_(_SERVED), 1), else_=0))
        repeats = func.count() - func.count(distinct(_requests.image_key))
        query = (
            select(_requests.provider, repeats.label("repeats"), served.label("served"))
            .where(*_times(since, None))
            .group_by(_requests.provider)
        )
        with self._engine.connect() as connection:
            return {
                row.provider: Repeats(int(row.repeats), min(int(row.served), int(row.repeats)))
                for row in connection.execute(query)
            }

    def seen(self, provider: str, *, since: datetime | None = None) -> frozenset[str]:
        """Return the keys of the images that were asked of ``provider`` since ``since``."""
        query = (
            select(_requests.image_key)
            .where(_requests.provider == provider, *_times(since, None))
            .distinct()
        )
        with self._engine.connect() as connection:
            return frozenset(connection.scalars(query))


def _past(row: Row[tuple[object, ...]]) -> PastRequest:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    nanousd = values.pop("cost_nanousd")
    values["cost_usd"] = None if nanousd is None else to_usd(nanousd)
    at = values["requested_at"]
    return PastRequest(
        request_id=values["id"],
        # SQLite keeps no zone; what is written is UTC.
        requested_at=at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC),
        asked=LoggedRequest(**{each.name: values[each.name] for each in fields(LoggedRequest)}),
    )


def _times(since: datetime | None, until: datetime | None) -> tuple[ColumnElement[bool], ...]:
    where: list[ColumnElement[bool]] = []
    if since is not None:
        where.append(_requests.requested_at >= since.astimezone(UTC))
    if until is not None:
        where.append(_requests.requested_at < until.astimezone(UTC))
    return tuple(where)
