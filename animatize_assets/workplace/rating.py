"""A person's rating of what was made of an image.

Belongs here: finding the jobs that made what the person sees. Does not belong here: how a rating
is stored (``performance.store``).
"""

from __future__ import annotations

from animatize_assets.errors import NoJobs
from animatize_assets.performance.models import JobRecord
from animatize_assets.pipeline.job_parameters import FRAME_STAGES
from animatize_assets.workplace.opening import Workplace


def rate_image(workplace: Workplace, image_key: str, rating: int) -> tuple[JobRecord, ...]:
    """Keep the rating, 1 to 5, with the jobs that made the newest picture and the newest clip.

    Older ones made something else than what the person sees.

    Raises:
        NoJobs: no such job is recorded.

    """
    store = workplace.performance.store
    jobs: list[JobRecord] = []
    for stage in FRAME_STAGES:
        jobs += store.jobs(job_type=stage, partition_key=image_key, success=True, newest=1)
    if not jobs:
        raise NoJobs(
            f"No job record of a picture or clip of {image_key} is here: it was made before jobs "
            "were recorded, or the record is too old and gone. `animatize run --all` records what "
            "it makes."
        )
    store.rate([job.job_id for job in jobs], rating)
    return tuple(jobs)
