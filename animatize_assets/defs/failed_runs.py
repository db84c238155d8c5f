"""What failed in a Dagster run, in the words of ``performance.run_alerts``.

Belongs here: reading runs, their events and the state of partitions. Does not belong here: what is
told of it, and when (``performance.run_alerts``), the sensor (``run_sensors``).
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from animatize_assets.defs.failed_images import FAILED_IMAGES
from animatize_assets.defs.jobs import default_jobs
from animatize_assets.defs.partitions import (
    IMAGE_PARTITIONS,
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    images,
)
from animatize_assets.defs.stopped_runs import STOPPED_TAG
from animatize_assets.performance.run_alerts import FailedWork, by_kind
from animatize_assets.pipeline.stages import STAGES

WILL_RETRY_TAG = "dagster/will_retry"
"""Dagster's tag on a failed run that it starts again by itself (_core/storage/tags.py, 1.13)."""

JUDGED_WITHIN = timedelta(minutes=1)
"""Dagster needs two statements for it (``instance.methods.event_methods``, 1.13)."""

CHECK_FAILED = "DagsterAssetCheckFailedError"
"""How a step ends whose blocking asset check does not pass: a verdict, no failure."""

LATER_RUNS = 50
"""Successful runs of a job that are looked through for one that did the same again."""

FAILURES = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}


def is_judged(instance: dg.DagsterInstance, record: dg.RunRecord | None, *, now: datetime) -> bool:
    """Whether Dagster has said whether it starts a failed run again; True of a run that is gone.

    It says so in a tag, a moment after the failure is known. Where it has not after
    :data:`JUDGED_WITHIN`, the process that was to say it is gone: a person must be told.
    """
    if record is None or not instance.run_retries_enabled:
        return True
    return WILL_RETRY_TAG in record.dagster_run.tags or now - ended_at(record) > JUDGED_WITHIN


def failures_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> Iterator[FailedWork]:
    """Give what failed in a run, by stage and kind of failure.

    Nothing of a run that goes on by itself (Dagster starts it again, or the disk was full), and
    nothing of one whose blocking asset check did not pass.
    """
    run = record.dagster_run
    # One that no code server ran cannot be started again, whatever the tag says.
    will_retry = run.tags.get(WILL_RETRY_TAG) == "true" and run.remote_job_origin is not None
    if will_retry or STOPPED_TAG in run.tags:
        return
    events = [
        entry.event_log_entry.dagster_event
        for entry in instance.get_records_for_run(run.run_id, of_type=FAILURES).records
    ]
    steps = [event.step_failure_data for event in events if event and event.is_step_failure]
    if steps and all(step.error and step.error.cls_name == CHECK_FAILED for step in steps):
        return
    stages = _stages_of(run)
    keys = keys_of(instance, run) if stages else ()
    known: Mapping[str, Any] = {
        "job": run.job_name,
        "run_ids": (run.run_id,),
        "failed_at": ended_at(record),
        "total": len(keys),
    }
    listed = _failed_images(steps)
    for kind, failed in by_kind(listed).items():
        told = listed[failed[0]]
        yield FailedWork(
            **known,
            kind=kind,
            images=tuple(failed),
            stages=stages,
            reason=f"{told['asset']}: {told['reason']}",
            remedy=told.get("remedy", ""),
        )
    if not listed:
        yield FailedWork(
            **known,
            kind="run",
            images=keys,
            stages=stages if keys else (),
            scope="" if keys else _scope(run),
            reason=_reason(events),
            remedy="See the run's log in Dagster's UI.",
        )


def unfinished(
    instance: dg.DagsterInstance, keys: Collection[str], stages: Collection[str]
) -> Sequence[str]:
    """Return those of ``keys`` that lack one of ``stages``; archived images lack nothing."""
    there = set(instance.get_dynamic_partitions(IMAGE_PARTITIONS))
    asked = [key for key in keys if key in there]
    lacking: set[str] = set()
    for stage in stages:
        statuses = instance.get_status_by_partition(dg.AssetKey(stage), asked, images) or {}
        made = {key for key, status in statuses.items() if status and status.value == _MADE}
        lacking |= set(asked) - made
    return [key for key in asked if key in lacking]


_MADE = "MATERIALIZED"


def is_repaired(instance: dg.DagsterInstance, work: FailedWork) -> bool:
    """Whether a later run of the same job, assets and partition succeeded."""
    later = instance.get_run_records(
        dg.RunsFilter(
            job_name=work.job,
            statuses=[dg.DagsterRunStatus.SUCCESS],
            updated_after=work.failed_at,
        ),
        limit=LATER_RUNS,
    )
    return any(_scope(record.dagster_run) == work.scope for record in later)


def keys_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, ...]:
    """Return the images of a run, as far as they are still there."""
    order = list(instance.get_dynamic_partitions(IMAGE_PARTITIONS))
    if PARTITION_TAG in run.tags:
        return tuple(key for key in order if key == run.tags[PARTITION_TAG])
    first, last = run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)
    if first not in order or last not in order:
        return ()
    return tuple(order[order.index(first) : order.index(last) + 1])


def ended_at(record: dg.RunRecord) -> datetime:
    """Return when a run ended, or last changed."""
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, UTC)
    moment = record.update_timestamp
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _stages_of(run: dg.DagsterRun) -> tuple[str, ...]:
    """Return what a run was to make of images; empty when it is about something else."""
    if run.asset_selection:
        selected = {key.to_user_string() for key in run.asset_selection}
    else:
        job = next((job for job in default_jobs if job.name == run.job_name), None)
        is_of_assets = job is not None and not isinstance(job, dg.JobDefinition)
        selected = set(STAGES) if is_of_assets else set()
    return tuple(stage for stage in STAGES if stage in selected)


def _scope(run: dg.DagsterRun) -> str:
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    return " ".join([*assets, run.tags.get(PARTITION_TAG, "")]).strip()


def _failed_images(steps: Sequence[Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for step in steps:
        stated = step.user_failure_data.metadata if step.user_failure_data else {}
        if FAILED_IMAGES in stated:
            listed = stated[FAILED_IMAGES].value
            found |= json.loads(listed) if isinstance(listed, str) else listed
    return found


def _reason(events: Sequence[dg.DagsterEvent | None]) -> str:
    from animatize_assets.orchestration.run_watch import (  # noqa: PLC0415  # SQLAlchemy
        sentence_of,
        sentence_of_run,
    )

    for event in events:
        if event is not None and event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return str(data.user_failure_data.description).splitlines()[0]
            return sentence_of(data.error, event.step_key)
    ends = (event for event in events if event is not None)
    return next(map(sentence_of_run, ends), "The run ended without saying why.")
