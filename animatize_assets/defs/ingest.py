"""The step that takes in uploads: validate, register, put refused ones aside.

Belongs here: the order in which an upload becomes an image without ever being lost. Does not
belong here: what a valid upload is (``images``), which files are ready (``sensors``).
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from animatize_assets.defs.partitions import IMAGE_PARTITIONS
from animatize_assets.defs.performance import PerformanceResource, tracked_step
from animatize_assets.defs.resources import Stores
from animatize_assets.defs.stopped_runs import begin_with_room
from animatize_assets.errors import AnimatizeError
from animatize_assets.images.models import IngestOutcome
from animatize_assets.images.quarantine import quarantine
from animatize_assets.pipeline.watched_folder import FILES_PER_RUN, is_watched
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import disk_space

if TYPE_CHECKING:
    from animatize_assets.images.archive import ImageArchive

INGEST_OP = "ingest_files"


class IngestConfig(dg.Config):
    """Which files to take in."""

    files: list[str] = Field(
        description="Paths, absolute or relative to the watched folder.", max_length=FILES_PER_RUN
    )


@dg.op(
    name=INGEST_OP,
    description="Validate, store and register each file; put refused ones of the watched folder "
    "into quarantine.",
    out=dg.Out(list, description="What became of each file."),
)
def ingest_files(
    context: dg.OpExecutionContext,
    config: IngestConfig,
    stores: Stores,
    performance: PerformanceResource,
) -> list[dict[str, Any]]:
    """Take in files one by one; one that cannot be read costs no other."""
    begin_with_room(context, disk_space(Settings.read()))
    with tracked_step(context, performance, INGEST_OP, batch_size=len(config.files)):
        return _take_in(context, config.files, stores)


def _take_in(
    context: dg.OpExecutionContext, files: Sequence[str], stores: Stores
) -> list[dict[str, Any]]:
    from animatize_assets.images.archive import ImageArchive  # noqa: PLC0415  # SQLAlchemy

    images, _ = stores.open()
    archive = ImageArchive(images.engine)
    uploads = stores.uploads()
    outcomes: list[IngestOutcome] = []
    broken: dict[str, str] = {}
    for name in files:
        path = uploads / name  # an absolute path stays as it is
        watched = is_watched(path, uploads)
        if watched and not os.path.lexists(path):
            context.log.info("%s was taken in before.", name)  # by a run that ended too early
            continue
        try:
            outcome = images.ingest(path)
            _register(context, outcome, archive)
            if watched:
                _clear_away(path, stores, outcome)
        except (AnimatizeError, OSError) as error:
            # The file stays where it is and is offered again by the sensor.
            context.log.exception("%s could not be taken in.", name)
            broken[name] = f"{type(error).__name__}: {error}"
            continue
        outcomes.append(outcome)
    _tell(context, outcomes)
    if broken:
        raise dg.Failure(
            f"{len(broken)} of {len(files)} files could not be taken in; the others are.",
            metadata={"failed_files": dg.MetadataValue.json(broken)},
            allow_retries=False,
        )
    return [outcome.model_dump(mode="json") for outcome in outcomes]


def _register(
    context: dg.OpExecutionContext, outcome: IngestOutcome, archive: "ImageArchive"
) -> None:
    """Make an accepted image a partition, and leave the note that asks for its chain.

    An archived one comes back as it was: what is materialized is not asked for again.
    """
    key = outcome.image_key
    if key is None:
        return
    from animatize_assets.orchestration.archive import unarchive_images  # noqa: PLC0415

    unarchive_images(context.instance, archive, [key])
    context.instance.add_dynamic_partitions(IMAGE_PARTITIONS, [key])
    context.log_event(
        dg.AssetObservation(
            "source_image",
            partition=key,
            metadata={"file": outcome.file, "status": outcome.status},
        )
    )


def _clear_away(path: Path, stores: Stores, outcome: IngestOutcome) -> None:
    """Empty the watched folder of a file that is stored for good, or refused."""
    if outcome.status == "rejected":
        quarantine(path, stores.location(), outcome)
    else:
        path.unlink(missing_ok=True)


def _tell(context: dg.OpExecutionContext, outcomes: Sequence[IngestOutcome]) -> None:
    refused = {o.file: f"{o.code}: {o.reason}" for o in outcomes if o.status == "rejected"}
    for file, reason in refused.items():
        context.log.warning("Refused %s: %s", file, reason)
    context.add_output_metadata(
        {
            "accepted": sum(o.status == "accepted" for o in outcomes),
            "duplicates": sum(o.status == "duplicate" for o in outcomes),
            "refused": len(refused),
            "refused_files": dg.MetadataValue.json(refused),
        }
    )
