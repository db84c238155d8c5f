"""A camera path looks where it says, and an impossible one is refused with its reasons."""

from __future__ import annotations

from itertools import pairwise
from math import cos, radians, sin

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from animatize_assets.errors import ImpossibleCameraPath
from animatize_assets.movement.camera_path import (
    check_camera_path,
    ease,
    layer_center,
    peak_speed_per_s,
    sample,
    viewport,
)
from animatize_assets.movement.models import CameraPath, Keyframe
from animatize_assets_tests.movement.paths import (
    EXAMPLES,
    PAN_RIGHT,
    PUSH_IN,
    STATIC,
    TRUCK_LEFT,
    ZOOM_IN,
    make_path,
)

EASINGS = ("linear", "ease_in", "ease_out", "ease_in_out")


def name_of(path: CameraPath) -> str:
    return f"{path.move}-{path.direction}"


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
@pytest.mark.parametrize("height", [64, 720, 4000])
def test_examples_are_possible_at_any_size(path: CameraPath, height: int) -> None:
    check_camera_path(path, height * 3 // 2, height)


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_the_ends_of_a_path_are_exactly_its_keyframes(path: CameraPath) -> None:
    assert sample(path, 0) == path.keyframes[0]
    assert sample(path, 1) == path.keyframes[-1]
    assert sample(path, -3) == path.keyframes[0]
    assert sample(path, 7) == path.keyframes[-1]


@pytest.mark.parametrize("easing", EASINGS)
def test_easing_rises_from_zero_to_one(easing: str) -> None:
    values = [ease(easing, i / 100) for i in range(101)]
    assert values[0] == 0
    assert values[-1] == pytest.approx(1)
    assert all(b > a for a, b in pairwise(values))


def test_full_frame_viewport_is_the_image() -> None:
    assert viewport(STATIC, STATIC.keyframes[0], 1500, 1000) == (750, 500, 1500, 1000)


def test_a_taller_output_is_cut_from_the_middle() -> None:
    tall = STATIC.model_copy(update={"aspect_ratio": 9 / 16})
    cx, cy, w, h = viewport(tall, tall.keyframes[0], 1600, 900)
    assert (cx, cy) == (800, 450)
    assert (w, h) == pytest.approx((900 * 9 / 16, 900))


@given(t=st.floats(0, 1))
def test_every_edge_of_the_viewport_moves_linearly_in_eased_time(t: float) -> None:
    """A zoom towards a point keeps that point still on screen."""
    cx, _, w, h = viewport(ZOOM_IN, sample(ZOOM_IN, t), 1500, 1000)
    u = ease(ZOOM_IN.easing, t)
    left = (1 - u) * 0 + u * (900 - 1500 / 1.35 / 2)
    assert cx - w / 2 == pytest.approx(left, abs=1e-6)
    assert w / h == pytest.approx(1.5)


def test_pan_right_looks_further_right_with_time() -> None:
    positions = [viewport(PAN_RIGHT, sample(PAN_RIGHT, t / 10), 900, 600)[0] for t in range(11)]
    assert positions == sorted(positions)
    assert positions[0] < 450 < positions[-1]


def test_near_layers_are_displaced_more_than_far_ones() -> None:
    end = TRUCK_LEFT.keyframes[-1]
    x = {d: layer_center(TRUCK_LEFT, end, d, 900, 600)[0] for d in (0.0, 0.5, 1.0)}
    assert x[1.0] < x[0.5] < x[0.0]
    assert x[0.5] == pytest.approx(viewport(TRUCK_LEFT, end, 900, 600)[0])


@st.composite
def travels(draw: st.DrawFn) -> CameraPath:
    """Paths with everything at once, of which a fair share just fits."""
    keyframes = [
        Keyframe(
            t=t,
            zoom=draw(st.floats(1.15, 1.6)),
            pan=draw(st.floats(-0.1, 0.1)),
            tilt=draw(st.floats(-0.1, 0.1)),
            roll=draw(st.floats(-6, 6)),
        )
        for t in (0, 1)
    ]
    return make_path(
        "truck",
        "right" if keyframes[1].pan > keyframes[0].pan else "left",
        *keyframes,
        parallax=draw(st.floats(0, 1)),
        aspect_ratio=draw(st.floats(0.6, 2.5)),
        duration_s=100,
    )


@given(path=travels(), depth=st.floats(0, 1), t=st.floats(0, 1))
def test_what_passes_the_check_never_leaves_the_image_at_any_time_or_depth(
    path: CameraPath, depth: float, t: float
) -> None:
    """The bound is on keyframes; the truth is in every rendered corner of every layer."""
    try:
        check_camera_path(path, 3000, 2000)
    except ImpossibleCameraPath:
        reject()
    now = sample(path, t)
    _, _, w, h = viewport(path, now, 3000, 2000)
    cx, cy = layer_center(path, now, depth, 3000, 2000)
    a = radians(now.roll)
    for sx, sy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        x = cx + (sx * w * cos(a) - sy * h * sin(a)) / 2
        y = cy + (sx * w * sin(a) + sy * h * cos(a)) / 2
        assert -0.5 <= x <= 3000.5
        assert -0.5 <= y <= 2000.5


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (
            make_path("pan", "right", Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1, pan=0.1)),
            "leaves",
        ),
        (
            make_path("pan", "left", Keyframe(t=0, zoom=1.3), Keyframe(t=1, zoom=1.3, pan=0.1)),
            "does not go left",
        ),
        (
            make_path(
                "truck",
                "right",
                Keyframe(t=0, zoom=1.2),
                Keyframe(t=1, zoom=1.2, pan=0.08),
                parallax=1.0,
            ),
            "leaves the image by 115.0 px",
        ),
        (make_path("zoom_in", "in", Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1.7)), "magnifies"),
        (
            make_path("push_in", "in", Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1.3, dolly=0.4)),
            "magnifies 1.82",
        ),
        (make_path("zoom_in", "in", Keyframe(t=0, zoom=1.2), Keyframe(t=1, zoom=1)), "nearer"),
        (make_path("pull_out", "out", Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1.2)), "back"),
        (
            make_path("roll", "clockwise", Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1, roll=5)),
            "leaves",
        ),
        (
            make_path(
                "roll", "clockwise", Keyframe(t=0, zoom=1.5), Keyframe(t=1, zoom=1.5, roll=15)
            ),
            "rolls by 15.0",
        ),
        (
            make_path(
                "pull_out", "out", Keyframe(t=0, zoom=1.2), Keyframe(t=1, zoom=1, dolly=-0.1)
            ),
            "negative dolly",
        ),
        (make_path("static", None, Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1.1)), "static"),
        (PAN_RIGHT.model_copy(update={"parallax": 0.3}), "all layers alike"),
        (PAN_RIGHT.model_copy(update={"direction": None}), "no direction"),
        (PAN_RIGHT.model_copy(update={"duration_s": 1.0}), "frame widths per second"),
        (PUSH_IN.model_copy(update={"duration_s": 0.5}), "frame widths per second"),
    ],
)
def test_impossible_paths_are_refused_with_the_reason(path: CameraPath, reason: str) -> None:
    with pytest.raises(ImpossibleCameraPath, match=reason):
        check_camera_path(path, 1500, 1000)


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_a_longer_clip_is_slower(path: CameraPath) -> None:
    longer = path.model_copy(update={"duration_s": 10.0})
    speed = peak_speed_per_s(path, 1500, 1000)
    assert peak_speed_per_s(longer, 1500, 1000) == pytest.approx(speed / 2)
