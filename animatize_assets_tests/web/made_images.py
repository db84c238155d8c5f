"""Images of a served data folder, with results that cost nothing to make."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from animatize_assets.generation.models import Attempt, PictureRecord
from animatize_assets.generation.request_log import LoggedRequest, RequestLog, RequestOutcome
from animatize_assets.pipeline.progress import open_progress
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES, run_stages
from animatize_assets.web.service import Service
from animatize_assets.workplace.opening import Workplace
from animatize_assets_tests.pipeline.cheap import cheap_stages, write_images


def ingest(service: Service, folder: Path, count: int) -> list[str]:
    """Take in as many small images; returns their keys."""
    files = write_images(folder, count)
    return [service.images.ingest(file).image_key or "" for file in files]


def animate(
    service: Service, keys: Sequence[str], *, run_id: str = "run-1", noted: bool = True
) -> None:
    """Make everything of these images; ``noted``: as a run does, which tells the list of it."""
    with service.workplace.workshop() as opened:
        workshop = replace(opened, stages=cheap_stages(service.data_dir))
        progress = open_progress(workshop, STAGES)
        if noted:
            progress.begin(keys, run_id)
        with closing(progress):
            for key in keys:
                for outcome in run_stages(workshop, key, PipelineRequest()):
                    if noted:
                        progress.note(outcome)


SIDE = 48


def picture_of(color: int) -> bytes:
    """A PNG of one grey."""
    file = io.BytesIO()
    Image.fromarray(np.full((SIDE, SIDE, 3), color, np.uint8)).save(file, "PNG")
    return file.getvalue()


def ask(
    workplace: Workplace,
    image_key: str,
    result_key: str,
    provider: str,
    *,
    run_id: str | None = None,
    outcome: RequestOutcome = "made",
    cost_usd: float | None = 0.25,
) -> None:
    """Log a request that was given the picture of that key."""
    asked = LoggedRequest(
        image_key=image_key,
        target="generic",
        style="cinematic",
        provider=provider,
        model=f"{provider}-model",
        width=SIDE,
        height=SIDE,
        movement="push_in",
        outcome=outcome,
        run_id=run_id,
        made_by=provider,
        cost_usd=cost_usd,
        result_key=result_key,
    )
    RequestLog(workplace.images.engine).write(asked)


def keep(
    workplace: Workplace,
    image_key: str,
    result_key: str,
    provider: str,
    *,
    content: bytes,
    seconds: Sequence[float] = (2.0, 1.5),
    prompt: str | None = "Slow push in.",
) -> PictureRecord:
    """Keep a picture as a run does; it is the image's picture from then on."""
    calls = tuple(
        Attempt(
            provider=provider,
            model=f"{provider}-model",
            started_at=datetime(2026, 11, 2, tzinfo=UTC),
            seconds=took,
            outcome="made",
            cost_usd=0.25,
        )
        for took in seconds
    )
    with workplace.artifacts.draft("generated_picture", image_key, result_key) as draft:
        draft.path("picture.png").write_bytes(content)
        return draft.commit(
            PictureRecord(
                provider=provider,
                model=f"{provider}-model",
                path=draft.relative("picture.png"),
                media_type="image/png",
                sha256=hashlib.sha256(content).hexdigest(),
                width=SIDE,
                height=SIDE,
                seed=1,
                graded=False,
                cost_usd=0.5,
                attempts=calls,
                asked_provider=provider,
                request={"provider": provider},
                prompt=prompt,
            )
        )
