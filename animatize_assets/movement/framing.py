"""What a planner needs to know of a picture: how much of it is seen, and what the move is about.

Belongs here: the room that a frame's shape leaves, and the target. Does not belong here: the moves
(``planning``), rendered frames (``rendering``).

Lengths are fractions of the image's width (x) and height (y). At zoom 1 the viewport measures
``full_x`` x ``full_y``, one of which is 1; at zoom z there is room for its centre to leave the
image's centre by ``(1 - full / z) / 2``.
"""

from __future__ import annotations

from dataclasses import dataclass

from animatize_assets.movement.models import Keyframe
from animatize_assets.scene.models import SceneAnalysis


@dataclass(frozen=True)
class Frame:
    """What a planner needs to know of the picture."""

    image_aspect: float
    full_x: float
    full_y: float
    target_x: float
    """Sideways offset of what the move is about from the image's centre."""
    target_y: float
    fill: float
    """Share of the zoom-1 viewport that the target takes, in its longer direction."""
    depth: float
    """How far depth can be trusted to separate layers, 0..1."""
    horizon_deg: float
    amount: float
    """How much of a move to make, 0.6 for a weak justification to 1 for a strong one."""

    def room_x(self, zoom: float) -> float:
        """Largest sideways offset of the viewport's centre."""
        return max(0.0, (1 - self.full_x / zoom) / 2)

    def room_y(self, zoom: float) -> float:
        """Largest vertical offset of the viewport's centre."""
        return max(0.0, (1 - self.full_y / zoom) / 2)

    def aimed(self, t: float, zoom: float, dolly: float = 0.0) -> Keyframe:
        """Look at the target as nearly as the image's edge allows."""
        room_x, room_y = self.room_x(zoom), self.room_y(zoom)
        return Keyframe(
            t=t,
            zoom=zoom,
            pan=clamp(self.target_x, room_x),
            tilt=clamp(self.target_y, room_y),
            dolly=dolly,
        )


def clamp(value: float, limit: float) -> float:
    """Return the value nearest to ``value`` in -limit..limit."""
    return min(limit, max(-limit, value))


def frame_of(analysis: SceneAnalysis, aspect: float, confidence: float) -> Frame:
    """Measure a picture for a path with frames of ``aspect`` (width / height).

    ``confidence``: of the move, 0..1; a surer one is made larger.
    """
    image_aspect = analysis.width / analysis.height
    full_x = min(1.0, aspect / image_aspect)
    full_y = min(1.0, image_aspect / aspect)
    x, y, fill = _target(analysis, full_x, full_y)
    horizon = analysis.composition.horizon
    return Frame(
        image_aspect=image_aspect,
        full_x=full_x,
        full_y=full_y,
        target_x=x,
        target_y=y,
        fill=fill,
        depth=analysis.depth.spread * analysis.depth.confidence,
        horizon_deg=horizon.angle_deg if horizon else 0.0,
        amount=0.6 + 0.4 * confidence,
    )


def _target(analysis: SceneAnalysis, full_x: float, full_y: float) -> tuple[float, float, float]:
    """Return what a move is about: the subject, else where the lines meet, else the middle."""
    subject, point = analysis.subject, analysis.composition.vanishing_point
    box = subject.bbox
    if box is not None and subject.center_x is not None and subject.center_y is not None:
        fill = max((box[2] - box[0]) / full_x, (box[3] - box[1]) / full_y)
        return round(subject.center_x - 0.5, 6), round(subject.center_y - 0.5, 6), fill
    if point is not None and abs(point.x - 0.5) < 0.5 and abs(point.y - 0.5) < 0.5:
        return round(point.x - 0.5, 6), round(point.y - 0.5, 6), 0.5
    return 0.0, 0.0, 0.5
