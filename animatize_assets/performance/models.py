"""The records of the performance system.

Belongs here: what one job was asked for, what it took, and what was promised for it. Does not
belong here: how any of it is measured (``sampling``), stored (``store``) or learned from
(``training``).

Times are instants with a time zone (UTC); durations are seconds and say so in their names. The
names that the predecessor's clients know are kept. What was not measured is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from animatize_assets.records import Record

PipelineType = Literal["image", "video"]
PIPELINE_TYPES: tuple[PipelineType, ...] = ("image", "video")

PredictionMethod = Literal["ml_model", "heuristic"]
GpuAttribution = Literal["process", "device", "shared"]
"""How GPU figures belong to the job: read of its own process; of a device that only it used; or of
a device that several jobs used at once, in which case they are marked and not attributed."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Megabytes = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
ExtraValue = float | int | bool | str | None

PHASES: tuple[str, ...] = (
    "initialization",
    "model_load",
    "preprocessing",
    "processing",
    "postprocessing",
)
"""Phases with a column of their own; any other name is kept in ``phases`` alone."""


class JobParameters(Record):
    """What is known of a generation job when it is submitted, and nothing else."""

    job_type: str = Field(default="scene", min_length=1, max_length=64)
    width: Annotated[int, Field(gt=0)] | None = Field(default=None, description="pixels")
    height: Annotated[int, Field(gt=0)] | None = Field(default=None, description="pixels")
    frame_count: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="frames; 1 for a picture"
    )
    steps: Annotated[int, Field(gt=0)] | None = Field(default=None, description="sampling steps")
    guidance_scale: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    sampler: str | None = Field(default=None, max_length=64)
    batch_size: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="pictures or clips made by the job together"
    )
    seed: int | None = None
    provider: str | None = Field(default=None, max_length=64)
    model: str | None = Field(default=None, max_length=160, description="provider model")
    gpu_model: str | None = Field(default=None, max_length=128)
    vram_total_mb: Megabytes | None = None
    worker: str | None = Field(
        default=None, max_length=160, description="host, or device, that does the work"
    )
    extra: Mapping[str, ExtraValue] = Field(
        default={},
        description="further parameters known at submission, such as precision or hires_fix",
    )


class Phase(Record):
    """One phase of a job, in the order in which phases were first entered."""

    name: str
    description: str = ""
    seconds: Seconds


class ResourceUse(Record):
    """What a job used. None: not measured; ``unmeasured`` says why."""

    gpu_model: str | None = None
    gpu_utilization_avg: Percent | None = None
    gpu_utilization_peak: Percent | None = None
    vram_used_mb: Megabytes | None = Field(default=None, description="average, 10^6 bytes")
    vram_peak_mb: Megabytes | None = None
    vram_total_mb: Megabytes | None = None
    cpu_utilization_avg: Percent | None = Field(
        default=None, description="of all cores, by everybody"
    )
    cpu_utilization_own: Percent | None = Field(
        default=None, description="of all cores, by the process of the job and its descendants"
    )
    memory_used_mb: Megabytes | None = Field(default=None, description="peak of the job's process")
    memory_total_mb: Megabytes | None = None
    disk_read_mb: Megabytes | None = None
    disk_write_mb: Megabytes | None = None
    network_latency_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    gpu_attribution: GpuAttribution | None = None
    unmeasured: Mapping[str, str] = Field(
        default={}, description="what could not be read (a field above, or 'gpu') -> the reason"
    )


class Promise(Record):
    """What was predicted for a job when it was submitted."""

    predicted_seconds: Seconds
    low_seconds: Seconds | None = Field(default=None, description="of the 80 % interval")
    high_seconds: Seconds | None = None
    method: PredictionMethod
    model: str | None = Field(default=None, description="estimator and version, such as 'rf v3'")


class JobRecord(Record):
    """One finished generation job: a row of ``generation_performance``."""

    job_id: str = Field(min_length=1, max_length=128)
    pipeline_type: PipelineType
    parameters: JobParameters = JobParameters()
    submitted_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime
    queue_length: Count | None = Field(
        default=None, description="jobs that waited when this one was submitted"
    )
    queue_time_seconds: Seconds | None = Field(
        default=None, description="from enqueued to started; not part of the total"
    )
    total_time_seconds: Seconds = Field(description="from started to finished")
    phases: tuple[Phase, ...] = ()
    resources: ResourceUse = ResourceUse()
    retries: Count = 0
    success: bool
    error_type: str | None = Field(default=None, max_length=128)
    error_details: str | None = None
    user_rating: Annotated[int, Field(ge=1, le=5)] | None = None
    cost_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    promise: Promise | None = None
    run_id: str | None = None
    partition_key: str | None = None

    def phase_seconds(self, name: str) -> float | None:
        """Return the seconds of a phase; None when it was not measured."""
        found = [phase.seconds for phase in self.phases if phase.name == name]
        return sum(found) if found else None


class Submission(Record):
    """A job at the moment it is submitted: all that an estimate may know."""

    pipeline_type: PipelineType
    parameters: JobParameters
    submitted_at: AwareDatetime
    queue_length: Count | None = None

    @classmethod
    def of(cls, job: JobRecord) -> Submission:
        """Take from a finished job only what was known when it was submitted."""
        return cls(
            pipeline_type=job.pipeline_type,
            parameters=job.parameters,
            submitted_at=job.submitted_at,
            queue_length=job.queue_length,
        )


class Estimate(Record):
    """How long a job will take, told before it starts."""

    pipeline_type: PipelineType
    predicted_time_seconds: Seconds
    uncertainty_range: tuple[Seconds, Seconds] | None = Field(
        default=None, description="80 % interval, s; None when no job of that kind ended yet"
    )
    interval_90: tuple[Seconds, Seconds] | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="calibrated probability that the actual time is within +-20 %"
    )
    prediction_method: PredictionMethod
    model_used: str = Field(description="type of the estimator; 'fallback' for the heuristic")
    model_version: str | None = None
    learned_from: Count = Field(description="finished jobs behind the estimate")
    notes: tuple[str, ...] = Field(
        default=(), description="what a person should know, such as a GPU never seen before"
    )

    def promise(self) -> Promise:
        """Return what is stored with the job."""
        low, high = self.uncertainty_range or (None, None)
        name = (
            self.model_used
            if self.model_version is None
            else (f"{self.model_used} v{self.model_version}")
        )
        return Promise(
            predicted_seconds=self.predicted_time_seconds,
            low_seconds=low,
            high_seconds=high,
            method=self.prediction_method,
            model=name,
        )


class AlertRecord(Record):
    """A row of ``performance_alerts``."""

    id: int
    fingerprint: str
    alert_type: str
    severity: Literal["low", "medium", "high", "critical"]
    message: str
    details: Mapping[str, ExtraValue | list[str]] = {}
    threshold_value: float | None
    actual_value: float | None
    is_resolved: bool
    occurrences: int
    created_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    delivered_at: datetime | None
