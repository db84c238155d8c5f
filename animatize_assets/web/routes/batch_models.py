"""What clients of ``/api/batches`` receive.

Belongs here: models. Does not belong here: routes (``batches``), what is sent (``image_models``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Batch(BaseModel):
    """How far a batch is. A result is one asset of one image; instants are UTC."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "batch_id": "3f0c9d6e-5a53-4d0e-9a5e-2f8f5a0b7c11",
                    "kind": "batch",
                    "status": "running",
                    "waiting_before": None,
                    "run_ids": ["b1f9d7c2-6f43-4a39-8a52-1f0f3f1f4f10"],
                    "images": 40,
                    "results_made": 60,
                    "results_wanted": 240,
                    "progress": 0.25,
                    "failed_images": {},
                    "problems": [],
                    "queued_at": "2026-05-04T12:00:00Z",
                    "started_at": "2026-05-04T12:00:04Z",
                    "ended_at": None,
                    "estimated_seconds": 96.0,
                    "estimated_interval_80": [71.0, 130.0],
                    "finishing_at": "2026-05-04T12:01:36Z",
                    "finishing_interval_80": ["2026-05-04T12:01:17Z", "2026-05-04T12:02:01Z"],
                }
            ]
        },
    )

    batch_id: str
    kind: Literal["run", "backfill", "batch"] = Field(
        description="batch: all runs that one request to this service started"
    )
    status: Literal["queued", "running", "complete", "failed", "canceled"] = Field(
        description="failed: an image or a run failed; the other images are complete"
    )
    waiting_before: int | None = Field(
        default=None, ge=0, description="batches that start before this one; null: it has started"
    )
    run_ids: list[str] = Field(description="Dagster's runs, the first one first")
    images: int | None = Field(ge=0, description="asked for; null: not known yet")
    results_made: int = Field(ge=0, description="made, or found stored, so far")
    results_wanted: int | None = Field(ge=0, description="images times assets; null: not known yet")
    progress: float | None = Field(
        ge=0, le=1, description="results made of those wanted; null: not known yet"
    )
    failed_images: dict[str, str] = Field(description="image key: why, one sentence")
    problems: list[str] = Field(description="failures that belong to no single image")
    queued_at: AwareDatetime | None
    started_at: AwareDatetime | None = Field(description="null: not started yet")
    ended_at: AwareDatetime | None = Field(description="null: not ended yet")
    estimated_seconds: float | None = Field(
        ge=0, description="of the whole batch, said before it started; null: nobody said"
    )
    estimated_interval_80: tuple[float, float] | None = Field(
        description="seconds; 8 in 10 such batches take between the two"
    )
    finishing_at: AwareDatetime | None = Field(
        default=None,
        description="when it will be done, waiting included; null: it is, or nobody can tell",
    )
    finishing_interval_80: tuple[AwareDatetime, AwareDatetime] | None = Field(
        default=None, description="8 in 10 such batches are done between the two"
    )
