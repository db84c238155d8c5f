"""The same picture gets the same answer; a mirrored one the mirrored answer; nothing gets none.

Quick size: synthetic scenes and the two photographs that scikit-learn ships. With
``--photos DIR`` the same on every labelled photograph, against the figures of the issue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from animatize_assets.movement import prediction
from animatize_assets.movement.derived_values import Value
from animatize_assets.movement.measurements import Readings
from animatize_assets.movement.models import Movement
from animatize_assets.movement.rule_schema import Condition, RuleBook
from animatize_assets.movement.rules import load_rules
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets_tests.integration.metamorphic import (
    CATEGORIES,
    MIRRORED,
    Answer,
    Verdict,
    answer_of,
    compare_moves,
    compare_scenes,
    is_by_doubt,
    mirrored_move,
)
from animatize_assets_tests.integration.variants import (
    REFERENCE,
    VARIANTS,
    Pixels,
    base_picture,
    encode,
)
from animatize_assets_tests.scene.scenes import corridor, facade, flat, noise, road, sky_and_ground

Answers = dict[str, Answer]
"""Variant to answer, of one picture."""

SAME_SHARE = 0.95
MIRRORED_SHARE = 0.98
QUICK_VARIANTS = (REFERENCE, "720p.jpg", "1080p.png", "4k.jpg", "mirror", "darker", "cropped")
SIZES = ("720p.jpg", "720p.png", "1080p.png", "4k.jpg", "4k.png")
BRIGHTER = ("brighter",)
DARKER = ("darker",)
CROPS = ("cropped",)


@pytest.fixture(scope="module")
def rules() -> RuleBook:
    return load_rules()


def quick_pictures() -> Iterator[Pixels]:
    from sklearn.datasets import load_sample_images

    yield from (np.asarray(picture, np.uint8) for picture in load_sample_images().images)
    rng = np.random.default_rng(7)
    yield corridor(rng, 0.4, 0.5)
    yield road(rng, 0.6, 0.4)
    yield sky_and_ground(rng, 0.62, 0.0)
    yield sky_and_ground(rng, 0.4, 4.0)
    yield facade(rng)


def answers_of(
    picture: Pixels, variants: tuple[str, ...], folder: Path, rules: RuleBook
) -> Answers:
    return {name: answer_of(VARIANTS[name](picture), folder, rules) for name in variants}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, rules: RuleBook) -> list[Answers]:
    folder = tmp_path_factory.mktemp("quick")
    return [answers_of(p, QUICK_VARIANTS, folder, rules) for p in quick_pictures()]


@pytest.fixture(scope="module")
def labelled(
    photos: Path, tmp_path_factory: pytest.TempPathFactory, rules: RuleBook
) -> list[Answers]:
    folder = tmp_path_factory.mktemp("labelled")
    files = sorted(photos.glob("*.jpg"))
    assert files
    return [answers_of(base_picture(f), tuple(VARIANTS), folder, rules) for f in files]


def changes(pictures: list[Answers], variants: tuple[str, ...]) -> dict[str, Counter[Verdict]]:
    """How often what changed how, by question: the scene and each category's top movement."""
    counts: dict[str, Counter[Verdict]] = {q: Counter() for q in ("scene", *CATEGORIES)}
    for answers in pictures:
        before = answers[REFERENCE]
        for name in variants:
            if name not in answers:
                continue
            after = answers[name]
            counts["scene"][compare_scenes(before.scene, after.scene)] += 1
            for category in CATEGORIES:
                counts[category][compare_moves(before.top(category), after.top(category))] += 1
    return counts


def assert_stable(pictures: list[Answers], variants: tuple[str, ...], *, apart: bool) -> None:
    """Enough answers are the same, of each question ``apart`` or of all together.

    Whatever changes does so by way of doubt: to or from ``unknown``, ``static``, nothing or no
    direction, never straight to another answer, let alone the opposite.
    """
    counts = changes(pictures, variants)
    for question, verdicts in (
        counts if apart else {"all": sum(counts.values(), Counter())}
    ).items():
        assert verdicts["same"] >= SAME_SHARE * sum(verdicts.values()), (question, verdicts)
        assert verdicts["opposite"] == verdicts["different"] == 0, (question, verdicts)
    for number, answers in enumerate(pictures):
        before = answers[REFERENCE]
        for name in variants:
            if name not in answers:
                continue
            after = answers[name]
            leaps = [
                question
                for question in counts
                if differs(question, before, after) and not is_by_doubt(question, before, after)
            ]
            assert not leaps, (number, name, leaps)


def differs(question: str, before: Answer, after: Answer) -> bool:
    if question == "scene":
        return before.scene != after.scene
    return any(c == question and before.top(c) != after.top(c) for c in CATEGORIES)


def mirror_verdicts(pictures: list[Answers]) -> Counter[Verdict]:
    """Of every answer that says left or right (or turns), how mirroring changed it."""
    verdicts: Counter[Verdict] = Counter()
    for answers in pictures:
        for category in CATEGORIES:
            before = answers[REFERENCE].top(category)
            after = answers["mirror"].top(category)
            if any(move and move[1] in MIRRORED for move in (before, after)):
                verdicts[compare_moves(mirrored_move(before), after)] += 1
    return verdicts


def test_the_same_picture_gets_the_same_answer(quick: list[Answers]) -> None:
    """All questions and variants together, since seven pictures are too few to part them."""
    assert_stable(quick, (*SIZES, *BRIGHTER, *DARKER, *CROPS), apart=False)


def test_mirroring_mirrors_left_and_right(quick: list[Answers]) -> None:
    verdicts = mirror_verdicts(quick)
    assert sum(verdicts.values()) > 0
    assert verdicts["same"] >= MIRRORED_SHARE * sum(verdicts.values()), verdicts


@pytest.mark.parametrize(
    "variants", [SIZES, BRIGHTER, DARKER, CROPS], ids=["sizes", "brighter", "darker", "crops"]
)
def test_the_same_photograph_gets_the_same_answer(
    labelled: list[Answers], variants: tuple[str, ...]
) -> None:
    assert_stable(labelled, variants, apart=True)


def test_mirroring_a_photograph_mirrors_left_and_right(labelled: list[Answers]) -> None:
    verdicts = mirror_verdicts(labelled)
    assert verdicts["same"] >= MIRRORED_SHARE * sum(verdicts.values()), verdicts
    assert verdicts["opposite"] == 0, verdicts


def evidence(answer: Answer, rules: RuleBook) -> Iterator[tuple[Movement, Condition]]:
    """Every comparison that a movement of the answer is justified by."""
    conditions = {rule.id: rule.conditions for rule in rules.rules}
    for movement in answer.prediction.movements:
        for condition in conditions.get(movement.rule, ()):
            yield movement, condition


def assert_removing_evidence_changes_the_answer(
    pictures: list[Answers], rules: RuleBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one measurement at its threshold, the movement goes or has a weaker, other reason."""
    removed = 0
    for answers in pictures:
        answer = answers[REFERENCE]
        for before, condition in evidence(answer, rules):
            name, threshold = condition.measurement, condition.threshold
            value = threshold if isinstance(threshold, float) else None

            def without(
                analysis: SceneAnalysis, name: str = name, value: Value = value
            ) -> Readings:
                readings = Readings(analysis)
                readings[name] = value
                return readings

            with monkeypatch.context() as patch:
                patch.setattr(prediction, "Readings", without)
                left = prediction.predict_movements(answer.analysis, rules).movements
            still = [
                after
                for after in left
                if (after.category, after.type, after.direction)
                == (before.category, before.type, before.direction)
            ]
            assert all(after.justification != before.justification for after in still), name
            assert all(after.confidence < before.confidence for after in still), name
            removed += 1
    assert removed > len(pictures)


def test_removing_what_a_justification_names_changes_the_answer(
    quick: list[Answers], rules: RuleBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_removing_evidence_changes_the_answer(quick, rules, monkeypatch)


def test_removing_what_a_photographs_justification_names_changes_the_answer(
    labelled: list[Answers], rules: RuleBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_removing_evidence_changes_the_answer(labelled, rules, monkeypatch)


# ── nothing in it, or no longer in it ────────────────────────────────────────────────────────

NOTHING = {
    "noise": noise(np.random.default_rng(1)),
    "strong noise": noise(np.random.default_rng(2), 90),
    "weak noise": noise(np.random.default_rng(3), 8),
    "grey": flat(),
    "black": flat((0, 0, 0)),
    "white": flat((255, 255, 255)),
    "blue": flat((40, 90, 200)),
    "green": flat((60, 140, 50)),
}
CONFIDENT = 0.3


@pytest.mark.parametrize("picture", NOTHING.values(), ids=NOTHING)
def test_a_picture_of_nothing_gets_no_confident_answer(
    picture: Pixels, tmp_path: Path, rules: RuleBook
) -> None:
    height, width = picture.shape[:2]
    answer = answer_of((encode(picture, ".png"), (width, height)), tmp_path, rules)
    assert answer.scene in ("unknown", "graphic")
    assert answer.top("camera") == ("static", None)
    assert all(m.confidence < CONFIDENT for m in answer.prediction.movements)


def _answer(picture: Pixels, folder: Path, rules: RuleBook) -> Answer:
    return answer_of((encode(picture, ".png"), (picture.shape[1], picture.shape[0])), folder, rules)


def _types(answer: Answer) -> set[str]:
    return {movement.type for movement in answer.prediction.movements}


def test_clouds_go_when_the_sky_is_painted_over(tmp_path: Path, rules: RuleBook) -> None:
    picture = sky_and_ground(np.random.default_rng(4), 0.6, 0.0)
    assert "clouds_drift" in _types(_answer(picture, tmp_path, rules))
    horizon = int(0.6 * picture.shape[0])
    covered = picture.copy()
    covered[:horizon] = cv2.resize(picture[horizon + 8 :], (picture.shape[1], horizon))
    assert "clouds_drift" not in _types(_answer(covered, tmp_path, rules))


def test_leaves_go_when_their_colour_goes(tmp_path: Path, rules: RuleBook) -> None:
    from sklearn.datasets import load_sample_image

    picture = np.asarray(load_sample_image("china.jpg"), np.uint8)
    assert "foliage_sways" in _types(_answer(picture, tmp_path, rules))
    gray = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert "foliage_sways" not in _types(_answer(np.asarray(gray, np.uint8), tmp_path, rules))


def test_the_camera_does_not_follow_lines_that_are_gone(tmp_path: Path, rules: RuleBook) -> None:
    picture = corridor(np.random.default_rng(5), 0.5, 0.5)
    before = _answer(picture, tmp_path, rules).prediction.camera
    assert before.direction == "in"
    named = {before.rule, *before.agreeing_rules}
    assert "composition_leading_lines_push" in named
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 40), np.uint8)
    after = _answer(blurred, tmp_path, rules).prediction.camera
    assert "composition_leading_lines_push" not in {after.rule, *after.agreeing_rules}
    assert (after.type, after.confidence) != (before.type, before.confidence)
