"""What the door to Dagster hands back, in the vocabulary of this project.

Belongs here: records. Does not belong here: anything that imports Dagster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import AwareDatetime, Field

from animatize_assets.records import Measured, Record

ImageState = Literal["complete", "stale", "failed", "in_progress", "missing"]
"""``complete``: every asset of the pipeline is materialized and current. ``stale``: it is all
there, but the code or something upstream has changed since. ``failed``: the latest attempt at an
asset failed. ``in_progress``: a run that has not ended covers it. ``missing``: an asset was never
made."""


class ImageResult(Record):
    """What a run did for one image."""

    image_key: str
    status: Literal["complete", "failed"]
    provider: str | None = Field(description="who made the picture; None when there is none")
    seconds: Measured = Field(ge=0, description="work inside the image's stages, this time")
    cost_usd: Measured | None = Field(description="of the picture; None when not known")
    reason: str | None = Field(default=None, description="why it failed, one sentence")


class PipelineRunResult(Record):
    """What became of each image that was asked for, and the Dagster runs that did it."""

    images: tuple[ImageResult, ...]
    run_ids: tuple[str, ...]
    canceled: bool = False
    problems: tuple[str, ...] = Field(
        default=(), description="failures of a run that belong to no single image"
    )
    stages: dict[str, dict[str, Measured]] = Field(
        default={}, description="image key -> asset -> seconds, of what was materialized"
    )
    recomputed: int = Field(
        default=0, ge=0, description="materializations that were not answered from stored results"
    )


class RunSummary(Record):
    """One Dagster run, for a list of runs."""

    run_id: str
    job: str
    status: str = Field(description="Dagster's word in lower case: success, failure, canceled, ...")
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    images: str | None = Field(description="image key, or first...last of a range")


@dataclass(frozen=True)
class StageFinished:
    """One asset of one image was materialized."""

    image_key: str
    asset: str
    seconds: float | None
    reused: bool
    """True when a stored result answered and nothing was computed."""
