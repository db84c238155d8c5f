"""What the record of a stage's job says of the work, known before the work begins.

Belongs here: naming it in the words of job records. Does not belong here: what is measured of it
(``performance``), doing it (``stages``).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from animatize_assets.movement.models import MovementPrediction
from animatize_assets.rendering.size import output_size

if TYPE_CHECKING:
    from animatize_assets.pipeline.request import PipelineRequest
    from animatize_assets.pipeline.stages import Work

FRAME_STAGES = ("generated_picture", "animatic_clip")
"""Stages whose work grows with the frame that is asked for; that of the others with the image."""

LOCAL = "local"
"""The provider that works on this machine."""

CLIP_FRAMES = 120
"""Frames of a clip whose path is not known yet: 5 s at 24 a second (``making``)."""


def pipeline_type_of(stage: str) -> str:
    """Return the pipeline type of a stage's jobs: a clip is video, all else is about a picture."""
    return "video" if stage == "animatic_clip" else "image"


def job_id_of(run_id: str | None, stage: str, image_key: str, started_at: datetime) -> str:
    """Return the id of the job that makes one stage of one image at that time."""
    return f"{run_id or started_at.isoformat()}/{stage}/{image_key}"


def stage_parameters(
    stage: str,
    image: tuple[int, int],
    request: PipelineRequest,
    *,
    provider_model: str | None = None,
    frame_count: int | None = None,
) -> dict[str, object]:
    """Return the parameters of a stage's job. ``image``: its width and height, px."""
    size = output_size(*image, size=request.size) if stage in FRAME_STAGES else image
    known: dict[str, object] = {
        "job_type": stage,
        "width": size[0],
        "height": size[1],
        "frame_count": (frame_count or CLIP_FRAMES) if stage == "animatic_clip" else 1,
        "batch_size": 1,
        "worker": this_worker(),
    }
    if stage == "generated_picture":
        known |= {"provider": request.provider, "model": provider_model, "seed": request.seed}
    elif stage == "motion_prompt":
        known |= {"expand": request.expand}
    if not waits_for_others(stage, request):
        known |= {"provider": LOCAL}
    return known


def waits_for_others(stage: str, request: PipelineRequest) -> bool:
    """Whether a stage waits for somebody else's computer instead of working on this one."""
    if stage == "generated_picture":
        return request.provider != LOCAL
    return stage == "motion_prompt" and request.expand != "off"


def parameters_of(work: Work, stage: str) -> Mapping[str, object]:
    """Return the parameters of the job that makes ``stage`` now."""
    image = work.workshop.images.get(work.image_key)
    model: str | None = None
    frames: int | None = None
    if stage == "generated_picture":
        model = work.workshop.pictures.provider(work.request.provider).model
    elif stage == "animatic_clip":
        frames = work.input("movement_prediction", MovementPrediction).camera_path.frame_count
    return stage_parameters(
        stage,
        (image.width, image.height),
        work.request,
        provider_model=model,
        frame_count=frames,
    ) | {
        "run_id": work.workshop.run_id,
        "partition_key": work.image_key,
        "queue_time_seconds": work.workshop.queue_seconds,
    }


@cache
def this_worker() -> str:
    """Return the name of this machine in job records."""
    return platform.node() or "unknown"
