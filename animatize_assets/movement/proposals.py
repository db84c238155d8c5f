"""Rules that hold, grouped into what they propose together.

Belongs here: agreement between rules, ties, the intention behind a camera move. Does not belong
here: single rules (``judging``) or the movement that comes out (``prediction``).

**Confidence.** Rules that propose the same answer agree, and agreeing rules of strength ``s`` (the
smallest margin times the weight) give ``1 - product(1 - s)``: each can only make the answer surer
(noisy-or, Pearl 1988). It is multiplied by how far the analysis itself can be trusted. No term is
constant.

**Intention.** One camera can make one move, so camera proposals compete by intention: coming
nearer, drawing back, one of the sideways or upright directions, rolling one way, holding still.
Rules decide the intention; depth decides the kind. Where it is sure the camera travels (push_in,
truck) and near layers move more than far ones; elsewhere it only turns or zooms (zoom_in, pan),
which claims no depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from animatize_assets.movement.judging import FiredRule
from animatize_assets.movement.models import Direction

TIE_WIDTH = 0.03
"""Answers of one category whose confidences differ by less are equally good."""

_INTENTION_OF: dict[str, str] = {
    "zoom_in": "in",
    "push_in": "in",
    "zoom_out": "out",
    "pull_out": "out",
    "pan": "travel",
    "truck": "travel",
    "orbit": "travel",
    "tilt": "travel",
    "pedestal": "travel",
}


_TRAVELLING: dict[str, str] = {
    "zoom_in": "push_in",
    "zoom_out": "pull_out",
    "pan": "truck",
    "tilt": "pedestal",
}
_FLAT: dict[str, str] = {
    "push_in": "zoom_in",
    "pull_out": "zoom_out",
    "truck": "pan",
    "orbit": "pan",
    "pedestal": "tilt",
}


@dataclass(frozen=True)
class Proposal:
    """Rules that propose the same answer: the one that leads, then the strongest first."""

    rules: tuple[FiredRule, ...]
    type: str
    direction: Direction | None
    confidence: float

    @property
    def lead(self) -> FiredRule:
        """The rule whose evidence and sentence are shown."""
        return self.rules[0]


def noisy_or(strengths: Iterable[float]) -> float:
    """Return how sure independent reasons make an answer together: 1 - product(1 - s)."""
    doubt = 1.0
    for strength in strengths:
        doubt *= 1 - strength
    return 1 - doubt


def camera_proposals(
    fired: Iterable[FiredRule], trust: float, *, has_depth: bool
) -> list[Proposal]:
    """Return one proposal per intention, best first.

    ``has_depth``: depth is sure enough for the camera to travel through.
    """
    proposals = [
        _camera_proposal(group, trust, has_depth=has_depth)
        for group in _grouped(
            fired, lambda f: (_INTENTION_OF.get(f.rule.move.type, f.rule.move.type), f.direction)
        )
    ]
    return sorted(proposals, key=lambda p: (-p.confidence, p.lead.rule.id))


def moving_proposals(fired: Iterable[FiredRule], trust: float) -> list[Proposal]:
    """Return one proposal per type of character or environment movement, best first."""
    proposals = [
        Proposal(
            group,
            group[0].rule.move.type,
            _agreed_direction(group),
            trust * noisy_or(f.strength for f in group),
        )
        for group in _grouped(fired, lambda f: f.rule.move.type)
    ]
    return sorted(proposals, key=lambda p: (-p.confidence, p.lead.rule.id))


def _grouped(
    fired: Iterable[FiredRule], key: Callable[[FiredRule], object]
) -> list[tuple[FiredRule, ...]]:
    """Return the rules with the same key together, strongest first within each group."""
    groups: dict[object, list[FiredRule]] = {}
    for one in fired:
        groups.setdefault(key(one), []).append(one)
    return [tuple(sorted(g, key=lambda f: (-f.strength, f.rule.id))) for g in groups.values()]


def _camera_proposal(group: tuple[FiredRule, ...], trust: float, *, has_depth: bool) -> Proposal:
    lead = group[0]
    move = lead.rule.move.type
    move = _TRAVELLING.get(move, move) if has_depth else _FLAT.get(move, move)
    confidence = trust * noisy_or(f.strength for f in group)
    return Proposal(group, move, lead.direction, confidence)


def _agreed_direction(fired: Iterable[FiredRule]) -> Direction | None:
    """Return the direction that the rules say together; None when they are at odds."""
    pulls: dict[Direction, float] = {}
    for one in fired:
        if one.direction is not None:
            pull = one.strength * one.direction_margin
            pulls[one.direction] = pulls.get(one.direction, 0.0) + pull
    if not pulls:
        return None
    ordered = sorted(pulls.values(), reverse=True)
    against = ordered[1] if len(ordered) > 1 else 0.0
    if ordered[0] - against < TIE_WIDTH:
        return None
    return max(pulls, key=lambda direction: pulls[direction])
