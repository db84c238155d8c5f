"""What a client says of a job, as the record of the performance room.

Belongs here: that translation. Does not belong here: checking what a client sends
(``performance_requests``), storing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from animatize_assets.performance.given_parameters import clean
from animatize_assets.performance.models import JobParameters, JobRecord, Phase, ResourceUse
from animatize_assets.web.routes.performance_requests import DescribedJob, JobReport

_PARAMETERS = (
    "job_type",
    "frame_count",
    "steps",
    "guidance_scale",
    "sampler",
    "batch_size",
    "provider",
    "model",
    "gpu_model",
    "worker",
)
_RESOURCES = (
    "gpu_model",
    "gpu_utilization_avg",
    "gpu_utilization_peak",
    "vram_used_mb",
    "cpu_utilization_avg",
    "memory_used_mb",
)
_PHASES = ("initialization", "processing")


def job_parameters(job: DescribedJob) -> JobParameters:
    """Return what is known of a job before it starts."""
    width, height = None, None
    if job.resolution is not None:
        width, height = (int(side) for side in job.resolution.split("x"))
    given = {name: getattr(job, name) for name in _PARAMETERS}
    return JobParameters(**given, width=width, height=height)


def job_record(job: JobReport, *, received_at: datetime) -> JobRecord:
    """Return the record of a job that ended when it was received, and began its times before."""
    started_at = received_at - timedelta(seconds=job.total_time_seconds)
    waited = timedelta(seconds=job.queue_time_seconds or 0)
    phases = {name: getattr(job, f"{name}_time_seconds") for name in _PHASES}
    return JobRecord(
        job_id=job.job_id,
        pipeline_type=job.pipeline_type,
        parameters=job_parameters(job),
        submitted_at=started_at - waited,
        started_at=started_at,
        finished_at=received_at,
        queue_time_seconds=job.queue_time_seconds,
        total_time_seconds=job.total_time_seconds,
        phases=tuple(
            Phase(name=name, seconds=seconds)
            for name, seconds in phases.items()
            if seconds is not None
        ),
        resources=ResourceUse(**{name: getattr(job, name) for name in _RESOURCES}),
        retries=job.retries or 0,
        success=job.success,
        error_type=job.error_type,
        error_details=None if job.error_details is None else clean(job.error_details),
        user_rating=job.user_rating,
        cost_usd=job.cost_usd,
    )
