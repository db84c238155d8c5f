"""Two pictures of one image, chosen from those that it was given.

Belongs here: which two, and how each is named. Does not belong here: finding the pictures
(``workplace.earlier_pictures``), how they look (``templates``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from animatize_assets.web.dashboard.pages import moment

if TYPE_CHECKING:
    from animatize_assets.web.routes.image_pictures import Picture

UNLOGGED: Final = "current"
"""Names the one picture of which no request is logged."""

_RUN_CHARACTERS = 8


@dataclass(frozen=True)
class Choice:
    """A picture that can be chosen."""

    name: str
    """In an address: the number of its request."""
    label: str
    picture: Picture


@dataclass(frozen=True)
class SideBySide:
    """The pictures of an image, and the two that are shown."""

    choices: tuple[Choice, ...]
    left: Choice | None
    right: Choice | None
    unknown: tuple[str, ...]
    """Names that were asked for and that no picture has."""


def side_by_side(pictures: Sequence[Picture], left: str, right: str) -> SideBySide:
    """Choose two of ``pictures``, which are the newest first.

    A side is named by the number of a request, by who made the picture, or by the run: the newest
    that is so. Unnamed, the left is the newest and the right the newest by another provider than
    the left, or else of another run, or else another one.
    """
    choices = tuple(_choice(each) for each in pictures)
    unknown = tuple(name for name in (left, right) if name and _named(choices, name) is None)
    on_left = _named(choices, left) if left else None
    on_right = _named(choices, right) if right else None
    if not left:
        on_left = _unlike(choices, on_right) if right else next(iter(choices), None)
    if not right:
        on_right = _unlike(choices, on_left)
    return SideBySide(choices, on_left, on_right, unknown)


def _choice(picture: Picture) -> Choice:
    told = [picture.provider, picture.model]
    if picture.requested_at is not None:
        told.append(moment(picture.requested_at))
    if picture.run_id is not None:
        told.append(f"run {picture.run_id[:_RUN_CHARACTERS]}")
    if picture.is_current:
        told.append("the current one")
    name = UNLOGGED if picture.request_id is None else str(picture.request_id)
    return Choice(name, " · ".join(told), picture)


def _named(choices: Sequence[Choice], name: str) -> Choice | None:
    return next(
        (
            each
            for each in choices
            if name in (each.name, each.picture.provider, each.picture.run_id)
        ),
        None,
    )


def _unlike(choices: Sequence[Choice], other: Choice | None) -> Choice | None:
    """Return the newest that differs most from the other side."""
    if other is None:
        return None
    rest = [each for each in choices if each.name != other.name]
    by_another = [each for each in rest if each.picture.provider != other.picture.provider]
    of_another_run = [each for each in rest if each.picture.run_id != other.picture.run_id]
    return next(iter(by_another or of_another_run or rest), None)
