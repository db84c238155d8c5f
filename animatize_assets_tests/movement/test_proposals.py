"""How rules that hold become one answer: agreement, ties, contradictions, and holding still."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.movement.justification import fill
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.movement.prediction import predict_movements
from animatize_assets.movement.proposals import TIE_WIDTH, noisy_or
from animatize_assets.movement.rule_schema import Contradiction, Rule, RuleBook
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets_tests.movement.analyses import analysis_of, random_genes

ANYTHING = [{"measurement": "depth.spread", "comparison": "is_present"}]


def rule(
    name: str, move: str, direction: Any = None, *, weight: float = 0.5, **changes: Any
) -> Rule:
    return Rule.model_validate(
        {
            "id": name,
            "family": "composition",
            "category": "camera",
            "conditions": ANYTHING,
            "move": {"type": move, "direction": direction},
            "justification": "Because {depth.spread}{heading}.",
            "weight": weight,
            "source": {"work": "katz", "idea": "x"},
            "note": "made up",
            **changes,
        }
    )


def picture(**subject: Any) -> SceneAnalysis:
    analysis = analysis_of(random_genes(5))
    return analysis.model_copy(
        update={
            "confidence": 1.0,
            "depth": analysis.depth.model_copy(update={"confidence": 0.9}),
            "subject": analysis.subject.model_copy(update=subject),
        }
    )


def predict(
    *rules: Rule, analysis: SceneAnalysis | None = None, contradictions: Any = ()
) -> MovementPrediction:
    book = RuleBook("test", rules, tuple(contradictions), {})
    return predict_movements(analysis or picture(), book)


@given(st.lists(st.floats(0, 1), max_size=6), st.floats(0, 1))
def test_agreement_never_lowers_confidence(strengths: list[float], more: float) -> None:
    together = noisy_or([*strengths, more])
    assert noisy_or(strengths) - 1e-12 <= together <= 1
    assert together >= max([*strengths, more]) - 1e-12


def test_agreeing_rules_are_named_and_make_the_answer_surer() -> None:
    alone = predict(rule("a", "push_in", "in"))
    both = predict(rule("a", "push_in", "in"), rule("b", "push_in", "in", weight=0.3))
    assert both.camera.rule == "a"
    assert both.camera.agreeing_rules == ("b",)
    assert both.camera.confidence == pytest.approx(1 - 0.5 * 0.7)
    assert both.camera.confidence > alone.camera.confidence


def test_a_zoom_supports_an_approach_of_the_same_intention() -> None:
    prediction = predict(rule("a", "push_in", "in"), rule("b", "zoom_in", "in", weight=0.3))
    assert prediction.camera.type == "push_in"
    assert prediction.camera.agreeing_rules == ("b",)


@pytest.mark.parametrize(
    ("move", "direction", "flat", "travelling"),
    [
        ("push_in", "in", "zoom_in", "push_in"),
        ("zoom_out", "out", "zoom_out", "pull_out"),
        ("tilt", "up", "tilt", "pedestal"),
        ("static", None, "static", "static"),
    ],
)
def test_the_camera_travels_only_where_depth_is_sure(
    move: str, direction: Any, flat: str, travelling: str
) -> None:
    for confidence, expected in ((0.1, flat), (0.95, travelling)):
        analysis = picture()
        depth = analysis.depth.model_copy(update={"confidence": confidence})
        moved = predict(
            rule("a", move, direction), analysis=analysis.model_copy(update={"depth": depth})
        )
        assert moved.camera.type == moved.camera_path.move == expected
        assert moved.camera.direction == direction


@pytest.mark.parametrize("rival", [("zoom_out", "out"), ("tilt", "up"), ("static", None)])
def test_a_near_tie_holds_still_and_says_so(rival: tuple[str, Any]) -> None:
    prediction = predict(rule("a", "push_in", "in"), rule("b", *rival, weight=0.5 - TIE_WIDTH / 2))
    assert prediction.camera.rule == "tied_evidence"
    assert prediction.camera.type == prediction.camera_path.move == "static"
    assert prediction.camera.confidence == pytest.approx(TIE_WIDTH / 2)
    assert "as much for a push in" in prediction.camera.justification


def test_a_clear_lead_is_no_tie() -> None:
    prediction = predict(
        rule("a", "push_in", "in"), rule("b", "zoom_out", "out", weight=0.5 - 2 * TIE_WIDTH)
    )
    assert (prediction.camera.type, prediction.camera.rule) == ("push_in", "a")


def test_no_rule_is_no_evidence() -> None:
    camera = predict(rule("a", "push_in", "in", category="environment")).camera
    assert (camera.type, camera.rule, camera.confidence) == ("static", "no_evidence", 0)
    assert "holds still" in camera.justification


def test_too_weak_a_rule_is_no_evidence_and_is_named() -> None:
    camera = predict(rule("a", "push_in", "in", weight=0.1)).camera
    assert (camera.type, camera.rule) == ("static", "no_evidence")
    assert camera.confidence == pytest.approx(0.1)
    assert "push in" in camera.justification


def test_an_untrusted_analysis_carries_no_sure_answer() -> None:
    doubtful = picture().model_copy(update={"confidence": 0.1})
    sure = predict(rule("a", "push_in", "in"))
    unsure = predict(rule("a", "push_in", "in"), analysis=doubtful)
    assert unsure.camera.confidence < sure.camera.confidence
    assert unsure.camera.rule == "no_evidence"


TOWARDS = {"towards": "subject.center_x", "band": 0.05, "full": 0.15}


@pytest.mark.parametrize(
    ("x", "direction"), [(0.1, "left"), (0.47, None), (0.5, None), (0.53, None), (0.9, "right")]
)
def test_a_derived_direction_follows_the_measurement_and_is_none_in_the_middle(
    x: float, direction: str | None
) -> None:
    walk = rule("w", "person_walks", TOWARDS, category="character")
    prediction = predict(walk, analysis=picture(center_x=x))
    (walks,) = [m for m in prediction.movements if m.category == "character"]
    assert walks.direction == direction
    assert [e.measurement for e in walks.evidence][1:] == (
        ["subject.center_x"] if direction else []
    )


def test_a_camera_move_without_its_direction_does_not_hold() -> None:
    pan = rule("p", "pan", TOWARDS)
    assert predict(pan, analysis=picture(center_x=0.5)).camera.rule == "no_evidence"
    assert predict(pan, analysis=picture(center_x=0.9)).camera.direction == "right"


def test_rules_at_odds_about_a_direction_give_none() -> None:
    walk = rule("w", "person_walks", TOWARDS, category="character")
    away = {"away_from": "subject.center_x", "band": 0.05, "full": 0.15}
    other = rule("v", "person_walks", away, category="character")
    prediction = predict(walk, other, analysis=picture(center_x=0.9))
    (walks,) = [m for m in prediction.movements if m.category == "character"]
    assert walks.direction is None
    assert walks.agreeing_rules == ("w",)


@pytest.mark.parametrize(
    ("when", "remedy", "kept"),
    [
        ("always", "dropped", []),
        ("same", "dropped", ["right"]),
        ("opposite", "dropped", []),
        ("opposite", "undirected", [None]),
        ("same", "undirected", ["right"]),
    ],
)
def test_what_contradicts_the_camera_is_dropped_or_loses_its_direction(
    when: str, remedy: str, kept: list[str | None]
) -> None:
    away = {"away_from": "subject.center_x", "band": 0.05, "full": 0.15}
    rules = (
        rule("p", "pan", TOWARDS, weight=0.9),
        rule("w", "person_walks", away, category="character"),
    )
    contradiction = Contradiction.model_validate(
        {
            "movements": ["person_walks"],
            "camera": ["truck"],
            "when": when,
            "remedy": remedy,
            "why": "x",
        }
    )
    prediction = predict(*rules, analysis=picture(center_x=0.1), contradictions=(contradiction,))
    assert prediction.camera.direction == "left"
    assert [m.direction for m in prediction.movements if m.category == "character"] == kept


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{a.b}", "0.25"),
        ("{a.b:percent}", "25 %"),
        ("{a.b:degrees}", "0.2 degrees"),
        ("{a.b:count}", "0"),
        ("{w}", "warm"),
        ("go{heading}.", "go to the left."),
        ("no placeholder", "no placeholder"),
    ],
)
def test_a_sentence_is_filled_with_values(template: str, text: str) -> None:
    assert fill(template, {"a.b": 0.25, "w": "warm"}.__getitem__, "left") == text
    assert fill("go{heading}.", {}.__getitem__, None) == "go."
