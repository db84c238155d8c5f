"""Every instrument of this project: its name, its unit, its attributes.

The names are OpenTelemetry's. Without an SDK in the process every instrument does nothing; with
one (whoever starts the process sets it up) it counts from then on, wherever it was made before.
``docs/metrics.md`` is the list for people, and tests hold it against this module.

Belongs here: instruments, and one function for each thing that is recorded, so that no caller
knows a name or spells an attribute. Does not belong here: an SDK, exporters, when something is
recorded. An attribute takes few values, all known beforehand: never an image key, a run or a text.
See https://opentelemetry.io/docs/specs/semconv/general/metrics/.
"""

from __future__ import annotations

from typing import Literal, get_args

from opentelemetry import metrics

from animatize_assets import __version__
from animatize_assets.telemetry import gen_ai

CacheName = Literal["artifact", "result", "semantic", "expansion", "analysis", "vector"]
"""What is looked up before it is made: artefacts of stages; paid pictures by the same request;
paid pictures by a text of the same meaning; answers of language models; and, in memory, analyses
that were read and vectors of texts."""

CACHES: tuple[CacheName, ...] = get_args(CacheName)

Outcome = Literal["hit", "miss"]

Queue = Literal["run", "provider"]
"""Where is waited: a run of Dagster for its start, a call for its place at a provider."""

Purpose = Literal["picture", "expansion", "batch"]
"""What is paid for."""

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Bounds of durations: half a decade apart, from a prompt that is compiled to a long clip."""

CALL_SECONDS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""Bounds that the conventions for generative AI ask for."""

RATIOS = (-0.8, -0.5, -0.2, -0.1, 0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Bounds of the error of an estimate; +-0.2 is what is promised."""

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

_meter = metrics.get_meter("animatize_assets", __version__)

_cache_requests = _meter.create_counter(
    "animatize.cache.requests",
    unit="{request}",
    description="Look-ups in a cache, by whether they found something.",
)

_stage_duration = _meter.create_histogram(
    "animatize.stage.duration",
    unit="s",
    description="Time of one stage of one image, found again or made.",
    explicit_bucket_boundaries_advisory=SECONDS,
)
_errors = _meter.create_counter(
    "animatize.errors", unit="{error}", description="Stages of images that failed."
)
_call_duration = _meter.create_histogram(
    "gen_ai.client.operation.duration",
    unit="s",
    description="Time of one call to a provider, polling included.",
    explicit_bucket_boundaries_advisory=CALL_SECONDS,
)
_call_tokens = _meter.create_histogram(
    "gen_ai.client.token.usage",
    unit="{token}",
    description="Tokens of one call, as the provider counted them.",
    explicit_bucket_boundaries_advisory=TOKENS,
)
_retries = _meter.create_counter(
    "animatize.provider.retries", unit="{retry}", description="Calls that are made once more."
)
_fallbacks = _meter.create_counter(
    "animatize.provider.fallbacks",
    unit="{picture}",
    description="Pictures that another provider made than the one that was asked for.",
)
_cost = _meter.create_counter(
    "animatize.cost", unit="{USD}", description="What calls were billed, where it is known."
)
_queue_duration = _meter.create_histogram(
    "animatize.queue.duration",
    unit="s",
    description="Time waited before work began.",
    explicit_bucket_boundaries_advisory=SECONDS,
)
_estimate_error = _meter.create_histogram(
    "animatize.estimate.error",
    unit="1",
    description="(estimated - actual) / actual seconds of jobs that ended well.",
    explicit_bucket_boundaries_advisory=RATIOS,
)
_gpu_utilization = _meter.create_histogram(
    "animatize.job.gpu.utilization",
    unit="1",
    description="Mean share of a GPU that one job used, of jobs that used one.",
    explicit_bucket_boundaries_advisory=SHARES,
)
_gpu_memory = _meter.create_gauge(
    "animatize.job.gpu.memory",
    unit="By",
    description="Most memory of GPUs that the job which ended last used.",
)


def count_cache_request(cache: CacheName, *, hit: bool) -> None:
    """Count one look-up that has been answered."""
    outcome: Outcome = "hit" if hit else "miss"
    _cache_requests.add(1, {"cache": cache, "outcome": outcome})


def record_stage(stage: str, status: str, seconds: float, error_type: str | None = None) -> None:
    """Tell how long one stage of one image took and how it ended.

    ``error_type``: the stable code of the error that ended it.
    """
    attributes = {"stage": stage, "status": status}
    _stage_duration.record(seconds, attributes)
    if error_type is not None:
        _errors.add(1, {"stage": stage, gen_ai.ERROR_TYPE: error_type})


def record_call(
    operation: gen_ai.Operation,
    provider: str,
    model: str,
    seconds: float,
    *,
    error_type: str | None = None,
) -> None:
    """Tell how long one call to a provider took. ``error_type``: the kind of its failure."""
    attributes = gen_ai.metric_attributes(operation, provider, model)
    if error_type is not None:
        attributes[gen_ai.ERROR_TYPE] = error_type
    _call_duration.record(seconds, attributes)


def record_tokens(
    operation: gen_ai.Operation,
    provider: str,
    model: str,
    *,
    read: int | None,
    written: int | None,
) -> None:
    """Tell the tokens of one call; a count that was not told is not recorded."""
    attributes = gen_ai.metric_attributes(operation, provider, model)
    for token_type, count in (("input", read), ("output", written)):
        if count is not None:
            _call_tokens.record(count, attributes | {gen_ai.TOKEN_TYPE: token_type})


def count_retry(provider: str, error_type: str) -> None:
    """Count a call that is made once more, after a failure of that kind."""
    _retries.add(1, {"provider": provider, gen_ai.ERROR_TYPE: error_type})


def count_fallback(asked: str, made_by: str) -> None:
    """Count a picture that ``made_by`` made instead of the provider that was asked for."""
    _fallbacks.add(1, {"provider": asked, "made_by": made_by})


def add_cost(provider: str, purpose: Purpose, cost_usd: float | None) -> None:
    """Add what a call was billed, US dollars. What is not known is not added."""
    if cost_usd is not None:
        _cost.add(cost_usd, {"provider": provider, "purpose": purpose})


def record_queue(queue: Queue, seconds: float | None) -> None:
    """Tell how long was waited; None, where nobody knows, is not recorded."""
    if seconds is not None:
        _queue_duration.record(seconds, {"queue": queue})


def record_estimate(
    pipeline_type: str, method: str, *, estimated_s: float, actual_s: float
) -> None:
    """Tell how wrong an estimate was, of a job that ended well."""
    if actual_s > 0:
        attributes = {"pipeline_type": pipeline_type, "method": method}
        _estimate_error.record((estimated_s - actual_s) / actual_s, attributes)


def record_gpu(
    pipeline_type: str, *, utilization: float | None, memory_bytes: float | None
) -> None:
    """Tell what a job used of GPUs: a share 0..1, bytes; None is not recorded."""
    attributes = {"pipeline_type": pipeline_type}
    if utilization is not None:
        _gpu_utilization.record(utilization, attributes)
    if memory_bytes is not None:
        _gpu_memory.set(memory_bytes, attributes)
