"""How long jobs like this one took lately, without looking ahead.

Belongs here: which jobs are alike and their recent median. Does not belong here: the baseline that
an estimator must beat (``baselines``), corrections by recent errors (``calibration``).
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from animatize_assets.performance.features import log_batch_work
from animatize_assets.performance.models import JobRecord, Submission

WINDOW = 9
"""Like jobs behind the median: an outlier among them moves it little, and they are recent."""

Likeness = tuple[str, str, str | None, str | None, str | None, str | None]


def likeness(job: JobRecord | Submission) -> Likeness:
    """Return what two jobs share that are alike: their kind, provider, model, GPU and worker.

    Their sizes may differ; the median is scaled for that.
    """
    parameters = job.parameters
    return (
        job.pipeline_type,
        parameters.job_type,
        parameters.provider,
        parameters.model,
        parameters.gpu_model,
        parameters.worker,
    )


class RecentLikeJobs:
    """The recent median of like jobs, as it was known at any moment.

    Jobs may be added in any order: a question about a moment is answered from the jobs that had
    finished by then. Failed jobs are left out; they measure something else.
    """

    def __init__(self, jobs: Iterable[JobRecord] = ()) -> None:
        self._finished: defaultdict[Likeness, list[tuple[datetime, float]]] = defaultdict(list)
        for job in jobs:
            self.add(job)

    def add(self, job: JobRecord) -> None:
        """Take in a finished job. One without a size is left out, as its pace is not known."""
        work = log_batch_work(job.parameters)
        if job.success and job.total_time_seconds > 0 and not math.isnan(work):
            pace = math.log(job.total_time_seconds) - work
            bisect.insort(self._finished[likeness(job)], (job.finished_at, pace))

    def median(self, submission: Submission) -> float | None:
        """Return the median seconds of the last like jobs, each scaled to this job's work.

        Only jobs that had finished when this one was submitted count. None: there was none, or
        this job's size is not known.
        """
        finished = self._finished.get(likeness(submission), [])
        known = bisect.bisect_right(finished, (submission.submitted_at, math.inf))
        work = log_batch_work(submission.parameters)
        if not known or math.isnan(work):
            return None
        paces = [pace for _, pace in finished[max(0, known - WINDOW) : known]]
        return math.exp(statistics.median(paces) + work)

    def medians(self, submissions: Sequence[Submission]) -> list[float | None]:
        """Return :meth:`median` of each."""
        return [self.median(submission) for submission in submissions]
