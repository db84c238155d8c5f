"""Jobs that keep the workplace from growing, which schedules, sensors and people start by name.

The steps of ``keep_small`` need nothing of each other: one that fails keeps none from its turn.

Belongs here: the steps, and what they tell. Does not belong here: what each removes
(``workplace.housekeeping``, ``orchestration``), for how long what is kept (``settings``).
See docs/retention.md.
"""

from datetime import UTC, datetime

import dagster as dg

from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.defs.resources import Stores
from animatize_assets.settings import Settings

ARCHIVED_AT_ONCE = 10_000
"""Images archived by one run: far more than arrive in a day."""

clean_caches = dg.define_asset_job(
    "clean_caches",
    selection=dg.AssetSelection.assets("cache_usage"),
    description="Bring the caches back within their bounds, and tell what grows.",
)


@dg.op(
    description="Archive images that nobody touched for ANIMATIZE_ARCHIVE_AFTER_DAYS: their files "
    "and records stay, `animatize unarchive KEY` brings them back.",
    out=dg.Out(dg.Nothing),
)
def archive_untouched_images(context: dg.OpExecutionContext, stores: Stores) -> None:
    """Archive what nobody touched for long."""
    from animatize_assets.images.archive import ImageArchive  # noqa: PLC0415  # SQLAlchemy
    from animatize_assets.images.states import ImageStates  # noqa: PLC0415
    from animatize_assets.orchestration import archive_images, forget_ended_runs  # noqa: PLC0415
    from animatize_assets.workplace.housekeeping import KeepFor  # noqa: PLC0415

    images, _ = stores.open()
    try:
        forget_ended_runs(context.instance, ImageStates(images.engine))
        since = datetime.now(UTC) - KeepFor.of(Settings.read()).archive_after
        archive = ImageArchive(images.engine)
        untouched = archive.untouched(since, limit=ARCHIVED_AT_ONCE)
        archived = archive_images(context.instance, archive, untouched, untouched_since=since)
        context.log.info(
            "%d images were archived; %d are in the archive.", len(archived), archive.count()
        )
    finally:
        images.engine.dispose()


@dg.op(
    description="Delete Dagster's runs older than ANIMATIZE_RUN_RETENTION_DAYS with their events "
    "and logs, but none that the state of a partition depends on.",
    out=dg.Out(dg.Nothing),
)
def delete_old_dagster_runs(context: dg.OpExecutionContext) -> None:
    """Delete runs that nothing depends on any more."""
    from animatize_assets.orchestration import delete_old_runs  # noqa: PLC0415
    from animatize_assets.workplace.housekeeping import KeepFor  # noqa: PLC0415  # SQLAlchemy

    before = datetime.now(UTC) - KeepFor.of(Settings.read()).runs
    done = delete_old_runs(context.instance, before=before)
    context.log.info(
        "%d old runs were deleted; %d stay, because partitions depend on them.",
        done.deleted,
        done.kept,
    )


@dg.op(
    description="Delete old requests, closed paid calls, replaced results with their previews, "
    "trainings in MLflow, and what crashes left of uploads.",
    out=dg.Out(dg.Nothing),
)
def tidy_old_records(
    context: dg.OpExecutionContext, stores: Stores, performance: PerformanceResource
) -> None:
    """Delete what is too old."""
    from animatize_assets.workplace.housekeeping import KeepFor, tidy_stores  # noqa: PLC0415

    images, artifacts = stores.open()
    room = performance.room()
    keep_for = KeepFor.of(Settings.read())
    try:
        done = tidy_stores(images, artifacts, room, keep_for, now=datetime.now(UTC))
    finally:
        images.engine.dispose()
        room.close()
    context.log.info("Removed: %s.", done)


@dg.job(
    description="Archive what nobody touched, and delete what is too old; nothing in use, no open "
    "call and nothing refused is touched."
)
def keep_small() -> None:
    """Archive what nobody touched, and delete what is too old."""
    archive_untouched_images()
    delete_old_dagster_runs()
    tidy_old_records()


housekeeping_jobs = (clean_caches, keep_small)
