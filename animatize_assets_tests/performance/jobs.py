"""Job records for the tests, plain unless a test says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from animatize_assets.performance.models import JobParameters, JobRecord

MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)


def job(
    number: int = 0, *, seconds: float = 10.0, every_s: float = 60.0, **known: Any
) -> JobRecord:
    """Make the job of that number: one ended every ``every_s`` seconds from MONDAY on.

    ``known``: fields of the record; ``parameters`` may be a dict.
    """
    finished = known.pop("finished_at", MONDAY + timedelta(seconds=number * every_s))
    parameters = known.pop("parameters", JobParameters(width=512, height=512, steps=20))
    if isinstance(parameters, dict):
        parameters = JobParameters(**parameters)
    started = finished - timedelta(seconds=seconds)
    fields: dict[str, Any] = {
        "job_id": f"job-{number}",
        "pipeline_type": "image",
        "parameters": parameters,
        "submitted_at": started,
        "started_at": started,
        "finished_at": finished,
        "total_time_seconds": seconds,
        "success": True,
    }
    return JobRecord(**(fields | known))
