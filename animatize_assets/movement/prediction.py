"""From a scene analysis to ranked movements and the camera path that executes the best one.

Belongs here: choosing the camera move, contradictions, ranking. Does not belong here: single rules
(``judging``), their agreement (``proposals``), sentences (``rules.yaml``) or the numbers of the
path (``planning``).

Exactly one camera movement is kept, the one that the path executes. When its runner-up is within
``TIE_WIDTH`` the picture does not say which, and the camera holds still; likewise when no proposal
reaches ``MIN_CONFIDENCE``. Character and environment movements are kept beside it unless the rule
file says that they contradict it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from animatize_assets.movement.judging import evidence_of, fired_rules
from animatize_assets.movement.justification import fill
from animatize_assets.movement.measurements import Readings
from animatize_assets.movement.models import (
    CameraMove,
    Category,
    Direction,
    Movement,
    MovementEvidence,
    MovementPrediction,
)
from animatize_assets.movement.planning import plan_camera_path
from animatize_assets.movement.proposals import (
    TIE_WIDTH,
    Proposal,
    camera_proposals,
    moving_proposals,
)
from animatize_assets.movement.rule_schema import Contradiction, RuleBook
from animatize_assets.scene.models import SceneAnalysis

MOVEMENT_VERSION = "2"
"""Version of this code: raise it whenever the same analysis and rules may give another answer."""

MIN_CONFIDENCE = 0.2
"""Weaker proposals are no evidence."""

DOUBT_WIDTH = 0.2
"""A character or environment movement less than this above :data:`MIN_CONFIDENCE` is doubtful. The
same picture a little brighter or cropped may lose it, as a detector finds the person no more, or
the score of a scene type falls. Of 1,674 such answers for the labelled photographs 8 came or went,
all of them by less."""

FULL_TRUST = 0.5
"""Confidence of the analysis from which on it is trusted wholly; below, in proportion."""

ENOUGH_DEPTH = 0.525
"""Confidence of the depth map from which on the camera travels rather than turns or zooms. It lies
where few of the labelled photographs do, so that the kind of a move seldom hangs by a thread."""

_CATEGORY_ORDER: dict[Category, int] = {"camera": 0, "character": 1, "environment": 2}
_OPPOSITE: dict[Direction, Direction] = {
    "left": "right",
    "right": "left",
    "up": "down",
    "down": "up",
    "in": "out",
    "out": "in",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
}
_SAID = frozenset({"left", "right", "up", "down", "clockwise", "counterclockwise"})


def predict_movements(
    analysis: SceneAnalysis,
    rules: RuleBook,
    *,
    aspect_ratio: float | None = None,
    duration_s: float = 5.0,
    fps: int = 24,
) -> MovementPrediction:
    """Return what should move in a picture, why, and the camera path.

    ``aspect_ratio`` (width / height) is that of the output that the path is planned for; None is
    the image's own.

    Raises:
        ImpossibleCameraPath: no path of this duration can be shown over this image.
    """
    readings = Readings(analysis)
    trust = min(1.0, analysis.confidence / FULL_TRUST)
    fired = fired_rules(readings, rules)
    camera = _camera_movement(
        camera_proposals(
            (f for f in fired if f.rule.category == "camera"),
            trust,
            has_depth=analysis.depth.confidence >= ENOUGH_DEPTH,
        ),
        readings,
    )
    others = [
        proposal
        for category in ("character", "environment")
        for proposal in moving_proposals((f for f in fired if f.rule.category == category), trust)
        if proposal.confidence >= MIN_CONFIDENCE
    ]
    kept = _without_contradictions(camera, others, rules.contradictions)
    movements = [camera, *(_movement(proposal, readings) for proposal in kept)]
    movements.sort(key=lambda m: (-m.confidence, _CATEGORY_ORDER[m.category], m.rule))
    return MovementPrediction(
        version=MOVEMENT_VERSION,
        rules_version=rules.version,
        movements=tuple(movements),
        camera_path=plan_camera_path(
            cast("CameraMove", camera.type),
            camera.direction,
            analysis,
            confidence=camera.confidence,
            aspect_ratio=aspect_ratio,
            duration_s=duration_s,
            fps=fps,
        ),
    )


def _camera_movement(ranked: list[Proposal], readings: Readings) -> Movement:
    if not ranked or ranked[0].confidence < MIN_CONFIDENCE:
        return _no_evidence(ranked, readings)
    best = ranked[0]
    if (
        best.type != "static"
        and len(ranked) > 1
        and best.confidence - ranked[1].confidence < TIE_WIDTH
    ):
        return _tied(best, ranked[1], readings)
    return _movement(best, readings)


def _movement(proposal: Proposal, readings: Readings) -> Movement:
    rule = proposal.lead.rule
    return Movement(
        rule=rule.id,
        category=rule.category,
        family=rule.family,
        type=proposal.type,
        direction=proposal.direction,
        confidence=proposal.confidence,
        evidence=evidence_of(proposal.lead, readings, is_directed=proposal.direction is not None),
        justification=fill(rule.justification, readings.__getitem__, proposal.direction),
        agreeing_rules=tuple(f.rule.id for f in proposal.rules[1:]),
    )


def _no_evidence(ranked: list[Proposal], readings: Readings) -> Movement:
    """Hold still, and say that nothing asked for more.

    The confidence is that of the best proposal, which was not enough: 0 when there was none.
    """
    best = ranked[0] if ranked else None
    evidence: tuple[MovementEvidence, ...] = ()
    because = "no rule for the camera holds in it"
    if best is not None:
        evidence = evidence_of(best.lead, readings)
        because = (
            f"the best proposal, {_named(best)}, reaches a confidence of only "
            f"{best.confidence:.2f} where {MIN_CONFIDENCE:.2f} is needed"
        )
    return _still(
        "no_evidence",
        best.confidence if best else 0.0,
        evidence,
        f"Nothing in the picture asks for a camera move, so it holds still: {because}.",
    )


def _tied(best: Proposal, rival: Proposal, readings: Readings) -> Movement:
    """Hold still because two moves are equally good; the confidence is how nearly one led."""
    return _still(
        "tied_evidence",
        best.confidence - rival.confidence,
        (*evidence_of(best.lead, readings), *evidence_of(rival.lead, readings)),
        f"The picture asks as much for {_named(best)} ({best.confidence:.2f}) as for "
        f"{_named(rival)} ({rival.confidence:.2f}), so the camera holds still.",
    )


def _still(
    rule: str, confidence: float, evidence: tuple[MovementEvidence, ...], justification: str
) -> Movement:
    return Movement(
        rule=rule,
        category="camera",
        family="camera_movement",
        type="static",
        direction=None,
        confidence=confidence,
        evidence=evidence,
        justification=justification,
    )


def _named(proposal: Proposal) -> str:
    name = f"a {proposal.type.replace('_', ' ')}"
    return f"{name} {proposal.direction}" if proposal.direction in _SAID else name


def _without_contradictions(
    camera: Movement, proposals: Iterable[Proposal], contradictions: tuple[Contradiction, ...]
) -> list[Proposal]:
    """Return the proposals that can be seen together with the camera's movement."""
    kept = []
    for proposal in proposals:
        remedies = {c.remedy for c in contradictions if _contradicts(camera, proposal, c)}
        if "dropped" not in remedies:
            kept.append(replace(proposal, direction=None) if remedies else proposal)
    return kept


def _contradicts(camera: Movement, proposal: Proposal, contradiction: Contradiction) -> bool:
    if proposal.type not in contradiction.movements or camera.type not in contradiction.camera:
        return False
    if contradiction.when == "always":
        return True
    if camera.direction is None or proposal.direction is None:
        return False
    if contradiction.when == "same":
        return camera.direction == proposal.direction
    return camera.direction == _OPPOSITE[proposal.direction]
