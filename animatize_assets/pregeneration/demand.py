"""What was asked for, and of which stored images: read from the log of requests.

Belongs here: these two queries. Does not belong here: counting (``patterns``), probabilities
(``likelihood``), writing the log (``generation.request_log``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, select

from animatize_assets.database.tables import generation_requests, image_archives, images
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.rendering.size import output_size

LOCAL = "local"
"""Pictures of this machine's own renderer cost no money and no wait: nobody makes them ahead."""

_requests = generation_requests.c


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, whatever answered it."""

    at: datetime
    image_key: str
    pattern: Pattern
    movement: str


@dataclass(frozen=True)
class Demand:
    """Requests in the order of their time, and the images that can be asked for."""

    asked: tuple[Asked, ...]
    stored: Mapping[str, datetime]
    """Image key -> since when it is stored; archived images are not among them."""


def read_demand(engine: Engine, *, since: datetime, until: datetime) -> Demand:
    """Return the requests at or after ``since`` and before ``until``, and the images stored then.

    A size that is the image's own is taken as not having been named: the log does not tell.
    """
    query = (
        select(
            _requests.requested_at,
            _requests.image_key,
            _requests.target,
            _requests.style,
            _requests.provider,
            _requests.width,
            _requests.height,
            _requests.movement,
        )
        .where(
            _requests.provider != LOCAL,
            _requests.requested_at >= since.astimezone(UTC),
            _requests.requested_at < until.astimezone(UTC),
        )
        .order_by(_requests.requested_at, _requests.id)
    )
    there = (
        select(images.c.image_key, images.c.width, images.c.height, images.c.registered_at)
        .outerjoin(image_archives, image_archives.c.image_id == images.c.id)
        .where(image_archives.c.image_id.is_(None), images.c.registered_at < until.astimezone(UTC))
        .order_by(images.c.id)
    )
    with engine.connect() as connection:
        stored, own = {}, {}
        for image_key, width, height, registered_at in connection.execute(there):
            stored[image_key] = in_utc(registered_at)
            own[image_key] = output_size(width, height)
        asked = tuple(
            Asked(
                in_utc(row.requested_at),
                row.image_key,
                Pattern(
                    row.target,
                    row.style,
                    row.provider,
                    None
                    if own.get(row.image_key) == (row.width, row.height)
                    else (row.width, row.height),
                ),
                row.movement,
            )
            for row in connection.execute(query)
        )
    return Demand(asked, stored)


def in_utc(moment: datetime) -> datetime:
    """Return a stored time with its zone: SQLite keeps none, what is written is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
