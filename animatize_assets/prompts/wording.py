"""What was measured, in words: the variables of the templates.

Belongs here: which measurement earns which word (words and thresholds are data in
``templates.yaml``). Does not belong here: sentences, or their order. A variable that was not
measured, or says nothing, is None and its part is left out; nothing is claimed by default.
"""

from __future__ import annotations

from collections.abc import Sequence

from animatize_assets.movement.camera_path import net_change
from animatize_assets.movement.models import CameraPath, MovementPrediction
from animatize_assets.prompts.color_names import nearest_name
from animatize_assets.prompts.templates import Templates, Thresholds, Words
from animatize_assets.scene.models import Box, SceneAnalysis

SMALLEST_SHIFT = 0.005
"""A framing that moves by less, in fractions of the image, is not called shifted."""


def enumerated(words: Sequence[str]) -> str:
    """Join words: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def variables_of(
    analysis: SceneAnalysis, prediction: MovementPrediction, templates: Templates
) -> dict[str, str | None]:
    """Every variable that depends on the picture alone; None = nothing to say."""
    words, limits = templates.file.words, templates.file.thresholds
    path = prediction.camera_path
    return {
        "pace": "" if path.move == "static" else words.easing[path.easing],
        "framing": _framing(path, words),
        "motions": _motions(prediction, words),
        "duration": f"{path.duration_s:g}",
        "scene": _scene(analysis, words, limits),
        "subject": _subject(analysis, words, limits),
        "light": _light(analysis, words, limits),
        "tone": words.temperature.get(analysis.lighting.temperature),
        "depth": _depth(analysis, words, limits),
        "palette": _palette(analysis, templates),
        "composition": _composition(analysis, words, limits),
        "harmony": _harmony(analysis, words, limits),
    }


def _framing(path: CameraPath, words: Words) -> str:
    """Say what the last frame shows against the first."""
    change = net_change(path)
    if path.move in ("zoom_in", "push_in", "zoom_out", "pull_out"):
        percent = round(100 * abs(change["scale"]))
        kind = "tighter" if change["scale"] > 0 else "wider"
        return words.framing[kind].format(percent=percent) if percent else ""
    if abs(change["pan"]) >= max(abs(change["tilt"]), SMALLEST_SHIFT):
        return words.framing["right" if change["pan"] > 0 else "left"]
    if abs(change["tilt"]) >= SMALLEST_SHIFT:
        return words.framing["down" if change["tilt"] > 0 else "up"]
    return ""


def _motions(prediction: MovementPrediction, words: Words) -> str | None:
    """Kept movements of characters and environment; the camera's own are the path's."""
    said: list[str] = []
    for movement in prediction.movements:
        if movement.category == "camera":
            continue
        phrase = words.movement.get(movement.type, movement.type.replace("_", " "))
        if movement.direction is not None:
            phrase = f"{phrase} {words.direction[movement.direction]}"
        if phrase not in said:
            said.append(phrase)
    return enumerated(said) or None


def _scene(analysis: SceneAnalysis, words: Words, limits: Thresholds) -> str | None:
    regions = analysis.regions
    shares = {name: getattr(regions, name).share for name in type(regions).model_fields}
    seen = [
        word
        for name in sorted(shares, key=lambda name: (-shares[name], name))
        if shares[name] >= limits.region_share and (word := words.region.get(name))
    ]
    surfaces = enumerated(seen) if analysis.scene_type.type in words.surfaces_in else ""
    kind = words.scene_type.get(analysis.scene_type.type)
    if kind is None:
        return f"The picture shows {surfaces}" if surfaces else None
    return f"{kind} with {surfaces}" if surfaces else kind


def _subject(analysis: SceneAnalysis, words: Words, limits: Thresholds) -> str | None:
    subject = analysis.subject
    found = [person for person in subject.people if person.score >= limits.person_score]
    # A face and a body may be the same person: the larger count of the two is safe to say.
    count = max(
        (sum(person.kind == kind for person in found) for kind in ("person", "face")), default=0
    )
    if count:
        who = words.people["one" if count == 1 else "two" if count == 2 else "more"]
        return f"{who} {_place(_around([person.bbox for person in found]), words)}"
    if subject.bbox is None:
        return None
    if subject.area > limits.subject_large:
        return words.size["large"]  # what fills the frame has no place in it
    size = "small" if subject.area < limits.subject_small else "medium"
    return f"{words.size[size]} {_place(subject.bbox, words)}"


def _place(box: Box, words: Words) -> str:
    """Thirds, with the middle one narrowed so that a lean is said when it is clear."""
    center = (box[0] + box[2]) / 2
    return words.place["left" if center < 5 / 12 else "right" if center > 7 / 12 else "center"]


def _around(boxes: Sequence[Box]) -> Box:
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def _light(analysis: SceneAnalysis, words: Words, limits: Thresholds) -> str | None:
    lighting = analysis.lighting
    said = [words.key.get(lighting.key)]
    if lighting.contrast >= limits.contrast_high:
        said.append(words.contrast["high"])
    elif lighting.contrast <= limits.contrast_low:
        said.append(words.contrast["low"])
    qualities = ", ".join(filter(None, said))
    origin = ""
    if lighting.direction_deg is not None:
        origin = f" from {words.from_[round(lighting.direction_deg / 45) % 8]}"
    if not qualities and not origin:
        return None
    text = f"{qualities} light{origin}".strip()
    return text[0].upper() + text[1:]


def _depth(analysis: SceneAnalysis, words: Words, limits: Thresholds) -> str | None:
    depth = analysis.depth
    if depth.confidence < limits.depth_confidence:
        return None
    if depth.spread <= limits.depth_flat:
        return words.depth["flat"]
    if depth.spread >= limits.depth_deep and depth.near_share >= limits.near_share:
        return words.depth["deep"]
    return words.depth["layered"]


def _palette(analysis: SceneAnalysis, templates: Templates) -> str | None:
    limits = templates.file.thresholds
    names: list[str] = []
    for color in analysis.palette.colors:
        name = nearest_name(color.hex, templates.file.colors)
        if color.share >= limits.color_share and name not in names:
            names.append(name)
    return enumerated(names[: limits.colors_at_most]) or None


def _harmony(analysis: SceneAnalysis, words: Words, limits: Thresholds) -> str | None:
    harmony = analysis.palette.harmony
    return words.harmony.get(harmony.type) if harmony.score >= limits.harmony_score else None


def _composition(analysis: SceneAnalysis, words: Words, limits: Thresholds) -> str | None:
    composition = analysis.composition
    said = []
    horizon, vanishing = composition.horizon, composition.vanishing_point
    if horizon is not None and horizon.strength >= limits.horizon_strength:
        y = horizon.y
        said.append(words.horizon["upper" if y < 5 / 12 else "lower" if y > 7 / 12 else "middle"])
    if vanishing is not None and vanishing.strength >= limits.vanishing_strength:
        said.append(words.vanishing)
    if composition.symmetry.horizontal >= limits.symmetry:
        said.append(words.symmetry)
    text = ", ".join(said)
    return text[0].upper() + text[1:] if text else None
