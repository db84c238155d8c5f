"""What is known of a job when it is submitted, as numbers and as names.

Belongs here: the features and their formulas. Does not belong here: how they become a vector
(``encoding``), which jobs are alike (``recent_jobs``), any model. Nothing here ever sees a
finished job: a :class:`~animatize_assets.performance.models.Submission` has no field that is known
only afterwards.

Time of generation is close to multiplicative, so sizes are logarithms: twice the frames is one
step, whatever the size. A feature that cannot be computed is NaN, never 0.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from datetime import UTC

from animatize_assets.performance.models import ExtraValue, JobParameters, Submission

NUMBERS: dict[str, str] = {
    "log_pixels": "ln(width x height)",
    "megapixels": "width x height / 10^6",
    "log_aspect": "ln(width / height)",
    "log_elongation": "|ln(width / height)|: upright and lying cost alike, square may not",
    "log_frames": "ln(frame count)",
    "log_steps": "ln(sampling steps)",
    "log_work": "ln(megapixels x steps x frames), steps doubled for samplers of second order",
    "log_batch": "ln(batch size)",
    "log_batch_work": "log_work + log_batch",
    "log_work_and_start": "ln(10 + megapixels x steps x frames x batch size): bends where starting "
    "and ending take as long as the work; 10 is half an image of 1 MP in 20 steps",
    "log_work_per_device": "log_batch_work - ln(gpu_count), a further parameter that may be known",
    "guidance": "asinh(guidance scale)",
    "complexity": "ln(1 + megapixels x steps x frames x batch size x passes); passes is 2 where "
    "guidance is above 1, for then the network runs with and without the prompt, else 1",
    "log_vram_total": "ln(total VRAM in MB)",
    "log_queue_length": "ln(1 + jobs that waited)",
    "log_recent_pace": "ln(recent median of like jobs) - log_batch_work",
    "hour_sin": "sin of the UTC hour of submission, as an angle",
    "hour_cos": "cos of it",
    "weekday_sin": "sin of the UTC weekday of submission, as an angle",
    "weekday_cos": "cos of it",
}
"""Every number that each submission has, with its formula. Those of ``parameters.extra`` come on
top: asinh of numbers, 0 or 1 for truth values."""

NAMES: tuple[str, ...] = ("job_type", "provider", "model", "sampler", "gpu_model", "worker")
"""Parameters that are names; those of ``parameters.extra`` come on top."""

SECOND_ORDER = ("heun", "dpm_2", "dpm2", "dpmpp_sde", "dpmpp_2s")
"""Samplers that run the network twice a step: Heun and DPM-Solver-2 of Karras et al. (2022), and
DPM-Solver++(2S) and its SDE form, as named by k-diffusion and the user interfaces built on it."""

_UNITS_OF_A_START = 10.0

_LARGEST = 1e300
"""A whole number beyond is no quantity, and no float."""

_SEPARATORS = re.compile(r"[^0-9a-z.]+")


def numbers_of(submission: Submission, recent_median: float | None) -> tuple[float, ...]:
    """Return the features of :data:`NUMBERS`, in their order.

    ``recent_median``: seconds, of like jobs that had ended when this one was submitted.
    """
    parameters = submission.parameters
    pixels = _product(parameters.width, parameters.height)
    log_aspect = _log(parameters.width) - _log(parameters.height)
    work = log_work(parameters)
    batch = _log(parameters.batch_size)
    batch_work = work + (0.0 if math.isnan(batch) else batch)
    moment = submission.submitted_at.astimezone(UTC)
    hour = math.tau * (moment.hour + moment.minute / 60) / 24
    weekday = math.tau * moment.weekday() / 7
    return (
        _log(pixels),
        pixels / 1e6,
        log_aspect,
        abs(log_aspect),
        _log(parameters.frame_count),
        _log(parameters.steps),
        work,
        batch,
        batch_work,
        math.log(_UNITS_OF_A_START + math.exp(batch_work)),
        batch_work - _log_devices(parameters.extra.get("gpu_count")),
        math.nan if parameters.guidance_scale is None else math.asinh(parameters.guidance_scale),
        _complexity(batch_work, parameters.guidance_scale),
        _log(parameters.vram_total_mb),
        math.nan if submission.queue_length is None else math.log1p(submission.queue_length),
        _log(recent_median) - batch_work,
        math.sin(hour),
        math.cos(hour),
        math.sin(weekday),
        math.cos(weekday),
    )


def log_work(parameters: JobParameters) -> float:
    """Return ln(megapixels x network evaluations x frames); NaN when a size is not known.

    Steps that are not known count as one evaluation and frames as one: a renderer that has no
    steps still has its sizes.
    """
    pixels = _product(parameters.width, parameters.height)
    return _log(pixels / 1e6) + math.log(_evaluations(parameters) * (parameters.frame_count or 1))


def log_batch_work(parameters: JobParameters) -> float:
    """Return :func:`log_work` of the whole batch; a batch that is not known counts as one."""
    return log_work(parameters) + math.log(parameters.batch_size or 1)


def complexity(parameters: JobParameters) -> float:
    """Return the complexity score: its formula is that of :data:`NUMBERS`. 0: no work at all."""
    return _complexity(log_batch_work(parameters), parameters.guidance_scale)


def extra_number(value: ExtraValue) -> float:
    """Return a further parameter as a number; NaN for a name or nothing.

    asinh is linear near zero and logarithmic far from it, so it fits shares, counts and bytes.
    """
    if value is None or isinstance(value, str) or abs(value) > _LARGEST:
        return math.nan
    return math.asinh(float(value))


def names_of(parameters: JobParameters) -> Iterator[tuple[str, str]]:
    """Give every name of a job as (field, value); empty for one that is not known."""
    for field in NAMES:
        yield field, getattr(parameters, field) or ""
    for field, value in parameters.extra.items():
        if isinstance(value, str):
            yield field, value


def words_of(name: str) -> frozenset[str]:
    """Return the parts of a name that its relatives share, in lower case.

    ``NVIDIA H100 PCIe`` gives nvidia, h100 and pcie: what was learned of one H100 helps with
    another that was never seen. ``CodeFormers+GFPGAN`` gives the two that are applied.
    """
    return frozenset(word for word in _SEPARATORS.split(name.lower()) if word)


def combination(submission: Submission) -> str:
    """Return a short key of the exact parameters; equal for jobs that repeat each other."""
    recipe = submission.parameters.model_dump_json(exclude={"seed"})
    return hashlib.sha256(f"{submission.pipeline_type} {recipe}".encode()).hexdigest()[:16]


def parts_of(name: str) -> frozenset[str]:
    """Return the names that ``+`` joins; none of nothing."""
    return frozenset(part for part in name.split("+") if part)


def _complexity(batch_work: float, guidance_scale: float | None) -> float:
    passes = 2 if guidance_scale is not None and guidance_scale > 1 else 1
    return math.log1p(math.exp(batch_work) * passes)


def _evaluations(parameters: JobParameters) -> int:
    steps = parameters.steps or 1
    sampler = (parameters.sampler or "").removeprefix("k_")
    return 2 * steps if sampler.startswith(SECOND_ORDER) else steps


def _product(width: int | None, height: int | None) -> float:
    return math.nan if width is None or height is None else float(width * height)


def _log(value: float | None) -> float:
    return math.log(value) if value is not None and value > 0 else math.nan


def _log_devices(value: ExtraValue) -> float:
    if isinstance(value, int | float) and value >= 1:
        return math.log(value)
    return 0.0
