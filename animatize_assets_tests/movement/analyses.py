"""Scene analyses made up for tests, and what mirroring does to analyses and predictions.

Values lie on a grid of 1/10000, so that ``1 - x`` is exact to the digits a record keeps.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from hypothesis import strategies as st

from animatize_assets.movement.measurements import MEASUREMENTS
from animatize_assets.movement.models import (
    CameraPath,
    Movement,
    MovementEvidence,
    MovementPrediction,
)
from animatize_assets.scene.models import (
    REGION_NAMES,
    Aesthetics,
    Balance,
    Composition,
    Depth,
    DepthCue,
    Harmony,
    Horizon,
    Lighting,
    Line,
    NegativeSpace,
    Palette,
    PaletteColor,
    Person,
    Region,
    Regions,
    SceneAnalysis,
    SceneType,
    SceneTypeName,
    Subject,
    Symmetry,
    ThirdsEnergy,
    VanishingPoint,
)

Pick = Callable[[float, float], float]
"""A value between two bounds."""
GENES = 130
SIZES = ((1920, 1080), (1080, 1920), (1500, 1000), (4000, 1000), (640, 640), (16, 5000), (700, 701))
SCENE_TYPES = [name for name in get_args(SceneTypeName) if name != "unknown"]


def one_of(pick: Pick, options: Sequence[Any]) -> Any:
    return options[min(len(options) - 1, int(pick(0, 1) * len(options)))]


def is_true(pick: Pick, chance: float) -> bool:
    return pick(0, 1) < chance


def pick_box(pick: Pick) -> tuple[float, float, float, float]:
    width, height = pick(0.02, 1), pick(0.02, 1)
    x, y = pick(0, 1), pick(0, 1)
    x0, y0 = round(x * (1 - width), 4), round(y * (1 - height), 4)
    return x0, y0, round(x0 + width, 4), round(y0 + height, 4)


def pick_composition(pick: Pick) -> Composition:
    thirds = [pick(0, 0.12) for _ in range(4)]
    x, y = pick(0, 1), pick(0, 1)
    strengths = sorted((pick(0, 1) for _ in range(3)), reverse=True)
    lines = tuple(Line(angle_deg=pick(-90, 90), strength=s) for s in strengths)
    point = VanishingPoint(x=pick(-0.5, 1.5), y=pick(-0.5, 1.5), strength=pick(0, 1))
    horizon = Horizon(y=pick(0, 1), angle_deg=pick(-8, 8), strength=pick(0, 1))
    has_point, has_horizon = is_true(pick, 0.6), is_true(pick, 0.6)
    return Composition(
        thirds=ThirdsEnergy(
            top_left=thirds[0],
            top_right=thirds[1],
            bottom_left=thirds[2],
            bottom_right=thirds[3],
        ),
        symmetry=Symmetry(horizontal=pick(0, 1), vertical=pick(0, 1)),
        balance=Balance(center_x=x, center_y=y, offset=max(abs(x - 0.5), abs(y - 0.5)) * 2),
        negative_space=NegativeSpace(
            left=pick(0, 1), right=pick(0, 1), top=pick(0, 1), bottom=pick(0, 1)
        ),
        edge_density=pick(0, 0.5),
        texture=pick(0, 1),
        sharpness=pick(0, 1),
        lines=lines,
        line_density=pick(0, 1),
        vanishing_point=point if has_point else None,
        horizon=horizon if has_horizon else None,
    )


def pick_subject(pick: Pick) -> Subject:
    box = pick_box(pick)
    people = tuple(
        Person(bbox=pick_box(pick), score=pick(0, 1), kind="person") for _ in range(int(pick(0, 5)))
    )
    strength = pick(0, 1)
    if not is_true(pick, 0.85):
        return Subject(
            bbox=None, strength=strength, area=0, center_x=None, center_y=None, people=people
        )
    return Subject(
        bbox=box,
        strength=strength,
        area=(box[2] - box[0]) * (box[3] - box[1]),
        center_x=(box[0] + box[2]) / 2,
        center_y=(box[1] + box[3]) / 2,
        people=people,
    )


def pick_looks(pick: Pick) -> tuple[Palette, Lighting]:
    angle = 180 * pick(-1, 1)
    palette = Palette(
        colors=(PaletteColor(hex="#808080", share=1.0),),
        warmth=pick(-1, 1),
        saturation=pick(0, 1),
        colorfulness=pick(0, 1),
        harmony=Harmony(
            type=one_of(pick, ["achromatic", "monochromatic", "analogous", "none"]),
            score=pick(0, 1),
        ),
    )
    lighting = Lighting(
        key=one_of(pick, ["high", "normal", "low"]),
        mean_luma=pick(0, 1),
        contrast=pick(0, 1),
        shadow_share=pick(0, 1),
        highlight_share=pick(0, 1),
        direction_strength=pick(0, 1),
        direction_deg=angle if is_true(pick, 0.85) else None,
        temperature=one_of(pick, ["warm", "neutral", "cool"]),
        temperature_shift=pick(-1, 1),
    )
    return palette, lighting


def pick_analysis(pick: Pick) -> SceneAnalysis:
    """An analysis of which every value is possible, though no picture need have them all."""
    width, height = one_of(pick, SIZES)
    composition, subject = pick_composition(pick), pick_subject(pick)
    palette, lighting = pick_looks(pick)
    scores = {name: pick(0, 1) for name in SCENE_TYPES}
    separation = pick(-1, 1)
    return SceneAnalysis(
        version="test",
        width=width,
        height=height,
        working_width=width,
        working_height=height,
        composition=composition,
        depth=Depth(
            method="cues",
            model=None,
            cues=(DepthCue(name="height", weight=1.0),),
            confidence=pick(0, 1),
            spread=pick(0, 1),
            near_share=pick(0, 1),
            far_share=pick(0, 1),
            subject_separation=separation if subject.bbox else None,
        ),
        subject=subject,
        palette=palette,
        lighting=lighting,
        regions=Regions(
            **{
                name: Region(share=pick(0, 1), center_x=pick(0, 1), center_y=pick(0, 1))
                for name in REGION_NAMES
            }
        ),
        scene_type=SceneType(
            type=max(scores, key=lambda name: scores[name]),  # type: ignore[arg-type] # a key
            score=max(scores.values()),
            scores=scores,
            margin=pick(0, 1),
            evidence=(),
        ),
        aesthetics=Aesthetics(overall=pick(0, 1), components={}),
        confidence=pick(0.2, 1),
    )


def on_grid(low: float, high: float, share: float) -> float:
    return round(low + share * (high - low), 4)


def analysis_of(genes: Sequence[float]) -> SceneAnalysis:
    """The analysis that a list of numbers in 0..1 describes."""
    values: Iterator[float] = iter(genes)
    return pick_analysis(lambda low, high: on_grid(low, high, next(values)))


def random_genes(seed: int) -> list[float]:
    source = random.Random(seed)
    return [source.random() for _ in range(GENES)]


@st.composite
def analyses(draw: st.DrawFn) -> SceneAnalysis:
    """Made-up analyses for property tests."""
    return analysis_of(draw(st.lists(st.floats(0, 1), min_size=GENES, max_size=GENES)))


# ── mirroring ────────────────────────────────────────────────────────────────────────────────

_SWAPPED = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
}


def _mirrored_box(box: Any) -> Any:
    return None if box is None else (1 - box[2], box[1], 1 - box[0], box[3])


def _flipped(value: float | None) -> float | None:
    return None if value is None else 1 - value


def mirrored_analysis(analysis: SceneAnalysis) -> SceneAnalysis:
    """The analysis that the picture mirrored left to right would have."""
    value: dict[str, Any] = analysis.model_dump()
    composition = value["composition"]
    thirds, space = composition["thirds"], composition["negative_space"]
    for row in ("top", "bottom"):
        thirds[f"{row}_left"], thirds[f"{row}_right"] = (
            thirds[f"{row}_right"],
            thirds[f"{row}_left"],
        )
    space["left"], space["right"] = space["right"], space["left"]
    composition["balance"]["center_x"] = _flipped(composition["balance"]["center_x"])
    for line in composition["lines"]:
        line["angle_deg"] = -line["angle_deg"]
    if composition["vanishing_point"]:
        composition["vanishing_point"]["x"] = _flipped(composition["vanishing_point"]["x"])
    if composition["horizon"]:
        composition["horizon"]["angle_deg"] = -composition["horizon"]["angle_deg"]
    subject = value["subject"]
    subject["bbox"] = _mirrored_box(subject["bbox"])
    subject["center_x"] = _flipped(subject["center_x"])
    for person in subject["people"]:
        person["bbox"] = _mirrored_box(person["bbox"])
    for name in REGION_NAMES:
        value["regions"][name]["center_x"] = _flipped(value["regions"][name]["center_x"])
    angle = value["lighting"]["direction_deg"]
    if angle is not None:
        turned = 180 - angle
        value["lighting"]["direction_deg"] = turned - 360 if turned > 180 else turned
    return SceneAnalysis.model_validate(value)


def _mirrored_evidence(evidence: MovementEvidence) -> MovementEvidence:
    measurement = MEASUREMENTS[evidence.measurement]
    if not measurement.is_mirrored:
        return evidence
    assert isinstance(evidence.value, float)
    assert isinstance(evidence.threshold, float)
    about = 2 * measurement.neutral
    return MovementEvidence(
        measurement=evidence.measurement,
        value=about - evidence.value,
        comparison="<=" if evidence.comparison == ">=" else ">=",
        threshold=about - evidence.threshold,
        margin=evidence.margin,
    )


def _mirrored_movement(movement: Movement) -> Movement:
    words = [_SWAPPED.get(word, word) for word in movement.justification.split(" ")]
    # A word may carry the comma or the stop of its clause.
    words = [_SWAPPED[word[:-1]] + word[-1] if word[:-1] in _SWAPPED else word for word in words]
    return Movement.model_validate(
        {
            **movement.model_dump(),
            "direction": _SWAPPED.get(movement.direction or "", movement.direction),
            "evidence": tuple(_mirrored_evidence(e) for e in movement.evidence),
            "justification": " ".join(words),
        }
    )


def mirrored_path(path: CameraPath) -> CameraPath:
    keyframes = tuple({**k.model_dump(), "pan": -k.pan, "roll": -k.roll} for k in path.keyframes)
    return CameraPath.model_validate(
        {
            **path.model_dump(),
            "direction": _SWAPPED.get(path.direction or "", path.direction),
            "keyframes": keyframes,
        }
    )


def mirrored_prediction(prediction: MovementPrediction) -> MovementPrediction:
    """What must be predicted for the mirrored picture."""
    return MovementPrediction(
        version=prediction.version,
        rules_version=prediction.rules_version,
        movements=tuple(_mirrored_movement(m) for m in prediction.movements),
        camera_path=mirrored_path(prediction.camera_path),
    )
