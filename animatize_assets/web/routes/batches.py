"""``/api/batches``: runs over images, and how far they are.

Belongs here: these routes. Does not belong here: the order in which batches start
(``web.batches``), reading Dagster (``orchestration``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Response
from pydantic import ValidationError

from animatize_assets.errors import AnimatizeError, BatchNotFound
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.prompts.dialects import load_dialects
from animatize_assets.prompts.templates import load_templates
from animatize_assets.telemetry.tracing import current_traceparent
from animatize_assets.web.batches import WaitingBatch
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.routes.batch_models import Batch
from animatize_assets.web.routes.image_models import BatchRequest
from animatize_assets.web.service import Service
from animatize_assets.workplace.estimating import estimate_images

if TYPE_CHECKING:
    from animatize_assets.orchestration import BatchProgress, Finish

_log = logging.getLogger(__name__)

router = APIRouter(prefix="/api/batches", tags=["batches"])

BatchId = Annotated[
    str,
    Path(
        alias="id",
        pattern=r"^[A-Za-z0-9-]+$",
        max_length=64,
        description="of a run or backfill of Dagster, or of a batch that was started here",
    ),
]


@router.post(
    "",
    summary="Make everything of images",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: {"description": "It waits, or has been started; Location tells how far it is."}
    },
)
def start(asked: BatchRequest, service: ServiceDep, response: Response) -> Batch:
    """Start a run over images in a process of its own, as `animatize run KEY...` would.

    One batch runs at a time, the others wait. What was made before from the same inputs is not
    made again.
    """
    service.workplace.check_disk()
    load_dialects().of(asked.target)
    load_templates().style(asked.style)
    service.workplace.check_provider(asked.provider)
    if asked.expand != "off":
        service.workplace.check_provider("openai")  # whose models expand prompts
    keys = list(dict.fromkeys(asked.image_keys))
    request = PipelineRequest(provider=asked.provider, size=asked.size, expand=asked.expand)
    told = estimate_images(service.workplace, keys, request)
    batch = service.batches.submit(
        _options(asked, keys),
        images=len(keys),
        estimated_seconds=told.seconds,
        estimated_interval_80=told.interval_80,
    )
    response.headers["Location"] = f"{router.prefix}/{batch.batch_id}"
    return progress_of(service, batch.batch_id)


@router.get("/{id}", summary="How far a batch is, and when it will be done")
def batch(batch_id: BatchId, service: ServiceDep) -> Batch:
    """Return the progress of a run, a backfill, or all runs of one request."""
    return progress_of(service, batch_id)


def progress_of(service: Service, batch_id: str) -> Batch:
    """Return how far a batch is.

    Raises:
        BatchNotFound: nothing has the id.

    """
    from animatize_assets.orchestration import batch_progress, finishing_in_queue  # noqa: PLC0415

    now = datetime.now(UTC)
    if (waiting := service.batches.waiting(batch_id)) is not None:
        found = _before_its_run(waiting[0], waiting_before=waiting[1])
        return _with(found, finish_of_waiting(service, waiting[0], now))
    started = service.batches.started(batch_id)
    try:
        told = batch_progress(service.dagster, batch_id)
    except BatchNotFound:
        if started is None:
            raise
        found = _before_its_run(started.waited, problem=started.problem)
        return _with(found, None if started.problem else in_a_row(now, [started.waited]))
    if told.status == "queued" and told.estimated_seconds is None:
        told = _estimated(service, told)
    finish = finishing_in_queue(service.dagster, told, now)
    update = {"kind": "batch", "images": started.waited.images} if started else {}
    return _with(Batch.model_validate(told.model_copy(update=update)), finish)


def finish_of_waiting(service: Service, batch: WaitingBatch, now: datetime) -> Finish | None:
    """Return when a batch will be done that waits for others; None when nobody can tell.

    Batches run one after the other on one machine and share its errors: their bounds add up.
    """
    begin: datetime = now
    bounds: tuple[datetime, datetime] | None = (now, now)
    before = list(service.batches.before(batch.batch_id))
    if before and service.batches.waiting(before[0].batch_id) is None:
        under_way = progress_of(service, before.pop(0).batch_id)
        if under_way.ended_at is None:
            if under_way.finishing_at is None:
                return None
            begin, bounds = under_way.finishing_at, under_way.finishing_interval_80
    return in_a_row(begin, [*before, batch], bounds)


def in_a_row(
    begin: datetime,
    batches: Sequence[WaitingBatch],
    bounds: tuple[datetime, datetime] | None = None,
) -> Finish | None:
    """Return when the last of ``batches`` will be done; None when one was not estimated.

    ``bounds``: of the moment at which the first one begins, where that is not certain.
    """
    from animatize_assets.orchestration import Finish  # noqa: PLC0415  # a second

    seconds = [each.estimated_seconds for each in batches]
    known = [each for each in seconds if each is not None]
    if len(known) < len(seconds):
        return None
    intervals = [each.estimated_interval_80 for each in batches]
    low, high = bounds or (begin, begin)
    told = [each for each in intervals if each is not None]
    is_bounded = len(told) == len(intervals)
    return Finish(
        finishing_at=begin + timedelta(seconds=sum(known)),
        interval_80=(
            low + timedelta(seconds=sum(each[0] for each in told)),
            high + timedelta(seconds=sum(each[1] for each in told)),
        )
        if is_bounded
        else None,
    )


def _estimated(service: Service, told: BatchProgress) -> BatchProgress:
    """Add what the estimator says of a run that waits, where whoever asked for it said nothing."""
    from animatize_assets.orchestration import asked_run  # noqa: PLC0415  # a second

    asked = asked_run(service.dagster, told.run_ids[0]) if len(told.run_ids) == 1 else None
    if asked is None:
        return told
    try:
        request = PipelineRequest.model_validate(asked.request)
        estimate = estimate_images(service.workplace, asked.image_keys, request)
    except (AnimatizeError, ValidationError) as error:
        # The run will fail for the same reason, and tell it.
        _log.info("A run that waits cannot be estimated: %s", type(error).__name__)
        return told
    return told.model_copy(
        update={
            "estimated_seconds": estimate.seconds,
            "estimated_interval_80": estimate.interval_80,
        }
    )


def _with(found: Batch, finish: Finish | None) -> Batch:
    if finish is not None:
        found.finishing_at, found.finishing_interval_80 = finish.finishing_at, finish.interval_80
    return found


def _before_its_run(
    waited: WaitingBatch, *, waiting_before: int | None = None, problem: str | None = None
) -> Batch:
    return Batch(
        batch_id=waited.batch_id,
        kind="batch",
        status="queued" if problem is None else "failed",
        waiting_before=waiting_before,
        run_ids=[],
        images=waited.images,
        results_made=0,
        results_wanted=None,
        progress=0,
        failed_images={},
        problems=[] if problem is None else [problem],
        queued_at=waited.queued_at,
        started_at=None,
        ended_at=None,
        estimated_seconds=waited.estimated_seconds,
        estimated_interval_80=waited.estimated_interval_80,
    )


def _options(asked: BatchRequest, keys: list[str]) -> list[str]:
    size = [] if asked.size is None else ["--size", f"{asked.size[0]}x{asked.size[1]}"]
    traceparent = current_traceparent()
    traced = [] if traceparent is None else ["--traceparent", traceparent]
    return [
        *("--provider", asked.provider, "--target", asked.target, "--style", asked.style),
        *("--expand", asked.expand, *size, *traced, "--", *keys),
    ]
