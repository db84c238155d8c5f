"""``/api/batches``: runs over images, and how far they are.

Belongs here: these routes. Does not belong here: the order in which batches start
(``web.batches``), reading Dagster (``orchestration``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from animatize_assets.errors import BatchNotFound
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.prompts.dialects import load_dialects
from animatize_assets.prompts.templates import load_templates
from animatize_assets.web.batches import WaitingBatch
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.routes.batch_models import Batch
from animatize_assets.web.routes.image_models import BatchRequest
from animatize_assets.web.service import Service
from animatize_assets.workplace.estimating import estimate_images

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
    from animatize_assets.orchestration import batch_progress, finishing  # noqa: PLC0415  # a second

    if (waiting := service.batches.waiting(batch_id)) is not None:
        return _before_its_run(waiting[0], waiting_before=waiting[1])
    started = service.batches.started(batch_id)
    try:
        told = batch_progress(service.dagster, batch_id)
    except BatchNotFound:
        if started is None:
            raise
        return _before_its_run(started.waited, problem=started.problem)
    finish = finishing(told, datetime.now(UTC))
    update = {"kind": "batch", "images": started.waited.images} if started else {}
    found = Batch.model_validate(told.model_copy(update=update))
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
    return [
        *("--provider", asked.provider, "--target", asked.target, "--style", asked.style),
        *("--expand", asked.expand, *size, "--", *keys),
    ]
