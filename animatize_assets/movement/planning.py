"""A camera move as numbers: where the framing starts and ends, taken from what was measured.

Belongs here: one planner per camera move and the slowing down to a comfortable speed. Does not
belong here: which move to make (``prediction``) or whether a path is possible (``camera_path``).

Lengths are those of ``framing``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import radians, sin

from animatize_assets.movement.camera_path import (
    MAX_MAGNIFICATION,
    MAX_SPEED_PER_S,
    check_camera_path,
    peak_speed_per_s,
)
from animatize_assets.movement.framing import Frame, clamp, frame_of
from animatize_assets.movement.models import CameraMove, CameraPath, Direction, Keyframe
from animatize_assets.scene.models import SceneAnalysis

TARGET_FILL = 0.7
"""A subject that is approached ends by filling this much of the frame: it keeps head room."""
MIN_APPROACH, MAX_APPROACH = 1.18, 1.4
"""Least zoom that is seen as an approach, and most that a move spends (dolly comes on top)."""
TRAVEL_ZOOM = 1.3
"""How tightly to frame for a pan, tilt, truck or pedestal: leaves 23 % of the image to travel.
Where the output's shape leaves room already (a panorama, an upright clip), less is cropped."""
TRAVEL_SHARE = 0.45
"""Longest travel of a pan, in widths of its frame; further apart is a cut, not a pan."""
MAX_LEVELLING_DEG = 6.0
EFFECT_ROLL_DEG = 3.0
"""A roll that levels nothing is felt rather than seen."""


def plan_camera_path(
    move: CameraMove,
    direction: Direction | None,
    analysis: SceneAnalysis,
    *,
    confidence: float,
    aspect_ratio: float | None,
    duration_s: float,
    fps: int,
) -> CameraPath:
    """Return a path for ``move`` over this picture that passes ``check_camera_path``.

    ``aspect_ratio`` is that of the output; None = the image's own.

    Raises:
        ImpossibleCameraPath: the planned path fails its check.
    """
    width, height = analysis.width, analysis.height
    aspect = width / height if aspect_ratio is None else aspect_ratio
    frame = frame_of(analysis, aspect, confidence)
    keyframes, parallax = _PLANNERS[move](frame, direction)
    path = CameraPath(
        move=move,
        direction=direction,
        duration_s=duration_s,
        fps=fps,
        aspect_ratio=aspect,
        easing="linear" if move == "static" else "ease_in_out",
        parallax=parallax,
        keyframes=keyframes,
    )
    path = _slowed(path, width, height)
    check_camera_path(path, width, height)
    return path


_Plan = tuple[tuple[Keyframe, ...], float]


def _static(frame: Frame, _: Direction | None) -> _Plan:
    return (frame.aimed(0, 1), frame.aimed(1, 1)), 0.0


def _approach(frame: Frame) -> float:
    """Zoom at which the target fills its share of the frame, within what a move may spend."""
    wanted = TARGET_FILL / max(frame.fill, 0.01)
    zoom = min(MAX_APPROACH, max(MIN_APPROACH, wanted))
    return 1 + (zoom - 1) * frame.amount


def _zoom_in(frame: Frame, _: Direction | None) -> _Plan:
    return (frame.aimed(0, 1), frame.aimed(1, _approach(frame))), 0.0


def _zoom_out(frame: Frame, direction: Direction | None) -> _Plan:
    return _reversed(_zoom_in(frame, direction))


def _push_in(frame: Frame, _: Direction | None) -> _Plan:
    dolly = 0.05 + 0.15 * frame.depth * frame.amount
    zoom = min(_approach(frame), MAX_MAGNIFICATION / (1 + dolly))
    return (frame.aimed(0, 1), frame.aimed(1, zoom, dolly)), 0.0


def _pull_out(frame: Frame, direction: Direction | None) -> _Plan:
    return _reversed(_push_in(frame, direction))


def _reversed(plan: _Plan) -> _Plan:
    keyframes, parallax = plan
    turned = tuple(k.model_copy(update={"t": 1 - k.t}) for k in reversed(keyframes))
    return turned, parallax


def _sideways(frame: Frame, direction: Direction | None, near: float) -> tuple[float, float, float]:
    """Return zoom, start and end of a travel along x whose nearest layer moves ``near`` times."""
    zoom = max(1.0, TRAVEL_ZOOM * frame.full_x)
    sign = 1 if direction == "right" else -1
    longest = TRAVEL_SHARE * frame.full_x / zoom * frame.amount
    return zoom, *_travel(frame.room_x(zoom), sign, frame.target_x, near, longest)


def _upright(frame: Frame, direction: Direction | None, near: float) -> tuple[float, float, float]:
    """Return zoom, start and end of a travel along y whose nearest layer moves ``near`` times."""
    zoom = max(1.0, TRAVEL_ZOOM * frame.full_y)
    sign = 1 if direction == "down" else -1
    longest = TRAVEL_SHARE * frame.full_y / zoom * frame.amount
    return zoom, *_travel(frame.room_y(zoom), sign, frame.target_y, near, longest)


def _travel(
    room: float, sign: int, target: float, near: float, longest: float
) -> tuple[float, float]:
    """Return where to start and end, so that the target is at the end, or else at the start.

    ``near`` times the way is what the nearest layer moves; it stays within the room too.
    """
    way = min(2 * room, longest) / near
    ahead = min(room, max(-room, sign * target))
    start = max(-way / 2, ahead - way) if ahead >= 0 else min(-way / 2, ahead)
    start = min(start, room - near * way)
    return sign * start, sign * (start + way)


def _parallax(frame: Frame) -> float:
    """Return how much more near layers move: more where depth separates, never none.

    Kept small on purpose, by looking at clips of photographs and not by a measurement: depth from
    one picture is wrong along outlines, and a layer that moves further than the error visibly
    tears off its edge, roofs and branches first.
    """
    return 0.04 + 0.08 * min(1.0, frame.depth)


def _pan(frame: Frame, direction: Direction | None) -> _Plan:
    zoom, start, end = _sideways(frame, direction, 1.0)
    tilt = clamp(frame.target_y, frame.room_y(zoom))
    return tuple(
        Keyframe(t=t, zoom=zoom, pan=pan, tilt=tilt) for t, pan in ((0, start), (1, end))
    ), 0.0


def _tilt(frame: Frame, direction: Direction | None) -> _Plan:
    zoom, start, end = _upright(frame, direction, 1.0)
    pan = clamp(frame.target_x, frame.room_x(zoom))
    return tuple(
        Keyframe(t=t, zoom=zoom, pan=pan, tilt=tilt) for t, tilt in ((0, start), (1, end))
    ), 0.0


def _truck(frame: Frame, direction: Direction | None) -> _Plan:
    parallax = _parallax(frame)
    zoom, start, end = _sideways(frame, direction, 1 + parallax)
    tilt = clamp(frame.target_y, frame.room_y(zoom))
    return tuple(
        Keyframe(t=t, zoom=zoom, pan=pan, tilt=tilt) for t, pan in ((0, start), (1, end))
    ), parallax


def _pedestal(frame: Frame, direction: Direction | None) -> _Plan:
    parallax = _parallax(frame)
    zoom, start, end = _upright(frame, direction, 1 + parallax)
    pan = clamp(frame.target_x, frame.room_x(zoom))
    return tuple(
        Keyframe(t=t, zoom=zoom, pan=pan, tilt=tilt) for t, tilt in ((0, start), (1, end))
    ), parallax


_ARC = (0.0, 0.25, 0.5, 0.75, 1.0)


def _orbit(frame: Frame, direction: Direction | None) -> _Plan:
    """Truck on an arc that comes nearest in its middle: what a still can show of an orbit."""
    (first, last), parallax = _truck(frame, direction)
    bulge = 0.04 + 0.08 * frame.depth * frame.amount
    return tuple(
        Keyframe(
            t=t,
            zoom=first.zoom,
            pan=first.pan + t * (last.pan - first.pan),
            tilt=first.tilt,
            dolly=bulge * 4 * t * (1 - t),
        )
        for t in _ARC
    ), parallax


def _roll(frame: Frame, direction: Direction | None) -> _Plan:
    """Level a leaning horizon, or lean by a little where the horizon gives no cause."""
    sign = 1 if direction == "clockwise" else -1
    levelling = -sign * frame.horizon_deg
    angle = min(MAX_LEVELLING_DEG, levelling) if levelling > 0 else EFFECT_ROLL_DEG * frame.amount
    zoom, room_x, room_y = _rolled_room(frame, sin(radians(angle)))
    level = Keyframe(
        t=0, zoom=zoom, pan=clamp(frame.target_x, room_x), tilt=clamp(frame.target_y, room_y)
    )
    return (level, level.model_copy(update={"t": 1.0, "roll": sign * angle})), 0.0


def _rolled_room(frame: Frame, tilted: float) -> tuple[float, float, float]:
    """Return the zoom at which a rolled viewport still fits, and the room that it leaves."""
    reach_x = frame.full_x + frame.full_y / frame.image_aspect * tilted
    reach_y = frame.full_y + frame.full_x * frame.image_aspect * tilted
    zoom = max(1.0, reach_x, reach_y)
    return zoom, max(0.0, (1 - reach_x / zoom) / 2), max(0.0, (1 - reach_y / zoom) / 2)


_PLANNERS: dict[CameraMove, Callable[[Frame, Direction | None], _Plan]] = {
    "static": _static,
    "pan": _pan,
    "tilt": _tilt,
    "zoom_in": _zoom_in,
    "zoom_out": _zoom_out,
    "push_in": _push_in,
    "pull_out": _pull_out,
    "truck": _truck,
    "pedestal": _pedestal,
    "roll": _roll,
    "orbit": _orbit,
}


def _slowed(path: CameraPath, width: int, height: int) -> CameraPath:
    """Return the path with its way shortened until no point moves faster than is comfortable.

    Every keyframe is drawn towards the wider end of the move, which lies in the image, so the
    shortened path lies in it too.
    """
    speed = peak_speed_per_s(path, width, height)
    if speed <= MAX_SPEED_PER_S:
        return path
    pivot = min((path.keyframes[-1], path.keyframes[0]), key=lambda k: k.zoom * (1 + k.dolly))
    if path.parallax:
        pivot = path.keyframes[0]  # the displacement of layers counts from here
    keep = 0.99 * MAX_SPEED_PER_S / speed
    keyframes = tuple(
        Keyframe(
            t=k.t,
            zoom=1 / ((1 - keep) / pivot.zoom + keep / k.zoom),
            pan=pivot.pan + keep * (k.pan - pivot.pan),
            tilt=pivot.tilt + keep * (k.tilt - pivot.tilt),
            roll=pivot.roll + keep * (k.roll - pivot.roll),
            dolly=pivot.dolly + keep * (k.dolly - pivot.dolly),
        )
        for k in path.keyframes
    )
    return path.model_copy(update={"keyframes": keyframes})
