"""What clients of ``/api/anime/performance`` send.

The predecessor's names are kept; what is ours besides may be left out. Durations are wall clock
seconds. Null, or nothing: not measured.

Belongs here: models of requests. Does not belong here: answers (``performance_models``), routes.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from animatize_assets.performance.models import Percent, PipelineType
from animatize_assets.web.sent import AS_WHOLE, Sent

MOST = 1_000_000
"""Of a number that describes a job: no job is so large, and a slip of the finger is told."""

LONGEST_S = 31_536_000.0
"""A year: no job takes longer."""

Number = Annotated[int, Field(ge=1, le=MOST), AS_WHOLE]
CountOrNone = Annotated[int, Field(ge=0, le=MOST), AS_WHOLE] | None
Duration = Annotated[float, Field(ge=0, le=LONGEST_S)]
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=_PRINTABLE)]
LongName = Annotated[str, Field(min_length=1, max_length=128, pattern=_PRINTABLE)]
Bytes6 = Annotated[float, Field(ge=0, le=1e9, description="megabytes, 10^6 bytes")]


class DescribedJob(Sent):
    """A generation job, as it is known before it starts."""

    pipeline_type: PipelineType
    job_type: Name = Field(default="scene", description="such as character, scene or trailer")
    resolution: (
        Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$", max_length=11)] | None
    ) = Field(default=None, description="width x height, px; of an image job 512x512 when missing")
    frame_count: Number | None = Field(default=None, description="frames; 1 for a picture")
    steps: Number | None = Field(default=None, description="sampling steps")
    guidance_scale: Annotated[float, Field(ge=0, le=MOST)] | None = None
    sampler: Name | None = None
    batch_size: Number | None = Field(default=None, description="made by the job together")
    provider: Name | None = None
    model: LongName | None = Field(default=None, description="of the provider")
    gpu_model: LongName | None = None
    worker: LongName | None = Field(default=None, description="host, or device, that does the work")


class EstimateRequest(DescribedJob):
    """A job whose time is asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "pipeline_type": "video",
                    "resolution": "768x768",
                    "frame_count": 60,
                    "steps": 25,
                    "job_type": "scene",
                }
            ]
        }
    )

    queue_length: CountOrNone = Field(default=None, description="jobs that wait before it")


class JobReport(DescribedJob):
    """One finished job. It is recorded as having ended when it is received."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_id": "render-7f3a",
                    "pipeline_type": "video",
                    "total_time_seconds": 165.4,
                    "queue_time_seconds": 12.0,
                    "processing_time_seconds": 140.2,
                    "gpu_utilization_avg": 87.5,
                    "gpu_utilization_peak": 99.0,
                    "vram_used_mb": 9800.0,
                    "cpu_utilization_avg": 35.0,
                    "memory_used_mb": 5200.0,
                    "success": True,
                    "error_details": None,
                    "resolution": "768x768",
                    "frame_count": 60,
                    "steps": 25,
                }
            ]
        }
    )

    job_id: LongName
    total_time_seconds: Duration = Field(description="from started to finished, without waiting")
    queue_time_seconds: Duration | None = Field(default=None, description="waiting before that")
    initialization_time_seconds: Duration | None = None
    processing_time_seconds: Duration | None = None
    gpu_utilization_avg: Percent | None = None
    gpu_utilization_peak: Percent | None = None
    vram_used_mb: Bytes6 | None = None
    cpu_utilization_avg: Percent | None = Field(default=None, description="of all cores")
    memory_used_mb: Bytes6 | None = None
    success: bool
    error_type: LongName | None = None
    error_details: Annotated[str, Field(max_length=10_000)] | None = None
    retries: CountOrNone = None
    user_rating: Annotated[int, Field(ge=1, le=5), AS_WHOLE] | None = None
    cost_usd: Annotated[float, Field(ge=0, le=MOST)] | None = None


class TrainingRequest(Sent):
    """Which estimators to train; without a body, of every pipeline type with enough jobs."""

    pipeline_type: PipelineType | None = None
