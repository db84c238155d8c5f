"""Images of a served data folder, with results that cost nothing to make."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from animatize_assets.pipeline.progress import open_progress
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES, run_stages
from animatize_assets.web.service import Service
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
