"""The parts a prompt is made of, as versioned data.

Belongs here: reading and checking ``templates.yaml``. Does not belong here: what the variables
say (``wording``), or which parts are left out (``compiler``).
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from string import Formatter
from typing import get_args

from pydantic import Field

from animatize_assets.errors import InvalidSetting
from animatize_assets.movement.models import Direction, Easing
from animatize_assets.prompts.data_file import content_version, invalid, read_mapping, validated
from animatize_assets.records import Record, Share, Signed
from animatize_assets.scene.models import SceneTypeName

TEMPLATES_FILE = Path(__file__).with_name("templates.yaml")

VARIABLES = frozenset({
    "camera_phrase", "pace", "framing", "motions", "duration", "style", "scene", "subject",
    "light", "tone", "depth", "palette", "composition", "harmony", "avoid",
})  # fmt: skip
"""Every variable that a part's text may use."""


class Part(Record):
    """One sentence. ``drop`` 0 = always said; else the highest number is left out first."""

    name: str
    drop: int = Field(ge=0)
    text: str = Field(min_length=1)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables in the text."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.text) if name is not None)


class Parts(Record):
    """The parts of each kind of prompt, in the order in which they are said."""

    video: tuple[Part, ...] = Field(min_length=1)
    picture: tuple[Part, ...] = Field(min_length=1)


class GradeTarget(Record):
    """Where a style leads light and colour, in the units of the measurements; None = nowhere."""

    temperature: Signed | None = Field(default=None, description="lighting.temperature_shift")
    contrast: Share | None = Field(default=None, description="lighting.contrast")
    saturation: Share | None = Field(default=None, description="palette.saturation")
    brightness: Share | None = Field(default=None, description="lighting.mean_luma")


class Style(Record):
    """One look: what is said of it, what it avoids and where its grade leads."""

    says: str = Field(min_length=1)
    avoid: tuple[str, ...]
    target: GradeTarget
    strength: Share
    omits: tuple[str, ...] = Field(default=(), description="parts that this look contradicts")


class Avoid(Record):
    """What is never wanted, by kind of prompt."""

    video: tuple[str, ...]
    picture: tuple[str, ...]


class Words(Record):
    """The words for each class and range; None = not worth a word."""

    scene_type: dict[str, str]
    region: dict[str, str | None]
    surfaces_in: tuple[SceneTypeName, ...] = Field(description="scenes whose surfaces are said")
    easing: dict[str, str]
    place: dict[str, str]
    size: dict[str, str]
    people: dict[str, str]
    key: dict[str, str | None]
    contrast: dict[str, str]
    from_: tuple[str, ...] = Field(
        alias="from", min_length=8, max_length=8, description="eight sectors from 0 degrees"
    )
    temperature: dict[str, str | None]
    depth: dict[str, str]
    horizon: dict[str, str]
    symmetry: str
    vanishing: str
    harmony: dict[str, str]
    framing: dict[str, str]
    direction: dict[str, str]
    movement: dict[str, str]


NEEDED_WORDS = {
    "place": ("left", "center", "right"),
    "size": ("small", "medium", "large"),
    "people": ("one", "two", "more"),
    "contrast": ("high", "low"),
    "depth": ("deep", "layered", "flat"),
    "horizon": ("upper", "middle", "lower"),
    "framing": ("tighter", "wider", "left", "right", "up", "down"),
    "easing": get_args(Easing),
    "direction": get_args(Direction),
}
"""Words that must be there, by table; in the other tables a missing word is simply not said."""


class Thresholds(Record):
    """From where on something measured is worth a word. Units are those of the measurement."""

    region_share: Share
    person_score: Share
    subject_small: Share
    subject_large: Share
    contrast_high: Share
    contrast_low: Share
    depth_confidence: Share
    depth_deep: Share
    depth_flat: Share
    near_share: Share
    horizon_strength: Share
    vanishing_strength: Share
    symmetry: Share
    harmony_score: Share
    color_share: Share
    colors_at_most: int = Field(ge=1)


class TemplateFile(Record):
    """The whole of ``templates.yaml``."""

    version: str = Field(min_length=1)
    parts: Parts
    styles: dict[str, Style] = Field(min_length=1)
    avoid: Avoid
    words: Words
    thresholds: Thresholds
    colors: dict[str, str] = Field(min_length=1)


class Templates(Record):
    """A checked template file and the version of its content."""

    version: str
    file: TemplateFile

    @cached_property
    def style_names(self) -> tuple[str, ...]:
        """Styles, in the file's order."""
        return tuple(self.file.styles)

    def style(self, name: str) -> Style:
        """Return the style called ``name``.

        Raises:
            InvalidSetting: there is none; the sentence lists those there are.

        """
        if name not in self.file.styles:
            raise InvalidSetting(
                f"Style '{name}' is not known; use one of: {', '.join(self.style_names)}."
            )
        return self.file.styles[name]


def load_templates(path: Path | None = None) -> Templates:
    """Read templates from ``path``, or those that ship with this project.

    Raises:
        InvalidRule: listing everything that is missing, unknown or unusable in the file.

    """
    return _load(path or TEMPLATES_FILE)


@lru_cache(maxsize=8)
def _load(path: Path) -> Templates:
    content = read_mapping(path)
    file = validated(path, TemplateFile, content)
    problems = _problems(file)
    if problems:
        raise invalid(path, problems)
    return Templates(version=content_version(content), file=file)


def _problems(file: TemplateFile) -> list[str]:
    problems: list[str] = []
    known = {part.name for part in (*file.parts.video, *file.parts.picture)}
    for kind, parts in (("video", file.parts.video), ("picture", file.parts.picture)):
        for part in parts:
            unknown = sorted(set(part.variables) - VARIABLES)
            problems.extend(
                f"parts.{kind}.{part.name}: unknown variable '{name}'" for name in unknown
            )
        if not any("camera_phrase" in part.variables and part.drop == 0 for part in parts):
            problems.append(f"parts.{kind}: no part with drop 0 says {{camera_phrase}}")
    for name, style in file.styles.items():
        unknown = sorted(set(style.omits) - known)
        problems.extend(f"styles.{name}.omits: no part is called '{part}'" for part in unknown)
    for table, needed in NEEDED_WORDS.items():
        missing = [name for name in needed if name not in getattr(file.words, table)]
        problems.extend(f"words.{table}.{name} is missing" for name in missing)
    for name, value in file.colors.items():
        if len(value) != 7 or not value.startswith("#"):
            problems.append(f"colors.{name}: '{value}' is not #rrggbb")
    return problems
