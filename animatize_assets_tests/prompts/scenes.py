"""Scene analyses and predictions made up for tests: one by hand, and any by Hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from animatize_assets.movement.models import (
    CameraPath,
    Keyframe,
    Movement,
    MovementPrediction,
)
from animatize_assets.prompts.dialects import DIRECTIONS_OF
from animatize_assets.scene import models as scene
from animatize_assets.scene.models import REGION_NAMES, SceneAnalysis

END_OF_MOVE: dict[str, dict[str, float]] = {
    "static": {},
    "pan": {"pan": 0.08},
    "truck": {"pan": 0.08},
    "orbit": {"pan": 0.08},
    "tilt": {"tilt": 0.08},
    "pedestal": {"tilt": 0.08},
    "zoom_in": {"zoom": 1.5},
    "zoom_out": {"zoom": 1.5},
    "push_in": {"zoom": 1.3, "dolly": 0.1},
    "pull_out": {"zoom": 1.3, "dolly": 0.1},
    "roll": {"roll": 4.0},
}
_SAID_BY_NAME = {
    "static": None,
    "zoom_in": "in",
    "push_in": "in",
    "zoom_out": "out",
    "pull_out": "out",
}
BACKWARDS = {"left", "up", "counterclockwise"}
ALL_MOVES = [
    (move, direction)
    for move, directions in DIRECTIONS_OF.items()
    for direction in (directions or (_SAID_BY_NAME[move],))
]


def camera_path(move: str = "push_in", direction: str | None = None, **changes: Any) -> CameraPath:
    """A path that does what it is called, at zoom 1.2 so that it has room to move."""
    sign = -1 if direction in BACKWARDS else 1
    far = {
        name: value if name in ("zoom", "dolly") else sign * value
        for name, value in END_OF_MOVE[move].items()
    }
    start: dict[str, float] = {"zoom": 1.2}
    end = {"zoom": 1.2, **far}
    if move in ("zoom_out", "pull_out"):
        start, end = end, start
    return CameraPath.model_validate(
        {
            "move": move,
            "direction": direction,
            "duration_s": 5.0,
            "fps": 24,
            "aspect_ratio": 16 / 9,
            "easing": "ease_in_out",
            "parallax": 0.0,
            "keyframes": [Keyframe(t=0, **start), Keyframe(t=1, **end)],
            **changes,
        }
    )


def movement(category: str, kind: str, direction: str | None = None, **changes: Any) -> Movement:
    return Movement.model_validate(
        {
            "rule": f"{kind}_rule",
            "category": category,
            "family": "motion",
            "type": kind,
            "direction": direction,
            "confidence": 0.72,
            "evidence": (),
            "justification": "The subject is strong (saliency 0.82), so the camera goes to it.",
            **changes,
        }
    )


def prediction(
    path: CameraPath | None = None, *others: Movement, **changes: Any
) -> MovementPrediction:
    path = path or camera_path()
    camera = movement("camera", path.move, path.direction, **changes)
    return MovementPrediction(
        version="1", rules_version="1", movements=(camera, *others), camera_path=path
    )


def analysis(**changes: Any) -> SceneAnalysis:
    """A lake under a warm sky with a subject on the left; ``changes`` replace whole fields."""
    region = {"share": 0.0, "center_x": None, "center_y": None}
    regions = dict.fromkeys(REGION_NAMES, region)
    regions["sky"] = {"share": 0.4, "center_x": 0.5, "center_y": 0.2}
    regions["water"] = {"share": 0.3, "center_x": 0.5, "center_y": 0.8}
    return SceneAnalysis.model_validate(
        {
            "version": "1",
            "width": 1600,
            "height": 900,
            "working_width": 640,
            "working_height": 360,
            "composition": {
                "thirds": {
                    "top_left": 0.4,
                    "top_right": 0.1,
                    "bottom_left": 0.2,
                    "bottom_right": 0.1,
                },
                "symmetry": {"horizontal": 0.5, "vertical": 0.3},
                "balance": {"center_x": 0.4, "center_y": 0.5, "offset": 0.2},
                "negative_space": {"left": 0.1, "right": 0.8, "top": 0.7, "bottom": 0.2},
                "edge_density": 0.1,
                "texture": 0.3,
                "sharpness": 0.7,
                "lines": [
                    {"angle_deg": 0, "strength": 0.5},
                    {"angle_deg": 30, "strength": 0.2},
                ],
                "line_density": 0.3,
                "vanishing_point": {"x": 0.62, "y": 0.52, "strength": 0.6},
                "horizon": {"y": 0.55, "angle_deg": 1.0, "strength": 0.8},
            },
            "depth": {
                "method": "cues",
                "model": None,
                "cues": [{"name": "height", "weight": 0.5}],
                "confidence": 0.6,
                "spread": 0.7,
                "near_share": 0.3,
                "far_share": 0.4,
                "subject_separation": 0.2,
            },
            "subject": {
                "bbox": (0.2, 0.4, 0.4, 0.8),
                "strength": 0.7,
                "area": 0.08,
                "center_x": 0.3,
                "center_y": 0.6,
                "people": (),
            },
            "palette": {
                "colors": [
                    {"hex": "#86c2ea", "share": 0.4},
                    {"hex": "#1a7f80", "share": 0.3},
                    {"hex": "#d2b48c", "share": 0.2},
                    {"hex": "#0a0a0a", "share": 0.1},
                ],
                "warmth": 0.2,
                "saturation": 0.45,
                "colorfulness": 0.4,
                "harmony": {"type": "complementary", "score": 0.7},
            },
            "lighting": {
                "key": "low",
                "mean_luma": 0.35,
                "contrast": 0.8,
                "shadow_share": 0.3,
                "highlight_share": 0.02,
                "direction_deg": 135.0,
                "direction_strength": 0.5,
                "temperature": "warm",
                "temperature_shift": 0.15,
            },
            "regions": regions,
            "scene_type": {
                "type": "water",
                "score": 0.8,
                "scores": {"water": 0.8, "landscape": 0.2},
                "margin": 0.6,
                "evidence": [
                    {"measurement": "regions.water.share", "value": 0.3, "contribution": 2.0}
                ],
            },
            "aesthetics": {"overall": 0.6, "components": {"sharpness": 0.7}},
            "confidence": 0.7,
            **changes,
        }
    )


def changed(record: SceneAnalysis, **paths: Any) -> SceneAnalysis:
    """``record`` with values replaced: ``changed(a, lighting__key="high")``."""
    content = record.model_dump()
    for path, value in paths.items():
        *parents, last = path.split("__")
        place = content
        for parent in parents:
            place = place[parent]
        place[last] = value
    return SceneAnalysis.model_validate(content)


shares = st.floats(0, 1)
signed = st.floats(-1, 1)


def boxes() -> st.SearchStrategy[tuple[float, float, float, float]]:
    pairs = st.tuples(shares, shares).map(sorted)
    return st.tuples(pairs, pairs).map(lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1]))


def records(model: type[Any], **fixed: Any) -> st.SearchStrategy[Any]:
    return st.builds(model, **fixed)


@st.composite
def analyses(draw: st.DrawFn) -> SceneAnalysis:
    """Any scene analysis that the records allow, whatever rarely happens included."""
    region = st.fixed_dictionaries({"share": shares, "center_x": shares, "center_y": shares})
    people = st.lists(
        st.fixed_dictionaries(
            {"bbox": boxes(), "score": shares, "kind": st.sampled_from(["person", "face"])}
        ),
        max_size=4,
    )
    colors = st.lists(
        st.fixed_dictionaries(
            {"hex": st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}"), "share": shares}
        ),
        max_size=8,
    )
    horizon = st.fixed_dictionaries(
        {"y": shares, "angle_deg": st.floats(-45, 45), "strength": shares}
    )
    vanishing = st.fixed_dictionaries(
        {"x": st.floats(-3, 3), "y": st.floats(-3, 3), "strength": shares}
    )
    box = draw(st.none() | boxes())
    return changed(
        analysis(),
        composition__symmetry={"horizontal": draw(shares), "vertical": draw(shares)},
        composition__vanishing_point=draw(st.none() | vanishing),
        composition__horizon=draw(st.none() | horizon),
        depth__confidence=draw(shares),
        depth__spread=draw(shares),
        depth__near_share=draw(shares),
        subject__bbox=box,
        subject__area=0.0 if box is None else (box[2] - box[0]) * (box[3] - box[1]),
        subject__center_x=None if box is None else (box[0] + box[2]) / 2,
        subject__center_y=None if box is None else (box[1] + box[3]) / 2,
        subject__people=draw(people),
        palette__colors=draw(colors),
        palette__saturation=draw(shares),
        palette__harmony={
            "type": draw(st.sampled_from(["none", "achromatic", "triadic", "analogous"])),
            "score": draw(shares),
        },
        lighting__key=draw(st.sampled_from(["high", "normal", "low"])),
        lighting__mean_luma=draw(shares),
        lighting__contrast=draw(shares),
        lighting__direction_deg=draw(st.none() | st.floats(-180, 180)),
        lighting__temperature=draw(st.sampled_from(["warm", "neutral", "cool"])),
        lighting__temperature_shift=draw(signed),
        regions=draw(st.fixed_dictionaries(dict.fromkeys(REGION_NAMES, region))),
        scene_type__type=draw(st.sampled_from(scene.SceneTypeName.__args__)),
    )


@st.composite
def predictions(draw: st.DrawFn) -> MovementPrediction:
    """Any path that does what it is called, with up to six other movements."""
    move, direction = draw(st.sampled_from(ALL_MOVES))
    path = camera_path(
        move,
        direction,
        duration_s=draw(st.floats(0.5, 60)),
        aspect_ratio=draw(st.floats(0.1, 10)),
        easing=draw(st.sampled_from(["linear", "ease_in", "ease_out", "ease_in_out"])),
    )
    others = draw(
        st.lists(
            st.builds(
                movement,
                st.sampled_from(["character", "environment"]),
                st.sampled_from(
                    ["person_breathes", "clouds_drift", "water_ripples", "a_name_not_listed"]
                ),
                st.sampled_from([None, "left", "right", "up", "down", "in", "clockwise"]),
            ),
            max_size=6,
        )
    )
    return prediction(path, *others)
