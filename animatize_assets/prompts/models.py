"""A prompt for one target model, and everything it was compiled with.

Belongs here: the record. Does not belong here: dialects (``dialects.yaml``), templates, compiling.
"""

from __future__ import annotations

from pydantic import Field

from animatize_assets.movement.models import CameraMove, Direction
from animatize_assets.records import Measured, Record


class ExpansionRecord(Record):
    """How a language model was asked to write a prompt, and what came of it."""

    model: str
    instructions_version: str = Field(description="stated version + hash of their content")
    batch: bool = Field(default=False, description="whether a batch at half price answered")
    kept: bool = Field(
        default=False, description="whether an answer that an earlier call paid for was taken"
    )
    calls: int = Field(ge=0, description="calls that may have been billed, the repair included")
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    cost_usd: Measured | None = Field(description="of the answers; None = not known")
    temperature: float | None = Field(default=None, description="as sent; None = not sent")
    seed: int | None = Field(default=None, description="as sent; None = not sent")
    system_fingerprint: str | None = Field(
        default=None, description="the provider's name for what answered; another may differ"
    )
    dropped_parameters: tuple[str, ...] = Field(
        default=(), description="what the model turned down and was not sent"
    )
    repaired: bool = Field(default=False, description="whether the second answer is the one kept")
    problems: tuple[str, ...] = Field(default=(), description="what was wrong with the answers")
    fallback: str | None = Field(
        default=None,
        description="why the template's prompt stands instead: unusable_answer, budget_exceeded, "
        "batch_failed or a kind of FAILURE_KINDS; None = the model's text is used",
    )


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
    compiler: str = Field(description="'template', or 'llm' for an expanded prompt")
    template_version: str
    dialect_version: str
    length: int = Field(ge=1, description="of positive, in the dialect's unit")
    length_limit: int = Field(ge=1)
    length_unit: str = Field(description="characters or words")
    dropped: tuple[str, ...] = Field(default=(), description="parts left out to keep the limit")
    expansion: ExpansionRecord | None = Field(
        default=None, description="None when no language model was asked"
    )
