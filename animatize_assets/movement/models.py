"""What should move and why, and the camera path as numbers.

Belongs here: the records and what their numbers mean. Does not belong here: the rules (data in
``rules.yaml``), how they are judged or how a path is planned and checked.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from animatize_assets.records import Measured, Record, Share

Category = Literal["camera", "character", "environment"]
CameraMove = Literal[
    "static",
    "pan",
    "tilt",
    "zoom_in",
    "zoom_out",
    "push_in",
    "pull_out",
    "truck",
    "pedestal",
    "roll",
    "orbit",
]
"""A pan or tilt turns and a zoom changes the lens: all layers move alike. ``push_in``,
``pull_out``, ``truck``, ``pedestal`` and ``orbit`` travel: near layers move more than far ones.
A still can only imitate the latter, by a crop path with parallax."""
Direction = Literal[
    "left",
    "right",
    "up",
    "down",
    "in",
    "out",
    "clockwise",
    "counterclockwise",
]
"""Left and right are screen directions, of the camera's own motion or of the thing that moves."""
Easing = Literal["linear", "ease_in", "ease_out", "ease_in_out"]


def name_of_move(move: str, direction: str | None) -> str:
    """``push_in`` going ``in`` is "push in"; ``pan`` going ``left`` is "pan left"."""
    name = move.replace("_", " ")
    return name if direction is None or direction in name.split() else f"{name} {direction}"


class MovementEvidence(Record):
    """One comparison that held: ``value`` ``comparison`` ``threshold``."""

    measurement: str = Field(description="dotted name in SceneAnalysis")
    value: Measured | str
    comparison: Literal[">=", "<=", ">", "<", "==", "!=", "in", "is_present", "is_absent"]
    threshold: Measured | str | tuple[str, ...] | None
    margin: Share = Field(description="how far the value passes the threshold, 1 = fully")


class Movement(Record):
    """One predicted motion, with what in the picture justifies it."""

    rule: str = Field(
        description="id of the rule that leads; 'no_evidence' or 'tied_evidence' when the camera "
        "holds still because nothing, or two things alike, ask for a move"
    )
    category: Category
    family: str = Field(
        description="composition, camera_movement, lighting, visual_effects, depth, motion, emotion"
    )
    type: str = Field(description="a CameraMove when category is camera")
    direction: Direction | None
    confidence: Share
    evidence: tuple[MovementEvidence, ...]
    justification: str = Field(description="one sentence with the measured values filled in")
    agreeing_rules: tuple[str, ...] = Field(default=(), description="rules with the same answer")

    @property
    def name(self) -> str:
        """Type and direction as people say them: "clouds drift left"."""
        return name_of_move(self.type, self.direction)


class Keyframe(Record):
    """The viewport at time ``t``.

    The viewport at zoom 1 is the largest upright rectangle of the output's aspect ratio inside
    the image; at zoom z its sides are 1/z of that. ``pan`` and ``tilt`` displace its centre from
    the image's centre, in fractions of the *image's* width and height, positive to the right and
    downwards. ``roll`` turns the camera clockwise (the picture turns counterclockwise), degrees.
    ``dolly`` is how far the camera has travelled into the picture: it magnifies each layer by
    ``1 + dolly * depth`` about the viewport's centre, depth being 1 = near, 0 = far.
    """

    t: Share
    zoom: Measured = Field(ge=1)
    pan: Measured = 0.0
    tilt: Measured = 0.0
    roll: Measured = 0.0
    dolly: Measured = 0.0


class CameraPath(Record):
    """The top camera movement as numbers. The clip executes it; the prompt describes it."""

    move: CameraMove
    direction: Direction | None
    duration_s: Measured = Field(gt=0)
    fps: int = Field(gt=0, le=120)
    aspect_ratio: Measured = Field(gt=0, description="width / height of the viewport")
    easing: Easing
    parallax: Share = Field(
        description="0 = flat (pan, tilt, zoom, roll); p moves a layer of depth d by the factor "
        "1 + p * (2d - 1) of the viewport's displacement from the path's first keyframe: near "
        "layers more than far ones"
    )
    keyframes: tuple[Keyframe, ...] = Field(min_length=2, description="t rises from 0 to 1")

    @property
    def frame_count(self) -> int:
        """Number of frames: duration times frame rate, rounded, at least 2."""
        return max(2, round(self.duration_s * self.fps))

    @model_validator(mode="after")
    def _times_rise_from_zero_to_one(self) -> CameraPath:
        times = [keyframe.t for keyframe in self.keyframes]
        if times[0] != 0 or times[-1] != 1 or any(b <= a for a, b in pairwise(times)):
            raise ValueError("keyframe times must rise strictly from 0 to 1")
        return self


class MovementPrediction(Record):
    """Ranked movements, best first; ``camera_path`` executes the first camera movement."""

    version: str
    rules_version: str = Field(description="version stated in the rule file + hash of its content")
    movements: tuple[Movement, ...] = Field(min_length=1)
    camera_path: CameraPath

    @property
    def camera(self) -> Movement:
        """The camera movement that the path executes."""
        return next(m for m in self.movements if m.category == "camera")
