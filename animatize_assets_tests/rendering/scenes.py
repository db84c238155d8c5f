"""Pictures with known content, and camera paths of every move, for the tests of three rooms."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.movement.camera_path import sample, viewport
from animatize_assets.movement.models import CameraPath, Keyframe


def textured(width: int, height: int, *, seed: int = 0, low: int = 0) -> NDArray[np.uint8]:
    """Colour noise of several scales: every point can be told from its neighbours."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for scale in (2, 4, 8, 16):
        size = (max(2, height // scale), max(2, width // scale), 3)
        noise = random.standard_normal(size, dtype=np.float32)
        total += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    total = (total - total.min()) / (total.max() - total.min())
    return np.asarray(low + total * (255 - low), np.uint8)


def even_depth(value: float = 0.5) -> NDArray[np.float32]:
    return np.full((30, 40), value, np.float32)


def disc(width: int, height: int) -> NDArray[np.bool_]:
    """A disc in the middle, a quarter of the shorter side in radius."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.hypot(x - width / 2, y - height / 2) < min(width, height) / 4


def camera_path(
    move: str, direction: str | None, *keyframes: dict[str, float], **changes: Any
) -> CameraPath:
    """A path whose keyframes are spread evenly over time; 12 frames unless ``changes`` say so."""
    last = len(keyframes) - 1
    values: dict[str, Any] = {
        "duration_s": 0.5,
        "fps": 24,
        "aspect_ratio": 16 / 9,
        "easing": "ease_in_out",
        "parallax": 0.0,
        **changes,
    }
    return CameraPath(
        move=move,
        direction=direction,
        keyframes=tuple(
            Keyframe(t=i / last, **{"zoom": 1.0, **k}) for i, k in enumerate(keyframes)
        ),
        **values,
    )


EVERY_MOVE = (
    camera_path("static", None, {}, {}),
    camera_path("pan", "right", {"zoom": 1.2, "pan": -0.03}, {"zoom": 1.2, "pan": 0.03}),
    camera_path("tilt", "up", {"zoom": 1.2, "tilt": 0.04}, {"zoom": 1.2, "tilt": -0.04}),
    camera_path("zoom_in", "in", {}, {"zoom": 1.1, "pan": 0.01}),
    camera_path("zoom_out", "out", {"zoom": 1.1, "tilt": 0.01}, {}),
    camera_path("push_in", "in", {}, {"zoom": 1.04, "dolly": 0.08}),
    camera_path("pull_out", "out", {"zoom": 1.04, "dolly": 0.08}, {}),
    camera_path(
        "truck", "left", {"zoom": 1.2, "pan": 0.02}, {"zoom": 1.2, "pan": -0.02}, parallax=0.5
    ),
    camera_path(
        "pedestal", "down", {"zoom": 1.2, "tilt": -0.02}, {"zoom": 1.2, "tilt": 0.02}, parallax=0.5
    ),
    camera_path("roll", "clockwise", {"zoom": 1.2}, {"zoom": 1.2, "roll": 3.0}),
    camera_path(
        "orbit",
        "right",
        {"zoom": 1.2, "pan": -0.02},
        {"zoom": 1.2, "dolly": 0.06},
        {"zoom": 1.2, "pan": 0.02},
        parallax=0.5,
    ),
)
"""One path of each move, possible on any 16:9 image."""


def seen_at(
    path: CameraPath, t: float, depth: float, image: tuple[int, int], frame: tuple[int, int]
) -> NDArray[np.float64]:
    """The 2x3 affine map from frame points to image points at one depth, from the definition.

    Written from the docstrings of ``Keyframe`` and ``CameraPath`` alone, so that it can be wrong
    only where they are.
    """
    keyframe, first = sample(path, t), path.keyframes[0]
    _, _, w, _ = viewport(path, keyframe, *image)
    factor = 1 + path.parallax * (2 * depth - 1)
    cx = image[0] * (0.5 + first.pan + factor * (keyframe.pan - first.pan))
    cy = image[1] * (0.5 + first.tilt + factor * (keyframe.tilt - first.tilt))
    scale = w / frame[0] / (1 + keyframe.dolly * depth)
    angle = np.radians(keyframe.roll)
    turned = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center = np.array([frame[0] / 2, frame[1] / 2])
    return np.column_stack([turned, np.array([cx, cy]) - turned @ center])


def expected_flow(
    path: CameraPath,
    times: tuple[float, float],
    depth: float,
    image: tuple[int, int],
    frame: tuple[int, int],
) -> NDArray[np.float64]:
    """How far each frame point moves between two times: rows x columns x (x, y), px."""
    before = np.vstack([seen_at(path, times[0], depth, image, frame), [0, 0, 1]])
    after = np.vstack([seen_at(path, times[1], depth, image, frame), [0, 0, 1]])
    moved = np.linalg.inv(after) @ before
    y, x = np.mgrid[: frame[1], : frame[0]] + 0.5
    points = np.stack([x, y, np.ones_like(x)], axis=-1)
    return points @ moved[:2].T - points[..., :2]


def measured_flow(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Optical flow from one frame (RGB) to another: rows x columns x (x, y), px."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
    return np.asarray(search.calc(gray[0], gray[1], None), np.float32)
