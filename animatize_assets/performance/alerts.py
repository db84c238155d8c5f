"""What a person must be told of: rules over the jobs of the last while.

Belongs here: the rules, and how severe an alert is. Each rule is a pure function of what it is
given and returns a :class:`Judgement`. Does not belong here: rules over trends
(``trend_alerts``), providers and money (``service_alerts``); keeping alerts (``alert_store``);
telling somebody (``alert_delivery``).

How severe an alert is follows from how many times its limit is exceeded (:func:`severity_of`):

======== ======================== ===========================================================
severity times the limit          for example
======== ======================== ===========================================================
low      over 1                   a picture of more than 120 s; more than 10 % failures
medium   1.5 or more              180 s; 15 %
high     2.5 or more              300 s; 25 %
critical 5 or more                600 s; 50 %
======== ======================== ===========================================================

Five times is the end of the range over which the issue asks for faults to be told apart. A
percentage that ends at 100 is judged by what is left of it: 95 % CPU at a limit of 80 % leaves 5
instead of 20 per cent, four times less.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from animatize_assets.performance.alert_models import (
    AlertDraft,
    Judgement,
    Severity,
)
from animatize_assets.performance.models import PIPELINE_TYPES, JobRecord, PipelineType
from animatize_assets.performance.thresholds import LEAST_CPU_SECONDS, Thresholds

HIGH_VRAM_PERCENT = 95.0
"""Ours: the driver and the desktop take some per cent of a device, so above it a slightly larger
job fails."""

LEAST_JOBS = 10
"""Of fewer jobs no rate and no average is judged."""

CHANCE = 0.05
"""A failure rate is an alarm when a true rate at the limit would show so many in less than this
share of cases (one-sided exact binomial test)."""

PROMISES = 50
"""Estimates behind a verdict on accuracy; the issue's number."""

LEAST_ACCURACY = 0.60
"""Share of estimates within 20 %; the predecessor's bar for a model in use."""


def severity_of(ratio: float) -> Severity:
    """Return how severe it is to exceed a limit so many times."""
    if ratio >= 5:
        return "critical"
    if ratio >= 2.5:
        return "high"
    return "medium" if ratio >= 1.5 else "low"


def judge_jobs(jobs: Sequence[JobRecord], thresholds: Thresholds | None = None) -> Judgement:
    """Apply every rule on jobs to the jobs of the last while, whatever their order."""
    limits = thresholds or Thresholds()
    return Judgement.of(
        slow_generation(jobs, limits),
        high_failure_rate(jobs, limits),
        high_cpu(jobs, limits),
        high_vram(jobs),
    )


def slow_generation(jobs: Iterable[JobRecord], thresholds: Thresholds) -> Judgement:
    """Judge how long each pipeline's successful jobs took; one that is too slow is enough."""
    judged = Judgement()
    for pipeline, of_pipeline in _by_pipeline(jobs).items():
        took = [job for job in of_pipeline if job.success]
        if not took:
            continue
        slowest = max(took, key=lambda job: job.total_time_seconds)
        limit = slow_s(pipeline, thresholds)
        slow = sum(job.total_time_seconds > limit for job in took)
        if not slow:
            judged += Judgement.fine("slow_generation", pipeline)
            continue
        judged += Judgement.bad(
            AlertDraft(
                alert_type="slow_generation",
                subject=pipeline,
                severity=severity_of(slowest.total_time_seconds / limit),
                message=f"{slow} of {len(took)} {pipeline} jobs took longer than {limit:.0f} s, "
                f"the slowest {slowest.total_time_seconds:.0f} s ({slowest.job_id}): see "
                "`animatize bottlenecks` for what held them up.",
                threshold_value=limit,
                actual_value=slowest.total_time_seconds,
                details={
                    "slow_jobs": slow,
                    "jobs": len(took),
                    "slowest_job_id": slowest.job_id,
                    "slowest_worker": slowest.parameters.worker,
                    "slowest_model": slowest.parameters.model,
                },
            )
        )
    return judged


def high_failure_rate(jobs: Iterable[JobRecord], thresholds: Thresholds) -> Judgement:
    """Judge how many of each pipeline's jobs failed, where that is not chance."""
    from scipy import stats

    judged = Judgement()
    for pipeline, of_pipeline in _by_pipeline(jobs).items():
        if len(of_pipeline) < LEAST_JOBS:
            continue
        failed = [job for job in of_pipeline if not job.success]
        limit, rate = thresholds.failure_rate, len(failed) / len(of_pipeline)
        if rate <= limit:
            judged += Judgement.fine("high_failure_rate", pipeline)
            continue
        if float(stats.binom.sf(len(failed) - 1, len(of_pipeline), limit)) >= CHANCE:
            continue  # neither plainly bad nor plainly good: an open alert stays open
        kinds = sorted({job.error_type or "unknown" for job in failed})
        judged += Judgement.bad(
            AlertDraft(
                alert_type="high_failure_rate",
                subject=pipeline,
                severity=severity_of(rate / limit),
                message=f"{len(failed)} of {len(of_pipeline)} {pipeline} jobs failed "
                f"({100 * rate:.0f} %, limit {100 * limit:.0f} %), with {', '.join(kinds)}: look "
                "at the newest of them with `animatize show KEY`.",
                threshold_value=limit,
                actual_value=rate,
                details={
                    "failed_jobs": len(failed),
                    "jobs": len(of_pipeline),
                    "error_types": kinds,
                },
            )
        )
    return judged


def high_cpu(jobs: Iterable[JobRecord], thresholds: Thresholds) -> Judgement:
    """Judge the average CPU use of each worker's jobs.

    A job without a GPU that computes by itself is meant to use all of its CPU; of such a job what
    others use is judged. Its share of what is used also bounds how severe it is: half as much is
    at most twice as long.
    """
    return _resource(
        jobs,
        "CPU use",
        thresholds.high_cpu_percent,
        lambda job: _cpu_in_the_way(job, thresholds),
        "run fewer jobs at once there, or stop what else uses its CPU",
        worst_of=_crowding,
    )


def high_vram(jobs: Iterable[JobRecord]) -> Judgement:
    """Judge the average peak of GPU memory of each worker's jobs."""
    return _resource(
        jobs,
        "GPU memory at its peak",
        HIGH_VRAM_PERCENT,
        _vram_percent,
        "lower the size or the batch, or use a worker with more memory",
    )


def accuracy_drift(
    jobs: Sequence[JobRecord], *, least_share: float = LEAST_ACCURACY, promises: int = PROMISES
) -> Judgement:
    """Judge each pipeline's newest estimates against what its jobs took."""
    judged = Judgement()
    for pipeline, of_pipeline in _by_pipeline(jobs).items():
        kept = [job for job in of_pipeline if job.promise is not None and job.success]
        newest = sorted(kept, key=lambda job: job.finished_at)[-promises:]
        if len(newest) < promises:
            continue
        near = sum(is_near(job) for job in newest) / promises
        if near >= least_share:
            judged += Judgement.fine("accuracy_drift", pipeline)
            continue
        judged += Judgement.bad(
            AlertDraft(
                alert_type="accuracy_drift",
                subject=pipeline,
                severity=severity_of((1 - near) / (1 - least_share)),
                message=f"Only {100 * near:.0f} % of the last {promises} estimates of {pipeline} "
                f"jobs were within 20 % (bar {100 * least_share:.0f} %): train a new estimator "
                "with `animatize train`.",
                threshold_value=least_share,
                actual_value=near,
                details={"promises": promises},
            )
        )
    return judged


def is_near(job: JobRecord) -> bool:
    """Tell whether a job's estimate was within 20 % of what it took; False without an estimate."""
    if job.promise is None:
        return False
    took = job.total_time_seconds
    return abs(job.promise.predicted_seconds - took) <= 0.2 * took


def _by_pipeline(jobs: Iterable[JobRecord]) -> dict[PipelineType, list[JobRecord]]:
    found: dict[PipelineType, list[JobRecord]] = {name: [] for name in PIPELINE_TYPES}
    for job in jobs:
        found[job.pipeline_type].append(job)
    return found


def slow_s(pipeline: PipelineType, thresholds: Thresholds) -> float:
    """Return from how many seconds on a job of the pipeline is slow."""
    return thresholds.slow_video_s if pipeline == "video" else thresholds.slow_image_s


def _vram_percent(job: JobRecord) -> float | None:
    peak, total = job.resources.vram_peak_mb, job.resources.vram_total_mb
    return None if peak is None or not total else min(100.0, 100 * peak / total)


def _cpu_in_the_way(job: JobRecord, thresholds: Thresholds) -> float | None:
    used, own = job.resources.cpu_utilization_avg, job.resources.cpu_utilization_own
    if used is None or job.total_time_seconds < LEAST_CPU_SECONDS:
        return None
    if own is None or job.resources.gpu_model is not None:
        return used
    by_others = max(0.0, used - own)
    return by_others if by_others <= thresholds.others_cpu_percent else used


def _crowding(jobs: Sequence[JobRecord]) -> float:
    """Return how many times longer the jobs may take than with the CPU to themselves."""
    shares = [
        job.resources.cpu_utilization_avg / max(job.resources.cpu_utilization_own, 1.0)
        for job in jobs
        if job.resources.cpu_utilization_avg is not None
        and job.resources.cpu_utilization_own is not None
        and job.resources.gpu_model is None
    ]
    return fmean(shares) if len(shares) == len(jobs) else math.inf


def _resource(
    jobs: Iterable[JobRecord],
    name: str,
    limit: float,
    percent_of: Callable[[JobRecord], float | None],
    remedy: str,
    *,
    worst_of: Callable[[Sequence[JobRecord]], float] = lambda _: math.inf,
) -> Judgement:
    """Judge each worker's average; ``worst_of``: so many times the limit at most."""
    measured: dict[str, list[tuple[float, JobRecord]]] = defaultdict(list)
    for job in jobs:
        percent = percent_of(job)
        if percent is not None:
            measured[job.parameters.worker or "this host"].append((percent, job))
    judged = Judgement()
    for worker, of_worker in sorted(measured.items()):
        subject, average = f"{name} of {worker}", fmean(percent for percent, _ in of_worker)
        if average <= limit:
            judged += Judgement.fine("resource", subject)
        elif len(of_worker) >= LEAST_JOBS:
            left = max(100.0 - average, 0.01)
            worst = worst_of([job for _, job in of_worker])
            judged += Judgement.bad(
                AlertDraft(
                    alert_type="resource",
                    subject=subject,
                    severity=severity_of(min((100.0 - limit) / left, worst)),
                    message=f"{name} of {worker} averages {average:.0f} % over {len(of_worker)} "
                    f"jobs (limit {limit:.0f} %): {remedy}.",
                    threshold_value=limit,
                    actual_value=average,
                    details={"worker": worker, "jobs": len(of_worker)},
                )
            )
    return judged
