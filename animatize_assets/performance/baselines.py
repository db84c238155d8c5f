"""What an estimator must beat, and what none can: the last two like jobs, and the noise floor.

The baseline is that of Tsafrir, Etsion and Feitelson, "Backfilling using system-generated
predictions rather than user runtime estimates" (IEEE TPDS 18(6), 2007): the mean time of the last
two jobs like this one. It needs no training and is hard to beat where jobs repeat.

Belongs here: both yardsticks. Does not belong here: what they are held against (``training``, the
benchmarks).
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter

import numpy as np

from animatize_assets.performance.calibration import WITHIN
from animatize_assets.performance.features import log_batch_work
from animatize_assets.performance.models import JobRecord, Submission
from animatize_assets.performance.recent_jobs import likeness

LAST = 2
"""Jobs in the mean."""

_Finished = list[tuple[datetime, float]]


class LastTwoLikeJobs:
    """The mean of the last two like jobs, as it was known when a job was submitted.

    Like are successful jobs of the same pipeline type, job type, provider, model and worker; of
    them those of the nearest work (ln of megapixels x steps x frames x batch), the latest first.
    Where there is none, the worker may differ, then the model, the provider and the job type.
    """

    def __init__(self, jobs: Iterable[JobRecord] = ()) -> None:
        self._finished: defaultdict[tuple[object, ...], dict[float, _Finished]] = defaultdict(dict)
        for job in jobs:
            self.add(job)

    def add(self, job: JobRecord) -> None:
        """Take in a finished job, in any order. Failed ones are left out."""
        if not job.success or job.total_time_seconds <= 0:
            return
        for kind in _kinds(job):
            times = self._finished[kind].setdefault(_work(job), [])
            bisect.insort(times, (job.finished_at, job.total_time_seconds))

    def predict(self, submission: Submission) -> float | None:
        """Return seconds; None when no job of its pipeline type had finished by then."""
        work = _work(submission)
        for kind in _kinds(submission):
            latest: list[float] = []
            sizes = self._finished.get(kind, {})
            for size in sorted(sizes, key=lambda known: abs(known - work)):
                finished = sizes[size]
                known = bisect.bisect_right(finished, submission.submitted_at, key=itemgetter(0))
                latest += [seconds for _, seconds in finished[max(0, known - LAST) : known][::-1]]
                if len(latest) >= LAST:
                    break
            if latest:
                return sum(latest[:LAST]) / len(latest[:LAST])
        return None


def noise_floor(jobs: Sequence[JobRecord]) -> float | None:
    """Return the share of jobs that a perfect model would put within 20 % of their time.

    Jobs that repeat each other (all parameters but the seed) differ by noise alone. A job's
    deviation from the mean ln(time) of its repeats is smaller than its noise, because that mean
    has the job in it; the factor sqrt(k / (k - 1)) of k repeats makes up for it. None: no job was
    repeated.
    """
    repeats: defaultdict[str, list[float]] = defaultdict(list)
    for job in jobs:
        if job.success and job.total_time_seconds > 0:
            repeats[_recipe(job)].append(math.log(job.total_time_seconds))
    deviations = [
        (np.array(times) - np.mean(times)) * math.sqrt(len(times) / (len(times) - 1))
        for times in repeats.values()
        if len(times) > 1
    ]
    if not deviations:
        return None
    return share_within(np.exp(np.concatenate(deviations)), np.ones(sum(map(len, deviations))))


def share_within(
    actual: Sequence[float] | np.ndarray, predicted: Sequence[float] | np.ndarray
) -> float:
    """Return the share, 0..1, of predictions that are within 20 % of the actual time."""
    ratio = np.asarray(predicted, dtype=np.float64) / np.asarray(actual, dtype=np.float64)
    return float(np.mean(np.abs(ratio - 1) <= WITHIN))


def _kinds(job: JobRecord | Submission) -> Iterator[tuple[object, ...]]:
    """Give what like jobs share, the closest likeness first."""
    alike = likeness(job)
    for shared in range(len(alike), 0, -1):
        yield alike[:shared]


def _work(job: JobRecord | Submission) -> float:
    work = log_batch_work(job.parameters)
    return -math.inf if math.isnan(work) else work


def _recipe(job: JobRecord) -> str:
    parameters = job.parameters.model_copy(update={"seed": None})
    return f"{job.pipeline_type} {parameters.model_dump_json()}"
