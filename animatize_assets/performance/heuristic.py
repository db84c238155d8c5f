"""An estimate before there is anything to learn from: start-up plus work times a stated rate.

Used while fewer than 30 jobs of a kind have ended, and said to be a heuristic. Its rates are those
of other people's machines, so it may be off by a factor; as soon as like jobs have ended, their
median error corrects it and their spread gives it an interval. Without them it has none.

Like jobs have the pipeline type, the provider, the GPU and the rate of the formula in common and,
where no GPU is known, the worker, if both tell theirs: how far the rates of a machine are off says
nothing of another one. Of those, the ones with the same job type, model and worker count alone as
soon as there are two.

Belongs here: the formula, its constants and where they come from. Does not belong here: learned
estimates (``estimator``), the choice between the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from animatize_assets.performance.calibration import Calibration
from animatize_assets.performance.features import log_batch_work
from animatize_assets.performance.models import (
    Estimate,
    JobParameters,
    JobRecord,
    PipelineType,
    Submission,
)
from animatize_assets.performance.recent_jobs import Likeness, likeness

LEAST_JOBS = 30
"""Jobs of a kind from which on an estimator is trained; below, this is used."""

NAME = "fallback"

LOCAL = "local"
"""The provider that renders on this machine's processor and has no sampling steps."""


@dataclass(frozen=True)
class Rate:
    """seconds = start_up_s + seconds_a_unit x work."""

    start_up_s: float
    seconds_a_unit: float
    """Per megapixel, step and frame; what a job does not have counts once."""
    basis: str


SAMPLED: dict[PipelineType, Rate] = {
    "image": Rate(
        1.9,
        0.30,
        "least squares of the relative error over the jobs without upscaling of one public AI "
        "Horde worker, May 2023 (2,202 jobs, Stable Diffusion 1.x and 2.x)",
    ),
    "video": Rate(
        1.9,
        0.11,
        "median of the public video benchmarks, per GPU (773 rows, 19 models, 16 GPUs; one in ten "
        "takes less than 0.04, one in ten more than 0.37); start-up as for pictures",
    ),
}
"""Jobs with sampling steps."""

RENDERED: dict[PipelineType, Rate] = {
    "image": Rate(0.1, 0.03, "one frame of a clip"),
    "video": Rate(
        0.1,
        0.03,
        "clips of 0.07 to 2 megapixels rendered by `write_clip` on one server core of 2025",
    ),
}
"""Jobs of the local provider."""

SERVED_S = 12.0
"""A picture of a service that does not tell its steps: geometric middle of the 5 to 30 s that the
predecessor stated for such a call."""

ASSUMED_SIZE = (512, 512)
"""The predecessor's default, for a job whose size is not known."""

ASSUMED_FRAMES = 120
"""5 s of 24 frames, for a clip whose length is not known."""


def heuristic_seconds(submission: Submission) -> float:
    """Return the plain formula, seconds, without any correction."""
    parameters = _assumed(submission)
    if not _has_rate(submission):
        return SERVED_S * (parameters.batch_size or 1)
    rate = (RENDERED if parameters.provider == LOCAL else SAMPLED)[submission.pipeline_type]
    return rate.start_up_s + rate.seconds_a_unit * math.exp(log_batch_work(parameters))


def heuristic_estimate(submission: Submission, finished: Sequence[JobRecord] = ()) -> Estimate:
    """Return the estimate of the formula, corrected by the jobs that ended so far.

    ``finished``: jobs of any kind; of those that had ended when this one was submitted, the most
    alike count, and where none is alike the formula stands by itself. The interval and the
    confidence are None while fewer than two were.
    """
    return heuristic_estimates([submission], finished)[0]


def heuristic_estimates(
    submissions: Sequence[Submission], finished: Sequence[JobRecord] = ()
) -> list[Estimate]:
    """Return the estimate of each job, in their order, as :func:`heuristic_estimate` does.

    What finished jobs say is worked out once for all that are alike.
    """
    corrections: dict[tuple[Likeness, bool, datetime], _Correction] = {}
    told = []
    for submission in submissions:
        alike = likeness(submission), _has_rate(submission), submission.submitted_at
        if alike not in corrections:
            corrections[alike] = _correction(_most_alike(submission, finished))
        told.append(_estimate(submission, corrections[alike]))
    return told


@dataclass(frozen=True)
class _Correction:
    """What the finished jobs that are most alike say of the formula."""

    jobs: int = 0
    centre: float = 0.0
    """ln(actual / formula)."""
    calibration: Calibration | None = None
    """About the corrected time, so that the estimate lies within its own interval."""


def _correction(alike: Sequence[JobRecord]) -> _Correction:
    if not alike:
        return _Correction()
    plain = [heuristic_seconds(Submission.of(job)) for job in alike]
    residuals = [
        math.log(job.total_time_seconds / told) for job, told in zip(alike, plain, strict=True)
    ]
    centre = Calibration.learn(residuals, plain).centre
    calibration = Calibration.learn(
        [residual - centre for residual in residuals], [told * math.exp(centre) for told in plain]
    )
    return _Correction(len(alike), centre, calibration)


def _estimate(submission: Submission, correction: _Correction) -> Estimate:
    seconds = heuristic_seconds(submission)
    notes = ["A heuristic: too few jobs of this kind have ended to learn from.", *_told(submission)]
    if correction.calibration is None:
        return Estimate(
            pipeline_type=submission.pipeline_type,
            predicted_time_seconds=seconds,
            prediction_method="heuristic",
            model_used=NAME,
            learned_from=0,
            notes=tuple(notes),
        )
    corrected = seconds * math.exp(correction.centre)
    calibration = correction.calibration
    return Estimate(
        pipeline_type=submission.pipeline_type,
        predicted_time_seconds=corrected,
        uncertainty_range=calibration.interval(corrected, 0.80),
        interval_90=calibration.interval(corrected, 0.90),
        confidence=calibration.confidence(corrected),
        prediction_method="heuristic",
        model_used=NAME,
        learned_from=correction.jobs,
        notes=(*notes, f"Corrected by {correction.jobs} finished job(s) most like it."),
    )


def _assumed(submission: Submission) -> JobParameters:
    """Return the parameters with what the formula cannot do without."""
    parameters = submission.parameters
    assumed: dict[str, int] = {}
    if parameters.width is None or parameters.height is None:
        assumed |= {"width": ASSUMED_SIZE[0], "height": ASSUMED_SIZE[1]}
    if parameters.frame_count is None and submission.pipeline_type == "video":
        assumed["frame_count"] = ASSUMED_FRAMES
    return parameters.model_copy(update=assumed)


def _told(submission: Submission) -> list[str]:
    parameters = submission.parameters
    told = []
    if parameters.width is None or parameters.height is None:
        told.append("The size is not known; {} x {} is assumed.".format(*ASSUMED_SIZE))
    if parameters.frame_count is None and submission.pipeline_type == "video":
        told.append(f"The number of frames is not known; {ASSUMED_FRAMES} are assumed.")
    return told


def _has_rate(job: Submission | JobRecord) -> bool:
    """Whether a job's work tells its time; not that of a service that does not tell its steps."""
    parameters = job.parameters
    return (
        parameters.steps is not None or parameters.provider == LOCAL or job.pipeline_type == "video"
    )


def _most_alike(submission: Submission, finished: Sequence[JobRecord]) -> list[JobRecord]:
    """Return the like jobs that had ended, the closest of them where those are at least two."""
    done = [
        job
        for job in finished
        if job.success
        and job.total_time_seconds > 0
        and job.finished_at <= submission.submitted_at
        and _is_alike(submission, job)
    ]
    wanted = _closeness(submission.parameters)
    for shared in range(len(wanted), 0, -1):
        closest = [job for job in done if _closeness(job.parameters)[:shared] == wanted[:shared]]
        if len(closest) >= 2:
            return closest
    return done


def _is_alike(submission: Submission, job: JobRecord) -> bool:
    asked, ended = submission.parameters, job.parameters
    return (
        (job.pipeline_type, ended.provider, ended.gpu_model)
        == (submission.pipeline_type, asked.provider, asked.gpu_model)
        and _has_rate(job) == _has_rate(submission)
        and (asked.gpu_model is not None or _may_be_same(asked.worker, ended.worker))
    )


def _may_be_same(worker: str | None, other: str | None) -> bool:
    return worker is None or other is None or worker == other


def _closeness(parameters: JobParameters) -> tuple[str | None, ...]:
    return parameters.job_type, parameters.model, parameters.worker
