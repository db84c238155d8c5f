"""What a person asks of the pipeline, beside the images.

Belongs here: the request and its defaults. Does not belong here: what a stage makes of it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from animatize_assets.records import Record

SIDE_RANGE_PX = (16, 4096)
"""Smallest and largest side of a picture or clip, px."""


class PipelineRequest(Record):
    """One request; applies to every image of a run."""

    provider: str = Field(default="local", description="who makes the picture")
    target: str = Field(default="generic", description="model that the prompt is for")
    style: str = Field(default="cinematic", description="style of the prompt")
    size: tuple[int, int] | None = Field(
        default=None, description="width and height of picture and clip, px; None: the image's"
    )
    grade: bool = Field(
        default=True, description="whether the prompt's light and colour are applied to the picture"
    )
    expand: Literal["off", "draft", "final"] = Field(
        default="off",
        description="whether a language model expands the prompt: the cheaper or the better one",
    )
    seed: int = Field(default=0, ge=0, description="of everything that is random in a provider")

    @field_validator("size")
    @classmethod
    def _even_and_in_range(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        least, most = SIDE_RANGE_PX
        if size is not None and any(side % 2 or not least <= side <= most for side in size):
            raise ValueError(f"both sides of a size are even and from {least} to {most} px")
        return size

    @property
    def aspect_ratio(self) -> float | None:
        """Width / height that the camera path must have; None: the image's own."""
        return None if self.size is None else self.size[0] / self.size[1]
