"""What clients of ``/api/images`` send and receive.

Sizes are in pixels, money in US dollars, instants are ISO 8601 in UTC. Null: not known yet.

Belongs here: models. Does not belong here: routes (``images``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.generation.models import PictureRecord
from animatize_assets.generation.quote import Quote
from animatize_assets.images.models import ImageRecord
from animatize_assets.images.states import ListedImage, ListedState
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.request import SIDE_RANGE_PX
from animatize_assets.prompts.dialects import load_dialects
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.prompts.templates import load_templates
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.web.sent import AS_WHOLE, Sent
from animatize_assets.workplace.run_estimates import RunEstimate

KEY_PATTERN = r"^[a-z0-9]+(?:-[a-z0-9]+)*-[0-9a-f]{16}$"
MOST_KEYS = 4_000
"""Images of one estimate, quote or batch."""

LAST_ID = 2**31 - 1
"""The largest number of an image: an integer of SQL."""

EXAMPLE_KEY = "lighthouse-0f3c1a9b5d7e2468"

Key = Annotated[str, Field(pattern=KEY_PATTERN, max_length=57)]
Keys = Annotated[
    list[Key], Field(min_length=1, max_length=MOST_KEYS, description="image keys, each counts once")
]
KeysOrAll = Annotated[
    Keys | Literal["all"],
    Field(description="image keys, each counts once; or 'all': every image that was taken in"),
]
Provider = Literal["local", "openai", "flux", "imagen", "comfyui"]
Expand = Literal["off", "draft", "final"]
Name = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Side = Annotated[int, Field(ge=SIDE_RANGE_PX[0], le=SIDE_RANGE_PX[1], multiple_of=2), AS_WHOLE]
Size = Annotated[tuple[Side, Side], Field(strict=False)]
State = Literal["complete", "stale", "failed", "in_progress", "missing", "archived"]
"""Of an image, as ``animatize status`` counts them."""


class ImageQuery(BaseModel):
    """Which images a list shows. All filters must let an image through."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = Field(
        default=None, description="only these; archived ones are listed only when asked for"
    )
    provider: Provider | None = Field(default=None, description="who made the picture")
    movement: Name | None = Field(
        default=None, description="the camera's move", examples=["push_in"]
    )
    search: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=57)] | None = Field(
        default=None, description="a part of the image key"
    )
    limit: int = Field(default=50, ge=1, le=200, description="images on a page")
    cursor: Annotated[int, Field(ge=1, le=LAST_ID)] | None = Field(
        default=None, description="`next_cursor` of the page before"
    )


class _Pictures(Sent):
    """Who would make pictures, and how large."""

    provider: Provider = Field(default="local", description="who would make the pictures")
    size: Size | None = Field(
        default=None,
        description="width and height of picture and clip, px, both even; null: the image's aspect",
    )


class _Work(_Pictures):
    """What a run would be asked for."""

    expand: Expand = Field(
        default="off",
        description="whether a language model expands the prompt; draft: the cheaper one",
    )


_EXAMPLES: list[JsonValue] = [
    {"image_keys": [EXAMPLE_KEY], "provider": "openai"},
    {"image_keys": "all", "provider": "openai"},
]


class QuoteRequest(_Pictures):
    """A list of images of which pictures may be made."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES})

    image_keys: KeysOrAll


class RunRequest(_Work):
    """A list of images and what a run over them would be asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES})

    image_keys: KeysOrAll


def _targets(schema: dict[str, Any]) -> None:
    schema["enum"] = list(load_dialects().names)


def _styles(schema: dict[str, Any]) -> None:
    schema["enum"] = list(load_templates().style_names)


class BatchRequest(_Work):
    """A list of images that a run shall go over."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES[:1]})

    image_keys: Keys
    target: Name = Field(
        default="generic", description="model that the prompt is for", json_schema_extra=_targets
    )
    style: Name = Field(
        default="cinematic", description="style of the prompt", json_schema_extra=_styles
    )


class Rating(Sent):
    """What a person thinks of the picture and the clip."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rating": 5}]})

    rating: Annotated[int, Field(ge=1, le=5), AS_WHOLE] = Field(description="5 is best")


class Rated(BaseModel):
    """Which jobs the rating was kept with: those of the newest picture and clip."""

    image_key: str
    rating: int = Field(ge=1, le=5)
    jobs: list[str] = Field(description="job ids")


class Links(BaseModel):
    """Where the parts of an image are; null: not made yet."""

    source: str
    thumbnail: str | None
    overlay: str | None
    depth: str | None
    picture: str | None
    picture_thumbnail: str | None
    preview: str | None
    clip: str | None
    composition: str | None = Field(description="`overlay`, large")
    pictures: str = Field(description="what each provider made in each run, as JSON")


class ImageSummary(ListedImage):
    """One image of a list. Its parts lie below ``/api/images/{image_key}/``."""

    state: ListedState = Field(description="as `animatize status` counts them; unknown: looked up")


class ImageList(BaseModel):
    """A page of images, newest first."""

    images: list[ImageSummary]
    next_cursor: int | None = Field(
        description="ask with it as `cursor` for the next page; null: this was the last one"
    )
    counts: dict[str, int] = Field(
        description="of all images, by state; states without any are left out",
        examples=[{"complete": 41, "failed": 1}],
    )


class ImageDetail(BaseModel):
    """Everything known of one image. Paths are relative to the data folder."""

    image_key: str = Field(examples=[EXAMPLE_KEY])
    state: ListedState
    reason: str | None = Field(description="why a stage failed, one sentence")
    run_id: str | None = Field(description="the latest run that worked on it")
    source_image: ImageRecord
    scene_analysis: SceneAnalysis | None
    movement_prediction: MovementPrediction | None
    motion_prompt: MotionPrompt | None
    generated_picture: PictureRecord | None
    animatic_clip: ClipRecord | None
    links: Links


class Uploaded(BaseModel):
    """What became of an upload that was taken."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"file": "Lighthouse.jpg", "status": "accepted", "image_key": EXAMPLE_KEY}]
        }
    )

    file: str = Field(description="its name, as it was given")
    status: Literal["accepted", "duplicate"] = Field(
        description="duplicate: these bytes were there, under this name or another"
    )
    image_key: str


__all__ = [
    "BatchRequest",
    "ImageDetail",
    "ImageList",
    "ImageSummary",
    "Links",
    "Quote",
    "QuoteRequest",
    "Rated",
    "Rating",
    "RunEstimate",
    "RunRequest",
    "Uploaded",
]
