"""What is measured in an image. No prose: numbers, classes and where they came from.

Belongs here: the records, with range, unit and meaning of every field. Does not belong here: how
a field is computed (one module per analysis) or what should move because of it (``movement``).

Geometry is in fractions of the image: x to the right and y downwards from the top left corner,
both 0..1. Boxes are ``(x0, y0, x1, y1)``. Angles are in degrees.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from animatize_assets.records import Measured, Record, Share, Signed

SCENE_VERSION = "2"
"""Changes whenever any measurement may change; part of what identifies a stored analysis."""

Box = tuple[Share, Share, Share, Share]
"""``(x0, y0, x1, y1)`` in fractions of width and height."""

SceneTypeName = Literal[
    "landscape",
    "nature",
    "urban",
    "water",
    "indoor",
    "portrait",
    "close_up",
    "graphic",
    "unknown",
]
RegionName = Literal["sky", "vegetation", "water", "ground", "built", "skin"]
REGION_NAMES: tuple[RegionName, ...] = ("sky", "vegetation", "water", "ground", "built", "skin")


class ThirdsEnergy(Record):
    """Share of the image's visual mass that lies around each power point of the rule of thirds."""

    top_left: Share
    top_right: Share
    bottom_left: Share
    bottom_right: Share


class Symmetry(Record):
    """1 = mirror image, 0 = nothing agrees. ``horizontal`` compares left with right."""

    horizontal: Share
    vertical: Share


class Balance(Record):
    """Centre of visual mass; ``offset`` is its distance from the centre, 1 = a corner."""

    center_x: Share
    center_y: Share
    offset: Share


class NegativeSpace(Record):
    """Share of each side's band (a third of the image) that holds no detail."""

    left: Share
    right: Share
    top: Share
    bottom: Share


class Line(Record):
    """A dominant straight direction.

    ``angle_deg`` in -90..90: 0 = horizontal, positive = rising to the right as seen, 90 = vertical.
    ``strength`` is the share of all straight-line length that runs in this direction; long lines
    count fully and oblique ones twice (``lines``).
    """

    angle_deg: Measured = Field(ge=-90, le=90)
    strength: Share


class VanishingPoint(Record):
    """Where the lines agree to meet. May lie outside the image, hence no 0..1 bound."""

    x: Measured
    y: Measured
    strength: Share = Field(description="share of the converging line length that agrees")


class Horizon(Record):
    """The line between far ground or water and sky; ``y`` at the image's middle column."""

    y: Share
    angle_deg: Measured = Field(ge=-45, le=45, description="positive = rising to the right")
    strength: Share


class Composition(Record):
    """How the picture is laid out."""

    thirds: ThirdsEnergy
    symmetry: Symmetry
    balance: Balance
    negative_space: NegativeSpace
    edge_density: Share = Field(description="share of pixels on an edge")
    texture: Share = Field(description="share of the area with fine texture")
    sharpness: Share = Field(description="1 - blur effect (Crete et al. 2007)")
    lines: tuple[Line, ...] = Field(description="dominant directions, strongest first; may be ()")
    line_density: Share = Field(description="straight-line length per image diagonal, saturating")
    vanishing_point: VanishingPoint | None
    horizon: Horizon | None


class DepthCue(Record):
    """One monocular cue: ``weight`` it got, 0 when it says nothing in this picture."""

    name: str
    weight: Share


class Depth(Record):
    """Relative depth: 1 = near, 0 = far. The map itself is an array in a file."""

    method: Literal["cues", "onnx"]
    model: str | None = Field(description="file name of the ONNX model; None for cues")
    cues: tuple[DepthCue, ...]
    confidence: Share
    spread: Share = Field(description="95th minus 5th percentile of depth")
    near_share: Share = Field(description="share of pixels with depth above 2/3")
    far_share: Share = Field(description="share of pixels with depth below 1/3")
    subject_separation: Signed | None = Field(
        description="mean depth inside the subject's box minus outside; None without a subject"
    )


class Person(Record):
    """A person or face that a detector found; ``score`` is the detector's, squashed to 0..1."""

    bbox: Box
    score: Share
    kind: Literal["person", "face"]


class Subject(Record):
    """The salient region. ``bbox`` is None when nothing stands out."""

    bbox: Box | None
    strength: Share = Field(description="saliency contrast of the box against the rest")
    area: Share = Field(description="area of the box; 0 without one")
    center_x: Share | None
    center_y: Share | None
    people: tuple[Person, ...]


class PaletteColor(Record):
    """One dominant colour, with its share of the pixels."""

    hex: str = Field(pattern=r"^#[0-9a-f]{6}$")
    share: Share


class Harmony(Record):
    """Which arrangement on the hue circle fits the colours best (Cohen-Or et al. 2006)."""

    type: Literal["achromatic", "monochromatic", "analogous", "complementary", "triadic", "none"]
    score: Share


class Palette(Record):
    """Dominant colours, most frequent first."""

    colors: tuple[PaletteColor, ...]
    warmth: Signed = Field(description="-1 all cool hues, 1 all warm, weighted by chroma")
    saturation: Share = Field(description="mean HSV saturation")
    colorfulness: Share = Field(description="Hasler and Suesstrunk 2003, divided by 150, capped")
    harmony: Harmony


class Lighting(Record):
    """How the picture is lit."""

    key: Literal["high", "normal", "low"]
    mean_luma: Share = Field(description="mean of Rec. 709 luma")
    contrast: Share = Field(description="95th minus 5th percentile of luma")
    shadow_share: Share = Field(description="share of pixels with luma below 0.1")
    highlight_share: Share = Field(description="share of pixels with luma above 0.9")
    direction_deg: Measured | None = Field(
        description="where the light comes from: 0 = right, 90 = top, 180 = left, -90 = bottom; "
        "None when brightness has no clear gradient"
    )
    direction_strength: Share
    temperature: Literal["warm", "neutral", "cool"]
    temperature_shift: Signed = Field(
        description="mean CIELAB b* / 60 over near-neutral pixels, at the lightness of a grey card"
    )


class Region(Record):
    """One kind of surface. The mask is an array in a file."""

    share: Share
    center_x: Share | None = Field(description="centroid; None when the share is 0")
    center_y: Share | None


class Regions(Record):
    """By colour and position and texture together."""

    sky: Region
    vegetation: Region
    water: Region
    ground: Region
    built: Region
    skin: Region


class SceneTypeEvidence(Record):
    """One measurement's pull towards the winning type, in log-odds; largest first."""

    measurement: str
    value: Measured
    contribution: Measured


class SceneType(Record):
    """``type`` is ``unknown`` when no score clears the margin; ``scores`` are always complete."""

    type: SceneTypeName
    score: Share
    scores: dict[str, Share]
    margin: Share = Field(description="winner's score minus the runner-up's")
    evidence: tuple[SceneTypeEvidence, ...]


class Aesthetics(Record):
    """Named components in 0..1 and their weighted mean; nothing constant."""

    overall: Share
    components: dict[str, Share]


class SceneArrays(Record):
    """Where the arrays are, relative to the data folder; None in an unstored analysis.

    ``depth``: float16 ``.npy`` (rows, columns), 1 = near. ``regions``: uint8 ``.npy``
    (rows, columns), bit i set = the pixel belongs to ``REGION_NAMES[i]``.
    """

    depth: str | None = None
    regions: str | None = None


class SceneAnalysis(Record):
    """Everything measured in one image."""

    version: str = Field(description="version of the analysis code")
    width: int = Field(gt=0, description="of the image, px")
    height: int = Field(gt=0)
    working_width: int = Field(gt=0, description="of the working copy that was measured, px")
    working_height: int = Field(gt=0)
    composition: Composition
    depth: Depth
    subject: Subject
    palette: Palette
    lighting: Lighting
    regions: Regions
    scene_type: SceneType
    aesthetics: Aesthetics
    confidence: Share = Field(description="how far the measurements can carry an answer")
    arrays: SceneArrays = SceneArrays()
