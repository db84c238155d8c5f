"""Camera paths made by hand, one of each kind, all possible on an image of any size and 3:2."""

from __future__ import annotations

from typing import Any

from animatize_assets.movement.models import CameraPath, Keyframe


def make_path(move: str, direction: str | None, *keyframes: Keyframe, **changes: Any) -> CameraPath:
    values: dict[str, Any] = {
        "duration_s": 5.0,
        "fps": 24,
        "aspect_ratio": 1.5,
        "easing": "ease_in_out",
        "parallax": 0.0,
        **changes,
    }
    return CameraPath.model_validate(
        {"move": move, "direction": direction, "keyframes": keyframes, **values}
    )


STATIC = make_path("static", None, Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1))
PUSH_IN = make_path(
    "push_in",
    "in",
    Keyframe(t=0, zoom=1),
    Keyframe(t=1, zoom=1.2, pan=-0.05, tilt=0.03, dolly=0.12),
    parallax=0.2,
)
PULL_OUT = make_path(
    "pull_out",
    "out",
    Keyframe(t=0, zoom=1.2, pan=0.05, tilt=0.02, dolly=0.12),
    Keyframe(t=1, zoom=1),
)
ZOOM_IN = make_path("zoom_in", "in", Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1.35, pan=0.1))
PAN_RIGHT = make_path(
    "pan", "right", Keyframe(t=0, zoom=1.3, pan=-0.11), Keyframe(t=1, zoom=1.3, pan=0.11)
)
TILT_UP = make_path(
    "tilt", "up", Keyframe(t=0, zoom=1.3, tilt=0.11), Keyframe(t=1, zoom=1.3, tilt=-0.11)
)
TRUCK_LEFT = make_path(
    "truck",
    "left",
    Keyframe(t=0, zoom=1.3, pan=0.04),
    Keyframe(t=1, zoom=1.3, pan=-0.04),
    parallax=0.6,
)
ROLL_CLOCKWISE = make_path(
    "roll", "clockwise", Keyframe(t=0, zoom=1.16, roll=0), Keyframe(t=1, zoom=1.16, roll=5)
)
EXAMPLES = (
    STATIC,
    PUSH_IN,
    PULL_OUT,
    ZOOM_IN,
    PAN_RIGHT,
    TILT_UP,
    TRUCK_LEFT,
    ROLL_CLOCKWISE,
)
