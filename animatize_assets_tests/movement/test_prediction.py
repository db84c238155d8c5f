"""What the prediction promises of any picture, whatever was measured in it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.movement.camera_path import check_camera_path
from animatize_assets.movement.prediction import MIN_CONFIDENCE, predict_movements
from animatize_assets.movement.rules import load_rules
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets_tests.movement.analyses import (
    analyses,
    analysis_of,
    mirrored_analysis,
    mirrored_prediction,
    random_genes,
)

RULES = load_rules()
ASPECTS = st.sampled_from([None, 16 / 9, 9 / 16, 1.0, 1.5, 3.0])


@settings(max_examples=150, deadline=None)
@given(
    analysis=analyses(),
    aspect_ratio=ASPECTS,
    duration_s=st.sampled_from([0.5, 1.0, 5.0, 12.5]),
    fps=st.sampled_from([1, 24, 60]),
)
def test_every_planned_path_is_possible_and_is_the_camera_movement(
    analysis: SceneAnalysis, aspect_ratio: float | None, duration_s: float, fps: int
) -> None:
    prediction = predict_movements(
        analysis, RULES, aspect_ratio=aspect_ratio, duration_s=duration_s, fps=fps
    )
    path = prediction.camera_path
    check_camera_path(path, analysis.width, analysis.height)
    assert (path.move, path.direction) == (prediction.camera.type, prediction.camera.direction)
    assert path.duration_s == duration_s
    assert path.fps == fps
    assert [m.category for m in prediction.movements].count("camera") == 1


@settings(max_examples=150, deadline=None)
@given(analysis=analyses(), aspect_ratio=ASPECTS)
def test_the_mirrored_picture_gets_exactly_the_mirrored_prediction(
    analysis: SceneAnalysis, aspect_ratio: float | None
) -> None:
    prediction = predict_movements(analysis, RULES, aspect_ratio=aspect_ratio)
    mirrored = predict_movements(mirrored_analysis(analysis), RULES, aspect_ratio=aspect_ratio)
    assert mirrored == mirrored_prediction(prediction)


@settings(max_examples=100, deadline=None)
@given(analysis=analyses())
def test_movements_are_ranked_and_each_states_evidence_that_holds(analysis: SceneAnalysis) -> None:
    prediction = predict_movements(analysis, RULES)
    confidences = [m.confidence for m in prediction.movements]
    assert confidences == sorted(confidences, reverse=True)
    for movement in prediction.movements:
        assert "{" not in movement.justification
        if movement.rule in ("no_evidence", "tied_evidence"):
            assert movement.type == "static"
            continue
        assert movement.confidence >= MIN_CONFIDENCE
        assert movement.evidence
        assert all(e.margin > 0 for e in movement.evidence)


@settings(max_examples=50, deadline=None)
@given(analysis=analyses())
def test_nothing_that_contradicts_the_camera_is_kept(analysis: SceneAnalysis) -> None:
    opposite = {"left": "right", "right": "left"}
    prediction = predict_movements(analysis, RULES)
    camera = prediction.camera
    for movement in prediction.movements:
        for c in RULES.contradictions:
            if movement.type not in c.movements or camera.type not in c.camera:
                continue
            assert c.when != "always"
            if c.when == "same" and movement.direction:
                assert movement.direction != camera.direction
            if c.when == "opposite" and movement.direction:
                assert opposite.get(movement.direction) != camera.direction


def test_the_same_analysis_gives_the_same_prediction() -> None:
    analysis = analysis_of(random_genes(1))
    assert predict_movements(analysis, RULES) == predict_movements(analysis, load_rules())
