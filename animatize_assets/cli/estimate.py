"""``animatize estimate``: how long one job, or a run over images, will take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import click
from pydantic import ValidationError
from rich.console import RenderableType

from animatize_assets.cli.entry import PROVIDERS
from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.cli.times import NOT_KNOWN, between, exactly
from animatize_assets.performance.heuristic import LEAST_JOBS
from animatize_assets.performance.models import (
    Estimate,
    JobParameters,
    PipelineType,
    Submission,
)
from animatize_assets.performance.recommendations import estimate_and_recommend, estimate_body
from animatize_assets.performance.report_page import percent
from animatize_assets.pipeline.job_parameters import LOCAL, this_worker
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.workplace.estimating import estimate_images
from animatize_assets.workplace.opening import open_workplace
from animatize_assets.workplace.run_estimates import RunEstimate

Expand = Literal["off", "draft", "final"]


def estimate(
    terminal: Terminal,
    keys: tuple[str, ...],
    *,
    everything: bool,
    provider: str | None,
    size: tuple[int, int] | None,
    expand: Expand | None,
    pipeline: PipelineType | None,
    **described: Any,
) -> int:
    """Print the estimate; ``described``: options that describe one job, None where not given."""
    if pipeline is not None:
        if keys or everything or size or expand:
            raise click.UsageError("--pipeline describes one job; leave images and --size out.")
        return _one_job(terminal, pipeline, described | {"provider": provider})
    if any(value is not None for value in described.values()):
        raise click.UsageError("What describes one job needs --pipeline image or video.")
    if bool(keys) == everything:
        raise click.UsageError("Name images, say --all, or describe a job with --pipeline.")
    if provider not in {None, *PROVIDERS}:
        raise click.UsageError(f"'{provider}' is none of {', '.join(PROVIDERS)}.")
    request = PipelineRequest(provider=provider or "local", size=size, expand=expand or "off")
    return _run(terminal, keys, request)


def _one_job(terminal: Terminal, pipeline: PipelineType, described: Mapping[str, Any]) -> int:
    submission = Submission(
        pipeline_type=pipeline, parameters=_parameters(described), submitted_at=datetime.now(UTC)
    )
    estimator = open_workplace().performance.time_estimator
    told, recommendations = estimate_and_recommend(submission, estimator.estimate_many)
    terminal.document(estimate_body(told, recommendations))
    terminal.say(_job_page(told, recommendations))
    return 0


def _parameters(described: Mapping[str, Any]) -> JobParameters:
    given = {name: value for name, value in described.items() if value is not None}
    if resolution := given.pop("resolution", None):
        given |= {"width": resolution[0], "height": resolution[1]}
    if given.get("provider") == LOCAL:  # here, and as the pipeline records what it does here
        given = {"worker": this_worker(), "batch_size": 1} | given
    try:
        return JobParameters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise click.UsageError(f"{first['loc'][0]}: {first['msg']}.") from error


def _job_page(told: Estimate, recommendations: tuple[str, ...]) -> RenderableType:
    rows = [
        ("time", exactly(told.predicted_time_seconds)),
        ("8 in 10 take", between(told.uncertainty_range)),
        ("9 in 10 take", between(told.interval_90)),
        ("confidence", _confidence(told)),
        ("by", _by(told)),
        *(("note", note) for note in told.notes),
        *(("shorter", each) for each in recommendations),
    ]
    return facts(f"estimate for one {told.pipeline_type} job", rows)


def _confidence(told: Estimate) -> str:
    if told.confidence is None:
        return NOT_KNOWN
    return f"{percent(told.confidence)} that the estimate is within 20 % of the actual time"


def _by(told: Estimate) -> str:
    if told.prediction_method == "heuristic":
        basis = (
            f"corrected by {told.learned_from} finished job(s)"
            if told.learned_from
            else "no such job has finished here yet"
        )
        return f"a stated formula, {basis}; `animatize train` learns from {LEAST_JOBS} of your jobs"
    version = "" if told.model_version is None else f" version {told.model_version}"
    return f"{told.model_used}{version}, learned from {told.learned_from} finished jobs"


def _run(terminal: Terminal, keys: tuple[str, ...], request: PipelineRequest) -> int:
    workplace = open_workplace()
    workplace.check_provider(request.provider)
    if request.expand != "off":
        workplace.check_provider("openai")  # whose models expand prompts
    known = workplace.known_keys()
    chosen = list(dict.fromkeys(resolve_key(key, known) for key in keys)) or list(known)
    if not chosen:
        terminal.say("No image has been ingested here yet. See: animatize ingest")
    told = estimate_images(workplace, chosen, request)
    terminal.document(told.model_dump(mode="json"))
    if chosen:
        terminal.say(_run_page(told))
    return 0


def _run_page(told: RunEstimate) -> RenderableType:
    at_once = "one after the other" if told.concurrency == 1 else f"{told.concurrency} at once"
    rows = [
        ("images", f"{told.images}, {at_once}, as if nothing of them had been made"),
        ("done after", exactly(told.seconds)),
        ("8 in 10 take", between(told.interval_80)),
        *(
            (name, f"{exactly(each.seconds)} in all, {_stage_by(each.prediction_method)}")
            for name, each in told.stages.items()
        ),
        *(("note", note) for note in told.notes),
    ]
    return facts("estimate for a run", rows)


def _stage_by(method: str) -> str:
    return "learned" if method == "ml_model" else "by a stated formula"
