"""Whether an estimator should be trained now, and why.

Belongs here: the rule, a pure function of job records and of the versions there are, and the memory
that keeps it from asking twice. Does not belong here: training (``learning``), telling a person
that estimates are bad (``alerts.accuracy_drift``), starting a run (``defs``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from animatize_assets.performance.alerts import PROMISES, is_near
from animatize_assets.performance.change_points import change_points
from animatize_assets.performance.estimator_rows import EstimatorRows, RegisteredEstimator
from animatize_assets.performance.heuristic import LEAST_JOBS
from animatize_assets.performance.models import PIPELINE_TYPES, JobRecord, PipelineType
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.records import Record

LOOKED_AT = 300
"""Newest jobs of a pipeline that are looked at: six times as many as the bar needs."""

PAUSE = timedelta(days=1)
"""Between two trainings of a pipeline that anybody but a person asks for."""

LEAST_NEW_JOBS = 10
"""Jobs since the newest training, promoted or not: with fewer it would learn the same again."""

SIGNIFICANCE = 0.001
"""Of a change point: the question is asked again with every job, as for trends."""

JUDGED_SHARE = 8
"""A training is judged by the newest of four windows over the newer half of its jobs
(``evaluation.ROLLING_WINDOWS``): by an eighth of them."""

MATERIAL = math.log(1.1)
"""A change of level by less than 10 % leaves most estimates within 20 %."""


class Asked(Record):
    """What was asked for before, as a sensor remembers it."""

    newest_job_id: int | None = None
    """Newest job record that was looked at."""
    at: Mapping[PipelineType, AwareDatetime] = {}
    """When a training of each pipeline was last asked for."""


def needs(
    store: PerformanceStore,
    rows: EstimatorRows,
    asked: Asked,
    *,
    accuracy_bar: float,
    now: datetime,
) -> tuple[dict[PipelineType, str], Asked]:
    """Return which pipelines need a training and why, and what to remember of it.

    Without a new job record it costs one small query, and nothing is needed.
    """
    newest_id = store.newest_id()
    if newest_id == asked.newest_job_id:
        return {}, asked
    found: dict[PipelineType, str] = {}
    for pipeline in PIPELINE_TYPES:
        if pipeline in asked.at and now - asked.at[pipeline] < PAUSE:
            continue
        jobs = store.jobs(pipeline_type=pipeline, newest=LOOKED_AT)
        why = reason_to_train(jobs, rows.versions(pipeline), accuracy_bar=accuracy_bar, now=now)
        if why is not None:
            found[pipeline] = why
    return found, Asked(newest_job_id=newest_id, at={**asked.at, **dict.fromkeys(found, now)})


def reason_to_train(
    jobs: Iterable[JobRecord],
    versions: Sequence[RegisteredEstimator],
    *,
    accuracy_bar: float,
    now: datetime,
) -> str | None:
    """Return why one pipeline's estimator should be trained now, or None.

    There are four reasons: jobs enough for the first one; fewer of the last 50 estimates within
    20 % than the bar; fewer than the version in use had within 20 % when it was trained, by more
    than chance; a change point in the errors of the estimates of the version in use. Only
    estimates and change points since the newest training count, though it was rejected: the same
    jobs are no reason twice, for they would be rejected again. Within a day of the newest training
    there is never a reason.

    Args:
        jobs: the newest ones of the pipeline, in any order.
        versions: every version that is kept, the newest first.
        accuracy_bar: share of estimates within 20 %.
        now: with its time zone.

    """
    done = sorted((job for job in jobs if job.success), key=lambda job: job.finished_at)
    if not versions:
        if len(done) < LEAST_JOBS:
            return None
        return f"At least {len(done)} jobs have finished, and there is no estimator yet."
    newest = versions[0].last_trained_at
    new_jobs = sum(job.finished_at > newest for job in done)
    if now - newest < PAUSE or new_jobs < LEAST_NEW_JOBS:
        return None
    in_use = next((each for each in versions if each.is_active), None)
    told = [
        job
        for job in done
        if job.promise is not None and (in_use is None or job.submitted_at > in_use.last_trained_at)
    ]
    since = [job for job in told if job.submitted_at > newest]
    worse = None if in_use is None else _worse_than_trained(since, in_use)
    return _inaccurate(since, accuracy_bar) or worse or _changed(told, newest)


def has_news(
    store: PerformanceStore, versions: Sequence[RegisteredEstimator], pipeline: PipelineType
) -> bool:
    """Return whether a job finished well since the newest training, or there was none yet.

    Args:
        store: the job records.
        versions: every version of the pipeline that is kept, the newest first.
        pipeline: which jobs count.

    """
    if not versions:
        return True
    since = versions[0].last_trained_at
    return bool(store.jobs(pipeline_type=pipeline, since=since, success=True, newest=1))


def _inaccurate(told: Sequence[JobRecord], bar: float) -> str | None:
    last = told[-PROMISES:]
    share = sum(map(is_near, last)) / PROMISES
    if len(last) < PROMISES or share >= bar:
        return None
    near, least = f"{100 * share:.0f} %", f"{100 * bar:.0f} %"
    return f"{near} of the last {PROMISES} estimates were within 20 % (bar {least})."


def _worse_than_trained(told: Sequence[JobRecord], in_use: RegisteredEstimator) -> str | None:
    """Compare the newest estimates with the newest window of the training, which were unseen then.

    By Fisher's exact test, one-sided: the training's own share comes of few jobs, too.
    """
    from scipy import stats

    last = [job for job in told if job.promise and job.promise.method == "ml_model"][-PROMISES:]
    judged = in_use.training_data_count // JUDGED_SHARE
    if len(last) < PROMISES or judged == 0:
        return None
    near, was = sum(map(is_near, last)), round(in_use.accuracy_score * judged)
    table = [[near, PROMISES - near], [was, judged - was]]
    if float(stats.fisher_exact(table, alternative="less").pvalue) >= SIGNIFICANCE:
        return None
    now, then = f"{100 * near / PROMISES:.0f} %", f"{100 * in_use.accuracy_score:.0f} %"
    return f"{now} of the last {PROMISES} estimates were within 20 %, {then} when it was trained."


def _changed(told: Sequence[JobRecord], newest_training: datetime) -> str | None:
    import numpy as np

    missed = [(job.finished_at, miss) for job in told if (miss := _miss(job)) is not None]
    residuals = np.array([miss for _, miss in missed])
    for change in reversed(change_points(residuals, significance=SIGNIFICANCE)):
        at, by = missed[change.position][0], change.after - change.before
        is_away = abs(change.after) > abs(change.before)  # back to what is told is no trouble
        if at > newest_training and is_away and abs(by) >= MATERIAL:
            percent = 100 * math.expm1(by)
            return (
                f"From {at:%Y-%m-%d %H:%M} UTC on jobs took {percent:+.0f} % against their "
                "estimates before."
            )
    return None


def _miss(job: JobRecord) -> float | None:
    """Return ln(actual / estimate)."""
    if job.promise is None or job.promise.predicted_seconds <= 0 or job.total_time_seconds <= 0:
        return None
    return math.log(job.total_time_seconds / job.promise.predicted_seconds)
