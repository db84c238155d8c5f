"""A tracking whose clocks the test moves and whose records it reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from animatize_assets.performance.models import Estimate, JobRecord, Submission
from animatize_assets.performance.tracking import Sampler, Tracking
from animatize_assets_tests.performance.jobs import MONDAY


class Clocks:
    def __init__(self) -> None:
        self.passed = 0.0

    def wall(self) -> datetime:
        return MONDAY + timedelta(seconds=self.passed)

    def seconds(self) -> float:
        return 1000.0 + self.passed

    def pass_by(self, seconds: float) -> None:
        self.passed += seconds


class Kept:
    """A recorder that keeps records in memory."""

    def __init__(self) -> None:
        self.jobs: list[JobRecord] = []

    def record(self, job: JobRecord) -> None:
        self.jobs.append(job)


class Watched:
    """A tracking with clocks and records of the test's."""

    def __init__(
        self,
        sampler: Sampler | None = None,
        estimate: Callable[[Submission], Estimate | None] | None = None,
        recorder: Any = None,
    ) -> None:
        self.clocks = Clocks()
        self.kept = Kept()
        self.tracking = Tracking(
            recorder or self.kept,
            sampler,
            estimate,
            clock=self.clocks.wall,
            timer=self.clocks.seconds,
        )

    def pass_by(self, seconds: float) -> None:
        self.clocks.pass_by(seconds)

    @property
    def job(self) -> JobRecord:
        """The only record."""
        (record,) = self.kept.jobs
        return record

    def named(self, job_id: str) -> JobRecord:
        (record,) = (job for job in self.kept.jobs if job.job_id == job_id)
        return record
