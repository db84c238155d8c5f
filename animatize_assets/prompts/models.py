"""A prompt for one target model, and everything it was compiled with.

Belongs here: the record. Does not belong here: dialects (``dialects.yaml``), templates, compiling.
"""

from __future__ import annotations

from pydantic import Field

from animatize_assets.movement.models import CameraMove, Direction
from animatize_assets.records import Record


class MotionPrompt(Record):
    """Positive and negative text for one target model and style."""

    target: str = Field(description="generic, flux, imagen, openai, runway, veo, sora, pika, wan")
    style: str
    positive: str = Field(min_length=1)
    negative: str | None = Field(description="None when the dialect has no negative prompt")
    camera_move: CameraMove = Field(description="the move that the camera path executes")
    camera_direction: Direction | None
    camera_phrase: str = Field(description="how the dialect names the move; part of positive")
    parameters: dict[str, str | int | float | bool] = Field(
        description="what the model takes beside the text: duration_s, aspect_ratio, ..."
    )
    grade: dict[str, str | float] = Field(
        description="what the prompt says of light and colour as numbers: the optional grade"
    )
    compiler: str = Field(description="'template' here; 'llm' for an expanded prompt")
    template_version: str
    dialect_version: str
    length: int = Field(ge=1, description="of positive, in the dialect's unit")
    length_limit: int = Field(ge=1)
    length_unit: str = Field(description="characters or words")
    dropped: tuple[str, ...] = Field(default=(), description="parts left out to keep the limit")
