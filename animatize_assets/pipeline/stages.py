"""The six stages of one image: in which order, what each needs, and when it is already done.

A stage's *fingerprint* is the hash of everything that determines its result: the version of its
code, the data versions of its inputs, the fields of the request that it reads. Finished work is
stored under its fingerprint and found again there, so nothing is ever made twice. A *data
version* tells whether a result differs for whoever builds on it: a prediction that other rules
give again has the same one, and nothing after it is made again.

Belongs here: the order of work and what becomes of a failure. Does not belong here: what a stage
does (``making``), Dagster.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Literal, TypeVar

from animatize_assets.errors import StorageFailed
from animatize_assets.pipeline.job_parameters import job_id_of, parameters_of, pipeline_type_of
from animatize_assets.pipeline.opened import OpenedImage
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stage_failures import StageError, told
from animatize_assets.records import Record
from animatize_assets.telemetry import cache_requests, metrics, tracing
from animatize_assets.telemetry.job_tracking import TrackedJob
from animatize_assets.telemetry.phases import PhaseTimer

if TYPE_CHECKING:
    from animatize_assets.images.artifacts import Draft
    from animatize_assets.pipeline.workshop import Workshop

STAGES: tuple[str, ...] = (
    "source_image",
    "scene_analysis",
    "movement_prediction",
    "motion_prompt",
    "generated_picture",
    "animatic_clip",
)
"""Every stage, upstream before downstream."""

NEEDS: dict[str, tuple[str, ...]] = {
    "source_image": (),
    "scene_analysis": ("source_image",),
    "movement_prediction": ("scene_analysis",),
    "motion_prompt": ("scene_analysis", "movement_prediction"),
    "generated_picture": (
        "source_image",
        "scene_analysis",
        "movement_prediction",
        "motion_prompt",
    ),
    "animatic_clip": ("source_image", "scene_analysis", "movement_prediction"),
}
"""Stage -> what it is made from. A clip never waits for a prompt or a paid picture."""

FINGERPRINT_HEX = 32
"""Digits of a fingerprint, which names a folder: 128 bits never meet by chance."""

R = TypeVar("R", bound=Record)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finished:
    """A result that another stage can build on."""

    record: Record
    fingerprint: str
    data_version: str


@dataclass(frozen=True)
class Work:
    """What one stage works with."""

    workshop: Workshop
    image_key: str
    request: PipelineRequest
    inputs: Mapping[str, Finished]
    opened: OpenedImage
    phases: PhaseTimer = field(default_factory=PhaseTimer)

    def input(self, stage: str, record_type: type[R]) -> R:
        """Return the record of an input.

        Raises:
            StorageFailed: what is stored under that stage is of another type.

        """
        record = self.inputs[stage].record
        if not isinstance(record, record_type):
            raise StorageFailed(
                f"The stored {stage} of {self.image_key} is a {type(record).__name__}, "
                f"not a {record_type.__name__}; make it again."
            )
        return record


@dataclass(frozen=True)
class Stage:
    """How one stage is made."""

    record_type: type[Record]
    determinants: Callable[[Work], Mapping[str, object]]
    """Everything beside the code version that determines the result, as JSON."""
    make: Callable[[Work, Draft], Record]
    """Make the result; files go where the draft says."""
    data_version: Callable[[Record, str], str]
    """From the record and its fingerprint."""
    is_final: Callable[[Record], bool] = lambda _: True
    """Whether a stored result may be used again."""


@dataclass(frozen=True)
class StageOutcome:
    """What became of one stage of one image."""

    stage: str
    image_key: str
    status: Literal["done", "reused", "failed", "skipped"]
    seconds: float
    code_version: str
    record: Record | None = None
    fingerprint: str | None = None
    data_version: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Stage -> data version that the result was made from."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds per phase; empty when nothing was made."""
    estimated_seconds: float | None = None
    """How long making it was said to take; None when nothing was made, or nobody said."""
    error: StageError | None = None
    trace_id: str | None = None
    """Of the image's trace, 32 hex digits; None when nothing is traced."""

    @property
    def is_complete(self) -> bool:
        """Whether there is a result, new or found."""
        return self.record is not None


def run_stages(
    workshop: Workshop,
    image_key: str,
    request: PipelineRequest,
    stages: Sequence[str] = STAGES,
) -> Iterator[StageOutcome]:
    """Bring ``stages`` of one image to completion, one after the other, and tell each outcome.

    A stage that fails costs only those that need it: they are ``skipped``, the rest goes on. An
    input that is not among ``stages`` is taken as it is stored. Every ordinary exception ends
    here, as that stage's failure; interrupts pass.
    """
    opened = OpenedImage(workshop, image_key)
    finished: dict[str, Finished] = {}
    broken: set[str] = set()
    with _trail(workshop, image_key) as trail:
        for stage in STAGES:
            if stage not in stages:
                continue
            work = Work(workshop, image_key, request, finished, opened)
            outcome = _outcome(work, stage, finished, broken, trail)
            if outcome.error is not None:
                broken.add(stage)
            kind = outcome.error.kind or None if outcome.error else None
            metrics.record_stage(stage, outcome.status, outcome.seconds, kind)
            yield outcome


def _trail(workshop: Workshop, image_key: str) -> AbstractContextManager[tracing.Trail]:
    """Go on with the trace that began with the image's upload."""
    try:
        parent = workshop.images.traceparent(image_key)
    except Exception:  # noqa: BLE001  # no image fails because it cannot be traced
        _log.warning("%s begins a trace of its own.", image_key, exc_info=True)
        parent = None
    known = {tracing.IMAGE_KEY: image_key, tracing.RUN_ID: workshop.run_id}
    return tracing.trail("animate image", known, parent=parent)


def _outcome(
    work: Work,
    stage: str,
    finished: dict[str, Finished],
    broken: Collection[str],
    trail: tracing.Trail,
) -> StageOutcome:
    """Bring one stage to completion; its result is added to ``finished``."""
    outcome = partial(
        StageOutcome,
        stage=stage,
        image_key=work.image_key,
        code_version=work.workshop.code_versions[stage],
        trace_id=trail.trace_id,
    )
    if missing := [need for need in NEEDS[stage] if need in broken]:
        error = StageError("input_failed", f"Not made, because {missing[0]} failed.", "StageError")
        return outcome(status="skipped", seconds=0.0, error=error)
    known = {tracing.IMAGE_KEY: work.image_key, tracing.RUN_ID: work.workshop.run_id}
    started = perf_counter()
    try:
        with trail.step(stage, known), work.workshop.desks.taken():
            _collect_inputs(work, stage, finished)
            result, is_new, estimated_s = _found_or_made(work, stage)
            tracing.describe({tracing.STAGE_STATUS: "done" if is_new else "reused"})
    except Exception as error:  # noqa: BLE001  # one image's failure must not cost the others
        return outcome(
            status="failed",
            seconds=perf_counter() - started,
            phases=work.phases.seconds,
            error=told(error),
        )
    finished[stage] = result
    return outcome(
        status="done" if is_new else "reused",
        seconds=perf_counter() - started,
        record=result.record,
        fingerprint=result.fingerprint,
        data_version=result.data_version,
        inputs={need: finished[need].data_version for need in NEEDS[stage]},
        phases=work.phases.seconds,
        estimated_seconds=estimated_s,
    )


def digest_of(content: object) -> str:
    """SHA-256 of ``content`` as canonical JSON, 64 hex."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint_of(work: Work, stage: str) -> str:
    """Return the hash of everything that determines the result of ``stage``."""
    plan, version = work.workshop.stages[stage], work.workshop.code_versions[stage]
    determinants = {"stage": stage, "code": version, "of": {**plan.determinants(work)}}
    return digest_of(determinants)[:FINGERPRINT_HEX]


def _collect_inputs(work: Work, stage: str, finished: dict[str, Finished]) -> None:
    """Load what the stage needs and nobody made in this run."""
    for need in NEEDS[stage]:
        if need not in finished:
            finished[need] = _stored(work, need)


def _stored(work: Work, stage: str) -> Finished:
    plan, artifacts = work.workshop.stages[stage], work.workshop.artifacts
    fingerprint = artifacts.current_fingerprint(stage, work.image_key)
    record = None if fingerprint is None else _found(work, stage, fingerprint)
    if record is None or fingerprint is None:
        raise StorageFailed(
            f"{work.image_key} has no {stage} yet; materialize {stage} first, or the whole chain."
        )
    return Finished(record, fingerprint, plan.data_version(record, fingerprint))


def _found_or_made(work: Work, stage: str) -> tuple[Finished, bool, float | None]:
    """Return the result, whether it is new, and how many seconds it was said to take."""
    plan, artifacts = work.workshop.stages[stage], work.workshop.artifacts
    fingerprint = fingerprint_of(work, stage)
    record = _found(work, stage, fingerprint)
    makeshift = None
    if record is not None and not plan.is_final(record):
        # It holds until a better one is there: asking again may fail, or take minutes.
        record, makeshift = None, record
    cache_requests.note("artifact", hit=record is not None)
    if record is not None:
        if artifacts.current_fingerprint(stage, work.image_key) != fingerprint:
            artifacts.make_current(stage, work.image_key, fingerprint)
        found = Finished(record, fingerprint, plan.data_version(record, fingerprint))
        return found, False, None
    work.workshop.disk.check()
    with _tracked(work, stage) as job:
        work.phases.tell(job)
        with artifacts.draft(stage, work.image_key, fingerprint) as draft:
            record = plan.make(work, draft)
            draft.commit(record, replaces=makeshift)
        job.mark_success()
    made = Finished(record, fingerprint, plan.data_version(record, fingerprint))
    return made, True, job.estimated_seconds


def _found(work: Work, stage: str, fingerprint: str) -> Record | None:
    """Return a stored result; an analysis that this process has read before is not read again."""
    workshop = work.workshop
    if stage == "scene_analysis" and workshop.analyses is not None:
        return workshop.analyses.find(workshop.artifacts, work.image_key, fingerprint)
    record_type = workshop.stages[stage].record_type
    return workshop.artifacts.find(stage, work.image_key, fingerprint, record_type)


def _tracked(work: Work, stage: str) -> AbstractContextManager[TrackedJob]:
    """Track the making of a stage; what is found again is no job."""
    bench = work.workshop
    job_id = job_id_of(bench.run_id, stage, work.image_key, datetime.now(UTC))
    tracing.describe({tracing.JOB_ID: job_id})
    return bench.tracker.track(job_id, pipeline_type_of(stage), parameters_of(work, stage))
