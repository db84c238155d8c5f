"""Jobs: what a person or a sensor starts by name.

Belongs here: selections of assets, and the one job that is not about assets. Does not belong
here: what they compute. See https://docs.dagster.io/guides/build/jobs.
"""

import dagster as dg

from animatize_assets.defs.assets import GROUP
from animatize_assets.defs.expansion import expand_prompts
from animatize_assets.defs.ingest import ingest_files

ANIMATE_JOB = "animate_images"
INGEST_JOB = "ingest_uploads"

MAX_INGEST_S = 1_800
"""Far longer than 100 files of the largest size take, seconds."""

animate_images = dg.define_asset_job(
    ANIMATE_JOB,
    selection=dg.AssetSelection.groups(GROUP),
    description="The whole chain of each image, from the upload to picture and clip.",
)

rerender_images = dg.define_asset_job(
    "rerender_images",
    selection=dg.AssetSelection.assets("generated_picture", "animatic_clip"),
    description="Picture and clip only, from the analysis, movement and prompt that are there.",
)


@dg.job(
    name=INGEST_JOB,
    description="Validate and register uploaded files; at most 100 at a time.",
    tags={
        "animatize/ingest": "uploads",  # one at a time: dagster_instance.yaml
        # A run that died with its machine would claim its files for ever.
        "dagster/max_runtime": MAX_INGEST_S,
    },
)
def ingest_uploads() -> None:
    """Validate and register uploaded files."""
    ingest_files()


default_jobs = (animate_images, rerender_images, ingest_uploads, expand_prompts)
