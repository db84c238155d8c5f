"""From scene analysis and movement prediction to a prompt for one target model. Deterministic.

Belongs here: joining parts, keeping the limit, what goes beside the text. Does not belong here:
words and sentences (``templates.yaml``), models' habits (``dialects.yaml``), measuring.
"""

from __future__ import annotations

from math import log

from animatize_assets.errors import InvalidRule
from animatize_assets.movement.models import CameraPath, MovementPrediction
from animatize_assets.prompts.dialects import Dialect, Dialects, LengthLimit, load_dialects
from animatize_assets.prompts.grade import grade_for
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.prompts.templates import Part, Style, Templates, load_templates
from animatize_assets.prompts.wording import variables_of
from animatize_assets.scene.models import SceneAnalysis

TEMPLATE_VERSION = load_templates().version
"""Version of the shipped templates: stated version + hash of their content."""


def compile_prompt(
    analysis: SceneAnalysis,
    prediction: MovementPrediction,
    *,
    target: str = "generic",
    style: str = "cinematic",
    dialects: Dialects | None = None,
    templates: Templates | None = None,
) -> MotionPrompt:
    """Compile the prompt that describes the camera path over what was measured.

    The positive text always names the move that ``prediction.camera_path`` executes, in the
    dialect's words. When the dialect's limit is passed, whole parts are left out, the least
    important first, and listed in ``dropped``; no word is ever cut.

    Raises:
        InvalidSetting: ``target`` or ``style`` is not known; the sentence lists what is.
        InvalidRule: the files cannot say this move, or not within the limit.

    """
    dialects = dialects or load_dialects()
    templates = templates or load_templates()
    dialect = dialects.of(target)
    look = templates.style(style)
    path = prediction.camera_path
    phrase = dialect.camera_phrase(path.move, path.direction)
    avoid = _avoid(dialect, templates, look)
    variables = {
        **variables_of(analysis, prediction, templates),
        "camera_phrase": phrase,
        "style": look.says,
        "avoid": avoid if dialect.negative.how == "in_text" else None,
    }
    if dialect.duration.how != "in_text":
        variables["duration"] = None
    parts = templates.file.parts.video if dialect.kind == "video" else templates.file.parts.picture
    said = _sentences([part for part in parts if part.name not in look.omits], variables)
    kept, dropped = _within(dialect.limit, said, target)
    positive = _joined(kept)
    return MotionPrompt(
        target=target,
        style=style,
        positive=positive,
        negative=avoid,
        camera_move=path.move,
        camera_direction=path.direction,
        camera_phrase=phrase,
        parameters=_parameters(dialect, path),
        grade=dict(grade_for(analysis, look)),
        compiler="template",
        template_version=templates.version,
        dialect_version=dialects.version,
        length=dialect.limit.length_of(positive),
        length_limit=dialect.limit.at_most,
        length_unit=dialect.limit.unit,
        dropped=dropped,
    )


def _avoid(dialect: Dialect, templates: Templates, look: Style) -> str | None:
    """Name what must not be seen; the last ones go when it gets too long."""
    if dialect.negative.how == "none":
        return None
    words = [*look.avoid, *getattr(templates.file.avoid, dialect.kind)]
    at_most = dialect.negative.at_most
    while at_most is not None and len(words) > 1 and len(", ".join(words)) > at_most:
        words.pop()
    return ", ".join(words)


def _sentences(parts: list[Part], variables: dict[str, str | None]) -> list[tuple[Part, str]]:
    """Every part whose variables all have something to say."""
    return [
        (part, part.text.format_map(variables))
        for part in parts
        if all(variables[name] is not None for name in part.variables)
    ]


def _joined(said: list[tuple[Part, str]]) -> str:
    return " ".join(text for _, text in said)


def _within(
    limit: LengthLimit, said: list[tuple[Part, str]], target: str
) -> tuple[list[tuple[Part, str]], tuple[str, ...]]:
    """Leave out whole parts, highest ``drop`` first, until the rest keeps the limit."""
    kept, dropped = list(said), []
    while limit.length_of(_joined(kept)) > limit.at_most:
        part, text = max(kept, key=lambda item: item[0].drop)
        if part.drop == 0:
            raise InvalidRule(
                f"The parts that are always said need {limit.length_of(_joined(kept))} "
                f"{limit.unit}, and '{target}' takes {limit.at_most}: shorten them in "
                "templates.yaml or the camera phrase in dialects.yaml."
            )
        kept.remove((part, text))
        dropped.append(part.name)
    return kept, tuple(dropped)


def _parameters(dialect: Dialect, path: CameraPath) -> dict[str, str | int | float | bool]:
    """Ask beside the text for the nearest duration and ratio that can be."""
    parameters: dict[str, str | int | float | bool] = {}
    if dialect.duration.how == "parameter":
        # Of two equally near, the longer: a clip can be cut, not stretched.
        parameters["duration_s"] = min(
            dialect.duration.seconds, key=lambda s: (abs(s - path.duration_s), -s)
        )
    if dialect.aspect == "free":
        parameters["aspect_ratio"] = path.aspect_ratio
    elif isinstance(dialect.aspect, tuple):
        parameters["aspect_ratio"] = min(
            dialect.aspect, key=lambda ratio: abs(log(_value(ratio) / path.aspect_ratio))
        )
    return parameters


def _value(ratio: str) -> float:
    width, height = ratio.split(":")
    return int(width) / int(height)
