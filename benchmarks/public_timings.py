"""Public timings of generation as job records, for the benchmarks of the time estimator.

The files come by ``--data DIR``; they are not part of the project. Belongs here: reading them.
Does not belong here: any figure.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from animatize_assets.performance.models import ExtraValue, JobParameters, JobRecord

NOT_FEATURES = frozenset(
    {"upstream_split", "upstream_row", "row_id", "source", "correction", "total_time_seconds"}
)
"""Columns that tell where a row comes from, or its answer."""

_FIELDS = {
    "task": "job_type",
    "model_version": "model",
    "width": "width",
    "height": "height",
    "frame_count": "frame_count",
    "steps": "steps",
    "batch_size": "batch_size",
    "guidance_scale": "guidance_scale",
    "sampler": "sampler",
    "gpu_model": "gpu_model",
    "vram_total_mb": "vram_total_mb",
}
_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""The true times are not recorded, so all jobs share a minute, whose hour says nothing."""


@dataclass(frozen=True)
class Timings:
    """One file of timings."""

    name: str
    jobs: tuple[JobRecord, ...]
    """In time order where the file has one, else in an order drawn by chance."""
    is_in_time_order: bool


FILES = {
    "horde": ("horde_image_jobs_public.csv", True),
    "image_benchmarks": ("image_benchmarks_public.csv", False),
    "video_benchmarks": ("video_benchmarks_public.csv", False),
}


def read_timings(folder: Path, name: str) -> Timings | None:
    """Read one of :data:`FILES`; None when the folder does not have it."""
    file, is_in_time_order = FILES[name]
    path = folder / file
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    if not is_in_time_order:
        random.Random(name).shuffle(rows)  # noqa: S311  # an order, not a secret
    jobs = tuple(_job(number, row, name) for number, row in enumerate(rows))
    return Timings(name, jobs, is_in_time_order)


def combination(job: JobRecord) -> str:
    """Return the exact parameters of a job, as one key."""
    return f"{job.pipeline_type} {job.parameters.model_dump_json(exclude={'seed'})}"


def combinations(jobs: Sequence[JobRecord]) -> list[int]:
    """Return a number per job; jobs with the same parameters share it."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(combination(job), len(numbers)) for job in jobs]


def _job(number: int, row: dict[str, str], name: str) -> JobRecord:
    known = {_FIELDS[column]: text for column, text in row.items() if column in _FIELDS and text}
    extra = {
        column: _value(text)
        for column, text in row.items()
        if column not in _FIELDS and column not in NOT_FEATURES and column != "pipeline_type"
    }
    # A millisecond apart: an order without a time of day.
    ended = _NOON + timedelta(milliseconds=number)
    return JobRecord(
        job_id=f"{name}-{number}",
        pipeline_type="video" if row["pipeline_type"] == "video" else "image",
        parameters=JobParameters.model_validate({**known, "extra": extra}, strict=False),
        submitted_at=ended,
        finished_at=ended,
        total_time_seconds=float(row["total_time_seconds"]),
        success=True,
    )


def _value(text: str) -> ExtraValue:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text
