"""A planned path says with numbers what the movement says in words, from what was measured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.movement.camera_path import (
    MAX_SPEED_PER_S,
    check_camera_path,
    layer_center,
    net_change,
    peak_speed_per_s,
    viewport,
)
from animatize_assets.movement.models import CameraPath
from animatize_assets.movement.planning import plan_camera_path
from animatize_assets.scene.models import Horizon, SceneAnalysis, Subject
from animatize_assets_tests.movement.analyses import analyses, analysis_of, random_genes

MOVES = [
    ("static", None),
    ("zoom_in", "in"),
    ("zoom_out", "out"),
    ("push_in", "in"),
    ("pull_out", "out"),
    ("pan", "left"),
    ("pan", "right"),
    ("truck", "left"),
    ("truck", "right"),
    ("orbit", "left"),
    ("orbit", "right"),
    ("tilt", "up"),
    ("tilt", "down"),
    ("pedestal", "up"),
    ("pedestal", "down"),
    ("roll", "clockwise"),
    ("roll", "counterclockwise"),
]
VISIBLE = 0.02


def picture(
    box: tuple[float, float, float, float] | None = None,
    *,
    size: tuple[int, int] = (1500, 1000),
    spread: float = 0.6,
    horizon: Horizon | None = None,
) -> SceneAnalysis:
    analysis = analysis_of(random_genes(3))
    subject = Subject(
        bbox=box,
        strength=0.6,
        area=(box[2] - box[0]) * (box[3] - box[1]) if box else 0.0,
        center_x=(box[0] + box[2]) / 2 if box else None,
        center_y=(box[1] + box[3]) / 2 if box else None,
        people=(),
    )
    composition = analysis.composition.model_copy(
        update={"horizon": horizon, "vanishing_point": None}
    )
    depth = analysis.depth.model_copy(update={"spread": spread, "confidence": 1.0})
    return analysis.model_copy(
        update={
            "width": size[0],
            "height": size[1],
            "subject": subject,
            "composition": composition,
            "depth": depth,
        }
    )


def plan(move: Any, direction: Any, analysis: SceneAnalysis, **changes: Any) -> CameraPath:
    values: dict[str, Any] = {
        "confidence": 0.8,
        "aspect_ratio": None,
        "duration_s": 5.0,
        "fps": 24,
        **changes,
    }
    return plan_camera_path(move, direction, analysis, **values)


@pytest.mark.parametrize(("move", "direction"), MOVES)
@pytest.mark.parametrize("aspect_ratio", [None, 16 / 9, 9 / 16])
def test_every_move_of_a_usual_picture_is_possible_and_visible(
    move: str, direction: str | None, aspect_ratio: float | None
) -> None:
    path = plan(move, direction, picture((0.6, 0.3, 0.8, 0.7)), aspect_ratio=aspect_ratio)
    check_camera_path(path, 1500, 1000)
    change = net_change(path)
    amounts = {**change, "roll": change["roll"] / 90}
    assert (max(abs(v) for v in amounts.values()) > VISIBLE) is (move != "static")


@settings(max_examples=80, deadline=None)
@given(
    analysis=analyses(),
    move=st.sampled_from(MOVES),
    aspect_ratio=st.floats(0.3, 4),
    duration_s=st.floats(0.2, 20),
    confidence=st.floats(0, 1),
)
def test_every_move_of_any_picture_passes_its_check(
    analysis: SceneAnalysis,
    move: tuple[str, str | None],
    aspect_ratio: float,
    duration_s: float,
    confidence: float,
) -> None:
    """Whatever the rules choose, even what no rule would choose for this picture."""
    path = plan(
        *move,
        analysis,
        aspect_ratio=aspect_ratio,
        duration_s=duration_s,
        confidence=confidence,
    )
    check_camera_path(path, analysis.width, analysis.height)


@pytest.mark.parametrize("move", ["push_in", "zoom_in"])
@pytest.mark.parametrize("x", [0.2, 0.5, 0.8])
def test_an_approach_ends_with_the_subject_larger_and_whole(move: str, x: float) -> None:
    box = (x - 0.1, 0.35, x + 0.1, 0.65)
    path = plan(move, "in", picture(box))
    first, last = (viewport(path, k, 1, 1 / 1.5) for k in (path.keyframes[0], path.keyframes[-1]))
    assert last[2] < first[2]
    assert last[0] - last[2] / 2 <= box[0]
    assert box[2] <= last[0] + last[2] / 2
    assert abs(last[0] - x) <= abs(first[0] - x)


def test_drawing_back_is_an_approach_in_reverse() -> None:
    analysis = picture((0.6, 0.3, 0.8, 0.7))
    near, back = plan("push_in", "in", analysis), plan("pull_out", "out", analysis)
    assert [k.model_copy(update={"t": 1 - k.t}) for k in reversed(near.keyframes)] == list(
        back.keyframes
    )


@pytest.mark.parametrize(("direction", "x"), [("left", 0.2), ("right", 0.8)])
def test_a_pan_towards_the_subject_ends_nearer_to_it(direction: str, x: float) -> None:
    path = plan("pan", direction, picture((x - 0.1, 0.3, x + 0.1, 0.7)))
    first, last = path.keyframes[0].pan + 0.5, path.keyframes[-1].pan + 0.5
    assert abs(last - x) < abs(first - x)


def test_more_depth_gives_more_parallax_and_more_dolly() -> None:
    flat, deep = (
        picture((0.6, 0.3, 0.8, 0.7), spread=0.1),
        picture((0.6, 0.3, 0.8, 0.7), spread=0.9),
    )
    assert plan("truck", "right", deep).parallax > plan("truck", "right", flat).parallax > 0
    dolly = [plan("push_in", "in", p).keyframes[-1].dolly for p in (flat, deep)]
    assert dolly[0] < dolly[1]


def test_a_truck_moves_near_layers_further_than_far_ones() -> None:
    path = plan("truck", "left", picture((0.3, 0.3, 0.5, 0.7)))
    end = path.keyframes[-1]
    near, far = (layer_center(path, end, d, 1500, 1000)[0] for d in (1.0, 0.0))
    start = layer_center(path, path.keyframes[0], 1.0, 1500, 1000)[0]
    assert near < far < start


@pytest.mark.parametrize("angle", [-4.0, 3.0])
def test_levelling_turns_the_camera_against_the_lean_by_as_much(angle: float) -> None:
    horizon = Horizon(y=0.5, angle_deg=angle, strength=0.8)
    path = plan("roll", "counterclockwise" if angle > 0 else "clockwise", picture(horizon=horizon))
    assert path.keyframes[0].roll == 0
    assert path.keyframes[-1].roll == pytest.approx(-angle)


def test_an_upright_clip_of_a_wide_picture_keeps_the_subject_in_view() -> None:
    box = (0.75, 0.3, 0.85, 0.7)
    for move, direction in MOVES:
        path = plan(move, direction, picture(box, size=(1920, 1080)), aspect_ratio=9 / 16)
        ends = [viewport(path, k, 1, 1080 / 1920) for k in (path.keyframes[0], path.keyframes[-1])]
        assert any(cx - w / 2 <= 0.8 <= cx + w / 2 for cx, _, w, _ in ends), (move, direction)


@pytest.mark.parametrize(("move", "direction"), MOVES)
def test_a_short_clip_moves_less_rather_than_faster(move: str, direction: str | None) -> None:
    analysis = picture((0.6, 0.3, 0.8, 0.7), size=(4000, 1000))
    for duration_s in (0.3, 1.0, 5.0):
        path = plan(move, direction, analysis, duration_s=duration_s, aspect_ratio=1.5)
        assert peak_speed_per_s(path, 4000, 1000) <= MAX_SPEED_PER_S + 1e-4


@pytest.mark.parametrize(("move", "direction"), MOVES)
def test_a_stronger_justification_makes_no_smaller_move(move: str, direction: str | None) -> None:
    analysis = picture((0.6, 0.3, 0.8, 0.7))
    weak, strong = (net_change(plan(move, direction, analysis, confidence=c)) for c in (0.2, 0.9))
    assert max(abs(v) for v in strong.values()) >= max(abs(v) for v in weak.values()) - 1e-9
