"""What keeps a workplace from growing: caches within their bounds, old records and results gone.

Belongs here: the steps, over all rooms. Does not belong here: what each of them removes (the
rooms), Dagster's own runs and partitions (``orchestration``), when the turn comes (``defs``).
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from animatize_assets.images.durable import local_path
from animatize_assets.images.superseded import Tidied, remove_superseded
from animatize_assets.pipeline.source_opening import open_caches, open_results
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.settings import Settings

if TYPE_CHECKING:
    from animatize_assets.generation.old_records import DeletedRecords
    from animatize_assets.images.artifacts import ArtifactStore
    from animatize_assets.images.store import ImageStore
    from animatize_assets.performance.opening import PerformanceRoom
    from animatize_assets.pipeline.generation_setup import GenerationSetup

_log = logging.getLogger(__name__)

UPLOAD_TAKES = timedelta(hours=1)
"""Far longer than one image takes to be stored: files of none that are older belong to nobody."""


@dataclass(frozen=True)
class KeepFor:
    """How long what is kept."""

    archive_after: timedelta
    superseded: timedelta
    runs: timedelta
    trainings: timedelta
    ledger: timedelta

    @classmethod
    def of(cls, settings: Settings) -> KeepFor:
        """Return what is set."""
        return cls(
            archive_after=timedelta(days=settings.archive_after_days),
            superseded=timedelta(days=settings.superseded_retention_days),
            runs=timedelta(days=settings.run_retention_days),
            trainings=timedelta(days=settings.training_retention_days),
            ledger=timedelta(days=settings.ledger_retention_days),
        )


@dataclass(frozen=True)
class TidiedStores:
    """What was removed."""

    results: Tidied
    """Of the stages, which others have replaced."""
    orphans: int
    """Folders of uploads that never became images."""
    records: DeletedRecords
    trainings: int


def clean_caches(
    setup: GenerationSetup, artifacts: ArtifactStore, images: ImageStore
) -> dict[str, int]:
    """Bring the result store within its bounds, and remove what crashes left; counts by kind."""
    dropped = asdict(open_results(setup, artifacts, images.engine).clean())
    caches = open_caches(setup, artifacts, images.engine)
    dropped["locks"] = caches.flights.clean() if caches else 0
    return dropped


def tidy_stores(
    images: ImageStore,
    artifacts: ArtifactStore,
    room: PerformanceRoom,
    keep_for: KeepFor,
    *,
    now: datetime,
) -> TidiedStores:
    """Remove what is too old. Safe to stop at any moment, and to run beside everything else.

    Raises:
        StorageFailed: a storage, or MLflow, refused.
        SQLAlchemyError: a database could not be read or written.
        OSError: a folder could not be read.

    """
    from animatize_assets.generation.old_records import delete_old_records  # noqa: PLC0415
    from animatize_assets.images.orphans import remove_orphans  # noqa: PLC0415  # SQLAlchemy

    data_dir = local_path(artifacts.data_dir)
    return TidiedStores(
        results=remove_superseded(artifacts, STAGES, before=now - keep_for.superseded),
        orphans=remove_orphans(data_dir, images.engine, before=now - UPLOAD_TAKES)
        if data_dir is not None
        else 0,
        records=delete_old_records(images.engine, before=now - keep_for.ledger),
        trainings=room.registry.delete_old_runs(now - keep_for.trainings)
        if room.registry.rows.versions()
        else 0,  # nothing was ever trained, and MLflow's import takes seconds
    )
