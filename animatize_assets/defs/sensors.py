"""Sensors: from a file in the watched folder to a run, and from a registered image to its chain.

Belongs here: gathering what a decision needs and phrasing it as a run request. Does not belong
here: the decisions (``pipeline.watched_folder``), opening any file (``ingest``). Both sensors
find what was started before in the runs themselves, so a restart starts nothing twice.
See https://docs.dagster.io/guides/automate/sensors.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

import dagster as dg

from animatize_assets.defs.ingest import INGEST_OP
from animatize_assets.defs.jobs import ANIMATE_JOB, INGEST_JOB
from animatize_assets.defs.launch_estimates import estimate_tags, tags_or_none
from animatize_assets.defs.partitions import IMAGE_PARTITIONS, images, range_tags
from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.defs.resources import Stores
from animatize_assets.defs.run_telemetry import asking, note_asked
from animatize_assets.defs.stopped_runs import STOPPED_TAG
from animatize_assets.errors import DiskNearlyFull
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.pipeline.watched_folder import SeenFile, decide, first_range, list_files
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import disk_space

INTERVAL_S = 15
"""Seconds between two looks; a file is taken in when two looks find it unchanged."""

LONGEST_RANGE = 500
"""Images in one run at most."""

NOTES_PER_TICK = 1_000
"""Registered images that one tick reads of."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
UNSUCCESSFUL = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def new_uploads(context: dg.SensorEvaluationContext, stores: Stores) -> dg.SensorResult:
    """Take in what has arrived: at most one run of at most 100 files."""
    if (full := no_room()) is not None:
        return dg.SensorResult(cursor=context.cursor, skip_reason=full)
    uploads = stores.uploads()
    files = list_files(uploads) if uploads.is_dir() else []
    decision = decide(
        files,
        before=json.loads(context.cursor) if context.cursor else {},
        claimed=_claimed(context.instance),
        tries=_tries(context.instance, files),
    )
    cursor = json.dumps(decision.seen, separators=(",", ":"))
    if decision.given_up:
        context.log.error(
            "No run could take in %d file(s), see the failed runs of %s: %s. Move them away, or "
            "touch them to try again.",
            len(decision.given_up),
            INGEST_JOB,
            ", ".join(decision.given_up[:20]),
        )
    if not decision.batch:
        return dg.SensorResult(
            cursor=cursor,
            skip_reason=dg.SkipReason(
                f"{decision.growing} new or growing, {decision.claimed} being taken in, "
                f"{len(decision.given_up)} given up in {uploads}."
            ),
        )
    with asking("new_uploads") as traced:
        request = dg.RunRequest(
            run_config={"ops": {INGEST_OP: {"config": {"files": list(decision.batch)}}}},
            tags=dict(traced),
        )
    return dg.SensorResult(cursor=cursor, run_requests=[request])


def new_images(
    context: dg.SensorEvaluationContext, stores: Stores, performance: PerformanceResource
) -> dg.SensorResult:
    """Ask for the chain of newly registered images: one run per tick, never one per image."""
    if (full := no_room()) is not None:
        return dg.SensorResult(skip_reason=full)
    instance = context.instance
    notes = _settled_notes(instance, int(context.cursor or 0))
    if not notes:
        return dg.SensorResult(skip_reason=dg.SkipReason("No image was registered since."))
    wanted = _never_asked_for(instance, [key for _, key in notes])
    keys = first_range(
        wanted, instance.get_dynamic_partitions(IMAGE_PARTITIONS), longest=LONGEST_RANGE
    )
    left = set(wanted) - set(keys)
    # Stop before the first note that is still to be answered; the next tick reads on from there.
    answered = [id_ for id_, key in takewhile(lambda note: note[1] not in left, notes)]
    cursor = str(answered[-1]) if answered else context.cursor
    if not keys:
        return dg.SensorResult(
            cursor=cursor, skip_reason=dg.SkipReason("All registered images were asked for before.")
        )
    with asking("new_images") as traced:
        told = tags_or_none(lambda: _estimated(keys, stores, performance))
        request = dg.RunRequest(tags={**told, **range_tags(keys), **traced})
    return dg.SensorResult(cursor=cursor, run_requests=[request])


def _estimated(
    keys: Sequence[str], stores: Stores, performance: PerformanceResource
) -> Mapping[str, str]:
    """Tell how long the chain of ``keys`` takes as it is asked for here: all made on this machine.

    Each image's trace is told, too, that its chain was asked for.

    By the formula and finished jobs: loading an estimator costs seconds, and the daemon looks at
    one sensor after the other. The run itself asks the estimator, where there is one.
    """
    opened, _ = stores.open()
    from animatize_assets.generation.local import LocalProvider  # noqa: PLC0415  # loads OpenCV

    room = performance.room()
    try:
        note_asked(opened, keys)
        return estimate_tags(
            opened,
            keys,
            PipelineRequest(),
            STAGES,
            room.formula,
            at_once=1,
            provider_model=LocalProvider.model,
        )
    finally:
        opened.engine.dispose()
        room.close()


def no_room() -> dg.SkipReason | None:
    """Say why no work begins: the disk is nearly full; None when there is room."""
    try:
        disk_space(Settings.read()).check()
    except DiskNearlyFull as error:
        return dg.SkipReason(error.message)
    return None


def _files_of(run: dg.DagsterRun) -> Sequence[str]:
    config: Mapping[str, Any] = run.run_config
    return list(config.get("ops", {}).get(INGEST_OP, {}).get("config", {}).get("files", []))


def _claimed(instance: dg.DagsterInstance) -> set[str]:
    """Names that ingest runs will take in which have not ended."""
    runs = instance.get_runs(dg.RunsFilter(job_name=INGEST_JOB, statuses=UNFINISHED))
    return {name for run in runs for name in _files_of(run)}


def _tries(instance: dg.DagsterInstance, files: Sequence[SeenFile]) -> dict[str, int]:
    """Name -> ingest runs that ended without success since the file is what it is."""
    if not files:
        return {}
    changed = {file.name: file.changed_ns / 1e9 for file in files}
    records = instance.get_run_records(
        dg.RunsFilter(
            job_name=INGEST_JOB,
            statuses=UNSUCCESSFUL,
            created_after=datetime.fromtimestamp(min(changed.values()), UTC),
        )
    )
    tries: dict[str, int] = {}
    for record in records:
        if STOPPED_TAG in record.dagster_run.tags:
            continue  # it looked at no file
        created = record.create_timestamp.timestamp()
        for name in _files_of(record.dagster_run):
            if name in changed and created > changed[name]:
                tries[name] = tries.get(name, 0) + 1
    return tries


def _settled_notes(instance: dg.DagsterInstance, after: int) -> list[tuple[int, str]]:
    """(storage id, image key) of what ingest runs noted, up to the first run that still goes on.

    Waiting for its end keeps the images of one ingest run together in one range.
    """
    found = instance.fetch_observations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("source_image"), after_storage_id=after),
        limit=NOTES_PER_TICK,
        ascending=True,
    ).records
    going_on: dict[str, bool] = {}
    notes: list[tuple[int, str]] = []
    for record in found:
        if record.run_id not in going_on:
            run = instance.get_run_by_id(record.run_id)
            going_on[record.run_id] = run is not None and not run.is_finished
        if going_on[record.run_id]:
            break
        if record.partition_key is not None:
            notes.append((record.storage_id, record.partition_key))
    return notes


def _never_asked_for(instance: dg.DagsterInstance, keys: Sequence[str]) -> list[str]:
    """Those of ``keys`` that no run has made, tried or planned."""
    statuses = (
        instance.get_status_by_partition(dg.AssetKey("source_image"), list(keys), images) or {}
    )
    return [key for key in dict.fromkeys(keys) if statuses.get(key) is None]


def build_sensors(interval_s: int | None = None) -> list[dg.SensorDefinition]:
    """Make both sensors; they run from the start.

    ``interval_s``: seconds between two looks; None: as many as :data:`INTERVAL_S`.
    """
    return [
        dg.sensor(
            name="new_uploads",
            job_name=INGEST_JOB,
            minimum_interval_seconds=interval_s or INTERVAL_S,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Starts one ingest run for files in <data>/uploads that stopped growing.",
        )(new_uploads),
        dg.sensor(
            name="new_images",
            job_name=ANIMATE_JOB,
            minimum_interval_seconds=interval_s or INTERVAL_S,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Starts one ranged run of the chain for images that were taken in.",
        )(new_images),
    ]
