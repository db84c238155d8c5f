"""What is answered for a picture, and how two answers for the same picture may differ.

An answer that changes must change by way of doubt: to ``unknown``, ``static``, nothing or no
direction, because before or after the change its lead was below a stated tie width. It must never
become the opposite.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from animatize_assets.images.decoding import load_working_copy
from animatize_assets.movement.models import Category, MovementPrediction
from animatize_assets.movement.prediction import (
    DOUBT_WIDTH,
    MIN_CONFIDENCE,
    predict_movements,
)
from animatize_assets.movement.rule_schema import RuleBook
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.scene.scene_type import shipped_model
from animatize_assets.scene.working_copy import WORKING_LONG_SIDE_PX
from animatize_assets_tests.integration.variants import Encoded

Move = tuple[str, str | None] | None
Verdict = Literal["same", "doubtful", "different", "opposite"]
CATEGORIES: tuple[Category, ...] = ("camera", "character", "environment")
OPPOSITE = {
    "left": "right",
    "right": "left",
    "up": "down",
    "down": "up",
    "in": "out",
    "out": "in",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
}
MIRRORED = {word: OPPOSITE[word] for word in ("left", "right", "clockwise", "counterclockwise")}


@dataclass(frozen=True)
class Answer:
    """Everything that a person would notice of one picture's analysis."""

    analysis: SceneAnalysis
    prediction: MovementPrediction

    @property
    def scene(self) -> str:
        return self.analysis.scene_type.type

    def top(self, category: Category) -> Move:
        """Type and direction of the first movement of a category; None without one."""
        for movement in self.prediction.movements:
            if movement.category == category:
                return movement.type, movement.direction
        return None

    def lead(self, category: Category) -> float:
        """How far the first movement of a category lies above the confidence that keeps one."""
        found = (m.confidence for m in self.prediction.movements if m.category == category)
        return next(found, 0.0) - MIN_CONFIDENCE

    @property
    def is_scene_tied(self) -> bool:
        """Whether the two best scene types are within the stated tie width."""
        return self.analysis.scene_type.margin < shipped_model().tie_width

    @property
    def is_camera_undecided(self) -> bool:
        """Whether the camera holds still for want of a lead, not because a rule says so."""
        return self.prediction.camera.rule in ("no_evidence", "tied_evidence")


def answer_of(encoded: Encoded, folder: Path, rules: RuleBook) -> Answer:
    """Analyse a file's bytes as ``animatize analyze`` does."""
    data, size = encoded
    path = folder / "picture"
    path.write_bytes(data)
    scene = analyze_scene(load_working_copy(path, WORKING_LONG_SIDE_PX), image_size=size)
    return Answer(scene.analysis, predict_movements(scene.analysis, rules))


def mirrored_move(move: Move) -> Move:
    return move and (move[0], MIRRORED.get(move[1] or "", move[1]))


def compare_moves(before: Move, after: Move) -> Verdict:
    """How a top movement changed."""
    if before == after:
        return "same"
    if before is None or after is None or "static" in (before[0], after[0]):
        return "doubtful"
    if before[0] == after[0] and None in (before[1], after[1]):
        return "doubtful"
    if before[1] is not None and OPPOSITE.get(before[1]) == after[1]:
        return "opposite"
    return "different"


def compare_scenes(before: str, after: str) -> Verdict:
    """How a scene type changed. No scene type is the opposite of another."""
    if before == after:
        return "same"
    return "doubtful" if "unknown" in (before, after) else "different"


def is_by_doubt(question: str, before: Answer, after: Answer) -> bool:
    """Whether one of two unlike answers to a question was a doubtful one.

    Of the scene: its margin was below the tie width. Of the camera: it held still for want of a
    lead. Of a character or the environment, whose movement appeared or went: it was hardly clear
    enough to be kept. Or lost its direction: nothing was clear enough to point. A movement that
    gives way to another one at once is never by doubt.
    """
    if question == "scene":
        return before.is_scene_tied or after.is_scene_tied
    category = next(name for name in CATEGORIES if name == question)
    verdict = compare_moves(before.top(category), after.top(category))
    if verdict == "doubtful" and category == "camera":
        return before.is_camera_undecided or after.is_camera_undecided
    if verdict == "doubtful" and None in (before.top(category), after.top(category)):
        return max(before.lead(category), after.lead(category)) < DOUBT_WIDTH
    return verdict in ("same", "doubtful")
