"""``animatize rate KEY 1-5``: a person's rating of what was made of an image."""

from __future__ import annotations

from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.terminal import Terminal
from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.pipeline.job_parameters import FRAME_STAGES
from animatize_assets.workplace.opening import open_workplace


def rate(terminal: Terminal, key: str, rating: int) -> int:
    """Keep the rating with the jobs that made the newest picture and clip; 1 without any."""
    workplace = open_workplace()
    image_key = resolve_key(key, workplace.known_keys())
    store = workplace.performance.store
    jobs = _newest(store, image_key)
    if not jobs:
        terminal.error(
            "no_jobs",
            f"No job record of a picture or clip of {image_key} is here: it was made before jobs "
            "were recorded, or the record is too old and gone. `animatize run --all` records what "
            "it makes.",
        )
        return 1
    job_ids = [job.job_id for job in jobs]
    store.rate(job_ids, rating)
    terminal.document({"image_key": image_key, "rating": rating, "jobs": job_ids})
    made = " and ".join(job.parameters.job_type for job in jobs)
    terminal.say(f"Rated {rating} of 5: {made} of {image_key}.")
    return 0


def _newest(store: PerformanceStore, image_key: str) -> list[JobRecord]:
    """Return the job that made the newest picture, and that of the newest clip.

    Older ones made something else than what the person sees.
    """
    found = []
    for stage in FRAME_STAGES:
        found += store.jobs(job_type=stage, partition_key=image_key, success=True, newest=1)
    return found
