"""What happens around a disk that is nearly full: it is cleaned, and what was stopped goes on.

While there is too little room no work is begun: the sensors that start runs skip (``sensors``), a
run that starts all the same stops before its first stage or paid call and says so in a tag.
When there is room again, this sensor asks for each stopped run once more; what it had finished is
found again.

Belongs here: the tag, and that sensor. Does not belong here: the limit (``images.disk_space``).
See https://docs.dagster.io/guides/automate/sensors.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import AwareDatetime, Field

from animatize_assets.defs.housekeeping_jobs import clean_caches
from animatize_assets.defs.jobs import ANIMATE_JOB, animate_images
from animatize_assets.defs.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from animatize_assets.defs.stopped_runs import STOPPED_TAG
from animatize_assets.errors import DiskNearlyFull
from animatize_assets.records import Record
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import disk_space

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERVAL_S = 30

MOST_AT_ONCE = 20
"""Stopped runs that one look asks for again; the next look goes on."""


class Seen(Record):
    """What the looks before have done."""

    cleaned: bool = Field(default=False, description="the caches, since the disk is full")
    continued_until: AwareDatetime | None = Field(
        default=None, description="runs that were stopped until then were asked for again"
    )


def disk_room(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Clean once when the disk is nearly full; go on with what was stopped when it is not."""
    seen = Seen.model_validate_json(context.cursor) if context.cursor else Seen()
    try:
        disk_space(Settings.read()).check()
    except DiskNearlyFull as error:
        return _cleaning(context, seen, error.message)
    stopped = _stopped(context.instance, seen)
    until = max((_ended(record) for record in stopped), default=seen.continued_until)
    return dg.SensorResult(
        run_requests=[_again(record.dagster_run) for record in stopped],
        skip_reason=None if stopped else dg.SkipReason("There is room, and nothing was stopped."),
        cursor=Seen(continued_until=until).model_dump_json(),
    )


def _cleaning(context: dg.SensorEvaluationContext, seen: Seen, message: str) -> dg.SensorResult:
    cursor = seen.model_copy(update={"cleaned": True}).model_dump_json()
    if seen.cleaned:
        return dg.SensorResult(skip_reason=dg.SkipReason(message), cursor=cursor)
    context.log.error("%s The caches are cleaned now.", message)
    return dg.SensorResult(run_requests=[dg.RunRequest(job_name=clean_caches.name)], cursor=cursor)


def _stopped(instance: dg.DagsterInstance, seen: Seen) -> "Sequence[dg.RunRecord]":
    """Return runs that were stopped and not asked for again, those that ended first first."""
    filters = dg.RunsFilter(
        tags={STOPPED_TAG: DiskNearlyFull.code},
        statuses=[dg.DagsterRunStatus.FAILURE],
        updated_after=seen.continued_until,
    )
    found = [
        record
        for record in instance.get_run_records(filters)
        if _is_of_images(record.dagster_run)
        and (seen.continued_until is None or _ended(record) > seen.continued_until)
    ]
    return sorted(found, key=_ended)[:MOST_AT_ONCE]


def _is_of_images(run: dg.DagsterRun) -> bool:
    """Files that were not taken in lie where they were: their sensor finds them by itself."""
    return PARTITION_TAG in run.tags or RANGE_START_TAG in run.tags


def _again(run: dg.DagsterRun) -> dg.RunRequest:
    partitions = (PARTITION_TAG, RANGE_START_TAG, RANGE_END_TAG)
    selection = sorted(run.asset_selection) if run.asset_selection else None
    return dg.RunRequest(
        job_name=ANIMATE_JOB,
        run_key=f"after a full disk: {run.run_id}",
        run_config={"ops": run.run_config["ops"]} if "ops" in run.run_config else {},
        tags={name: run.tags[name] for name in partitions if name in run.tags},
        asset_selection=selection,
    )


def _ended(record: dg.RunRecord) -> datetime:
    moment = record.update_timestamp
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def build_disk_sensor(interval_s: int = INTERVAL_S) -> dg.SensorDefinition:
    """Make the sensor; it runs from the start, and costs a look at the disk and one query."""
    return dg.sensor(
        name="disk_room",
        jobs=[clean_caches, animate_images],
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Cleans the caches when the disk is nearly full; goes on with what was stopped "
        "when there is room again.",
    )(disk_room)
