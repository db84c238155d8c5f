"""Where the camera looks at time t, and whether a camera path is possible at all.

Belongs here: easing, interpolation, the viewport in pixels and the check of a path against its
image. Does not belong here: how a path is planned (``planning``) or drawn (``rendering``).

**Interpolation.** Easing bends time once for the whole path, ``u = ease(t)``. Between two
keyframes the *rectangle* that the camera sees moves linearly in ``u``: centre, width and height,
and so every edge. (Zoom is therefore the reciprocal of a linear function.) A move towards a point
then has one fixed point in the picture instead of swimming about it, and whatever holds for the
rectangle at two keyframes holds between them, because containment in a rectangle is convex.
``roll`` and ``dolly`` are linear in ``u``.

**Bound.** A layer of depth ``d`` is seen through a viewport that is displaced by
``1 + p * (2d - 1)`` of the path's displacement and shrunk by ``1 + dolly * d``; its extreme cases
are the factors ``1 - p`` and ``1 + p``, without shrinking. A viewport of ``w`` x ``h`` that is
rolled by at most ``a`` lies in an upright box of ``w + h sin a`` by ``h + w sin a``. A path is
possible when these boxes lie in the image at every keyframe; by convexity they then do at every t.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from math import hypot, pi, radians, sin

from animatize_assets.errors import ImpossibleCameraPath
from animatize_assets.movement.models import CameraPath, Direction, Easing, Keyframe

MAX_MAGNIFICATION = 1.6
"""Largest ``zoom * (1 + dolly)``: beyond it the softness of an enlarged still begins to show."""

MAX_SPEED_PER_S = 1 / 7
"""Fastest that any point may cross the frame, in frame widths (heights) per second: the
seven-second rule of panning, after the panning tables of the American Cinematographer Manual; at
24 frames per second faster detail is seen to judder."""

MAX_ROLL_DEG = 10.0
"""A roll beyond this is an effect of its own (Mascelli, The Five C's: "dutch tilt angles")."""

FLAT_MOVES = frozenset({"static", "pan", "tilt", "zoom_in", "zoom_out", "roll"})
"""Moves that turn the camera or change the lens: all layers move alike."""

PEAK_RATE: dict[Easing, float] = {
    "linear": 1.0,
    "ease_in": 2.0,
    "ease_out": 2.0,
    "ease_in_out": 1.5,
}
"""Largest derivative of each easing: how much faster than the mean the camera gets."""

_TOLERANCE_PX = 0.01
_TOLERANCE = 1e-4


def ease(easing: Easing, t: float) -> float:
    """Eased time: monotone from 0 at t = 0 to 1 at t = 1.

    ``ease_in`` is t^2, ``ease_out`` its reverse, ``ease_in_out`` the smoothstep 3t^2 - 2t^3.
    """
    if easing == "ease_in":
        return t * t
    if easing == "ease_out":
        return t * (2 - t)
    if easing == "ease_in_out":
        return t * t * (3 - 2 * t)
    return t


def sample(path: CameraPath, t: float) -> Keyframe:
    """Return the keyframe at time ``t`` in 0..1 (clamped), eased and interpolated.

    At ``t`` = 0 and 1 these are exactly the first and last keyframes of the path.
    """
    t = min(1.0, max(0.0, t))
    if t in (0.0, 1.0):
        return path.keyframes[-1 if t else 0]
    u = ease(path.easing, t)
    times = [keyframe.t for keyframe in path.keyframes]
    after = min(len(times) - 1, bisect_right(times, u))
    a, b = path.keyframes[after - 1], path.keyframes[after]
    s = (u - a.t) / (b.t - a.t)
    # Without validation: rounding to six digits would make a slow move step visibly at 4K.
    return Keyframe.model_construct(
        t=t,
        zoom=1 / ((1 - s) / a.zoom + s / b.zoom),
        pan=a.pan + s * (b.pan - a.pan),
        tilt=a.tilt + s * (b.tilt - a.tilt),
        roll=a.roll + s * (b.roll - a.roll),
        dolly=a.dolly + s * (b.dolly - a.dolly),
    )


def viewport(
    path: CameraPath, keyframe: Keyframe, image_width: float, image_height: float
) -> tuple[float, float, float, float]:
    """Centre and size ``(cx, cy, w, h)`` of the viewport in image pixels, before roll and dolly.

    Pixel edges are at whole numbers: a full-frame viewport of a W x H image is (W/2, H/2, W, H).
    """
    full_width = min(image_width, image_height * path.aspect_ratio)
    width = full_width / keyframe.zoom
    return (
        image_width * (0.5 + keyframe.pan),
        image_height * (0.5 + keyframe.tilt),
        width,
        width / path.aspect_ratio,
    )


def layer_center(
    path: CameraPath, keyframe: Keyframe, depth: float, image_width: float, image_height: float
) -> tuple[float, float]:
    """Centre, px, of the viewport through which a layer of ``depth`` (1 = near) is seen."""
    first = path.keyframes[0]
    factor = 1 + path.parallax * (2 * depth - 1)
    return (
        image_width * (0.5 + first.pan + factor * (keyframe.pan - first.pan)),
        image_height * (0.5 + first.tilt + factor * (keyframe.tilt - first.tilt)),
    )


def overshoot_px(path: CameraPath, image_width: float, image_height: float) -> float:
    """How far any layer's viewport leaves the image at most, px; negative = room left."""
    tilted = sin(radians(min(90.0, max(abs(k.roll) for k in path.keyframes))))
    worst = -float("inf")
    for keyframe in path.keyframes:
        _, _, width, height = viewport(path, keyframe, image_width, image_height)
        half_width = (width + height * tilted) / 2
        half_height = (height + width * tilted) / 2
        for depth in (0.0, 1.0):
            cx, cy = layer_center(path, keyframe, depth, image_width, image_height)
            worst = max(
                worst,
                half_width - cx,
                cx + half_width - image_width,
                half_height - cy,
                cy + half_height - image_height,
            )
    return worst


def peak_speed_per_s(path: CameraPath, image_width: float, image_height: float) -> float:
    """Upper bound of the speed of any point on screen, in frame widths (heights) per second.

    The sum of what the nearest layer travels, what magnification moves a point on the frame's
    edge and what roll moves a corner, at the fastest moment of the easing.
    """
    worst = 0.0
    for a, b in pairwise(path.keyframes):
        ax, ay, aw, ah = viewport(path, a, image_width, image_height)
        bx, by, bw, bh = viewport(path, b, image_width, image_height)
        width, height = min(aw, bw), min(ah, bh)
        near = (1 + path.parallax) * (1 + max(a.dolly, b.dolly))
        travelled = near * hypot((bx - ax) / width, (by - ay) / height)
        magnified = 0.5 * (
            abs(bw - aw) / width + abs(b.dolly - a.dolly) / (1 + min(a.dolly, b.dolly))
        )
        rolled = (
            abs(b.roll - a.roll) / 180 * pi * 0.5 * hypot(1, max(width / height, height / width))
        )
        seconds = path.duration_s * (b.t - a.t)
        worst = max(worst, (travelled + magnified + rolled) / seconds)
    return worst * PEAK_RATE[path.easing]


def check_camera_path(path: CameraPath, image_width: float, image_height: float) -> None:
    """Raise unless the path can be shown over an image of this size and does what it is named.

    Raises:
        ImpossibleCameraPath: the crop leaves the image, magnifies beyond
            :data:`MAX_MAGNIFICATION`, moves faster than :data:`MAX_SPEED_PER_S`, rolls beyond
            :data:`MAX_ROLL_DEG`, or moves otherwise than its move and direction say. The sentence
            lists every reason.
    """
    problems = [*_geometry_problems(path, image_width, image_height), *_name_problems(path)]
    if problems:
        direction = f" {path.direction}" if path.direction else ""
        raise ImpossibleCameraPath(
            f"The camera path '{path.move}{direction}' cannot be shown: {'; '.join(problems)}. "
            "Plan a smaller move, or a longer clip."
        )


def _geometry_problems(path: CameraPath, image_width: float, image_height: float) -> list[str]:
    problems = []
    overshoot = overshoot_px(path, image_width, image_height)
    if overshoot > _TOLERANCE_PX + _TOLERANCE * max(image_width, image_height):
        problems.append(f"the crop leaves the image by {overshoot:.1f} px")
    magnification = max(k.zoom * (1 + k.dolly) for k in path.keyframes)
    if magnification > MAX_MAGNIFICATION + _TOLERANCE:
        problems.append(f"it magnifies {magnification:.2f} times (at most {MAX_MAGNIFICATION})")
    if min(k.dolly for k in path.keyframes) < 0:
        problems.append("a negative dolly would uncover what lies outside the image")
    roll = max(abs(k.roll) for k in path.keyframes)
    if roll > MAX_ROLL_DEG + _TOLERANCE:
        problems.append(f"it rolls by {roll:.1f} degrees (at most {MAX_ROLL_DEG:g})")
    speed = peak_speed_per_s(path, image_width, image_height)
    if speed > MAX_SPEED_PER_S + _TOLERANCE:
        problems.append(
            f"it moves {speed:.3f} frame widths per second (at most {MAX_SPEED_PER_S:.3f})"
        )
    return problems


_AXIS_OF: dict[tuple[str, Direction], tuple[str, int]] = {
    ("pan", "left"): ("pan", -1),
    ("pan", "right"): ("pan", 1),
    ("truck", "left"): ("pan", -1),
    ("truck", "right"): ("pan", 1),
    ("orbit", "left"): ("pan", -1),
    ("orbit", "right"): ("pan", 1),
    ("tilt", "up"): ("tilt", -1),
    ("tilt", "down"): ("tilt", 1),
    ("pedestal", "up"): ("tilt", -1),
    ("pedestal", "down"): ("tilt", 1),
    ("roll", "clockwise"): ("roll", 1),
    ("roll", "counterclockwise"): ("roll", -1),
}


def net_change(path: CameraPath) -> dict[str, float]:
    """Say what the path changes from its first to its last keyframe, by name of the quantity.

    ``scale`` is the relative change of ``zoom * (1 + dolly)``: positive = comes nearer.
    """
    a, b = path.keyframes[0], path.keyframes[-1]
    return {
        "pan": b.pan - a.pan,
        "tilt": b.tilt - a.tilt,
        "roll": b.roll - a.roll,
        "scale": b.zoom * (1 + b.dolly) / (a.zoom * (1 + a.dolly)) - 1,
    }


def _name_problems(path: CameraPath) -> list[str]:
    """Where the numbers say something else than ``move`` and ``direction``."""
    problems = []
    change = net_change(path)
    if path.move in FLAT_MOVES and (path.parallax or any(k.dolly for k in path.keyframes)):
        problems.append(f"a {path.move} moves all layers alike, but parallax or dolly is not 0")
    if path.move == "static":
        if any(k.model_copy(update={"t": 0.0}) != path.keyframes[0] for k in path.keyframes):
            problems.append("a static camera may not move")
    elif path.move in ("zoom_in", "push_in"):
        if change["scale"] <= 0:
            problems.append("it does not come nearer")
    elif path.move in ("zoom_out", "pull_out"):
        if change["scale"] >= 0:
            problems.append("it does not draw back")
    elif path.direction is None or (path.move, path.direction) not in _AXIS_OF:
        problems.append(f"a {path.move} has no direction '{path.direction}'")
    else:
        axis, sign = _AXIS_OF[path.move, path.direction]
        if change[axis] * sign <= 0:
            problems.append(f"it does not go {path.direction}")
    return problems
