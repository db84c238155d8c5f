"""How far a batch of images is: a run, one of Dagster's backfills, or all runs of one request.

Belongs here: reading it from a live instance, and when it will be done by what was said of it.
Does not belong here: the estimate itself (``workplace.run_estimates``), starting runs (``runs``,
``detached``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter
from pydantic import AwareDatetime, Field

from animatize_assets.errors import BatchNotFound
from animatize_assets.orchestration.code_location import load_definitions, pipeline_assets
from animatize_assets.orchestration.partitions import image_keys
from animatize_assets.orchestration.run_watch import RunWatch
from animatize_assets.orchestration.runs import (
    BATCH_TAG,
    IMAGES_TAG,
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    end_abandoned_runs,
)
from animatize_assets.records import Measured, Record, Share

BACKFILL_TAG = "dagster/backfill"
ESTIMATED_TAG = "animatize/estimated_seconds"
RANGE_TAG = "animatize/estimated_range"
"""What a run's tags say of its time (``defs.run_tags``, which this package does not know)."""

MOST_RUNS = 1_000
"""Runs of one batch that are read; a backfill with one run per image may have more."""

BatchKind = Literal["run", "backfill", "batch"]
BatchStatus = Literal["queued", "running", "complete", "failed", "canceled"]

Number = TypeVar("Number", int, float)

_RANGE = re.compile(r"([0-9.e+-]+) to ([0-9.e+-]+) \(80 %\)")


class BatchProgress(Record):
    """How far a batch is. A result is one asset of one image."""

    batch_id: str
    kind: BatchKind = Field(
        description="'batch': the runs that one request to this service, or one command, started"
    )
    status: BatchStatus = Field(description="'failed' when any image or run failed")
    run_ids: tuple[str, ...]
    images: int | None = Field(ge=0, description="asked for; null when not known yet")
    results_made: int = Field(ge=0, description="made or found stored, so far")
    results_wanted: int | None = Field(ge=0, description="images times assets; null: not known yet")
    progress: Share | None = Field(description="results made of those wanted; null: not known yet")
    failed_images: dict[str, str] = Field(description="image key -> why, one sentence")
    problems: tuple[str, ...] = Field(description="failures that belong to no single image")
    queued_at: AwareDatetime | None = Field(description="UTC")
    started_at: AwareDatetime | None = Field(description="UTC; null: not started yet")
    ended_at: AwareDatetime | None = Field(description="UTC; null: not ended yet")
    estimated_seconds: Measured | None = Field(
        description="for the whole batch, said before it started; null: nobody said"
    )
    estimated_interval_80: tuple[Measured, Measured] | None = Field(
        description="seconds; 8 in 10 batches end in between"
    )


class Finish(Record):
    """When a batch that goes on will be done."""

    finishing_at: AwareDatetime = Field(description="UTC")
    interval_80: tuple[AwareDatetime, AwareDatetime] | None = Field(
        description="UTC; null: no interval was said"
    )


def finishing(batch: BatchProgress, now: datetime) -> Finish | None:
    """Return when ``batch`` will be done; None when it has ended or nobody can tell.

    Of what was estimated for the whole, the share remains that its missing results are of all. Its
    interval shrinks alike. Where nobody estimated, the pace so far goes on, without an interval.
    """
    if batch.ended_at is not None or batch.progress is None:
        return None
    left = 1 - batch.progress
    if batch.estimated_seconds is not None:
        interval = batch.estimated_interval_80
        return Finish(
            finishing_at=now + timedelta(seconds=batch.estimated_seconds * left),
            interval_80=None
            if interval is None
            else (
                now + timedelta(seconds=interval[0] * left),
                now + timedelta(seconds=interval[1] * left),
            ),
        )
    if batch.started_at is None or batch.progress == 0:
        return None
    seconds = (now - batch.started_at).total_seconds()
    at = now + timedelta(seconds=max(0.0, seconds) * left / batch.progress)
    return Finish(finishing_at=at, interval_80=None)


def batch_progress(instance: DagsterInstance, batch_id: str) -> BatchProgress:
    """Return how far a batch is. ``batch_id``: of a run, a backfill, or a request for several runs.

    Raises:
        BatchNotFound: nothing in this Dagster instance has the id.
    """
    end_abandoned_runs(instance)
    run = instance.get_run_by_id(batch_id)
    if run is not None:
        return _progress(instance, batch_id, "run", [batch_id])
    if (backfill := instance.get_backfill(batch_id)) is not None:
        ids = _tagged(instance, BACKFILL_TAG, batch_id)
        found = _progress(instance, batch_id, "backfill", ids)
        wanted = found.results_wanted
        if backfill.is_asset_backfill:
            graph = load_definitions().resolve_asset_graph()
            target = backfill.get_asset_backfill_data(graph).target_subset
            wanted = target.num_partitions_and_non_partitioned_assets
        return found.model_copy(
            update={
                "status": _backfill_status(backfill.status.value, found.status),
                "results_wanted": wanted,
                "progress": _share(found.results_made, wanted),
                "queued_at": datetime.fromtimestamp(backfill.backfill_timestamp, UTC),
                "ended_at": _instant(backfill.backfill_end_timestamp),
            }
        )
    if ids := _tagged(instance, BATCH_TAG, batch_id):
        return _progress(instance, batch_id, "batch", ids)
    raise BatchNotFound(f"No run, backfill or batch has the id '{batch_id}'.")


def ended_runs(instance: DagsterInstance, run_ids: Iterable[str]) -> frozenset[str]:
    """Return those of ``run_ids`` that are over, or not known here; ends those that were killed."""
    asked = frozenset(run_ids)
    if not asked:
        return asked
    end_abandoned_runs(instance)
    runs = instance.get_runs(RunsFilter(run_ids=sorted(asked)))
    return asked - {run.run_id for run in runs if not run.is_finished}


def _tagged(instance: DagsterInstance, tag: str, value: str) -> list[str]:
    runs = instance.get_runs(RunsFilter(tags={tag: value}), limit=MOST_RUNS)
    return [run.run_id for run in reversed(runs)]


def _progress(
    instance: DagsterInstance, batch_id: str, kind: BatchKind, run_ids: Sequence[str]
) -> BatchProgress:
    parts = [_run(instance, run_id) for run_id in run_ids]
    wanted = _sum([part.results_wanted for part in parts])
    made = sum(part.results_made for part in parts)
    intervals = [part.estimated_interval_80 for part in parts]
    known = [interval for interval in intervals if interval is not None]
    ends = [part.ended_at for part in parts]
    return BatchProgress(
        batch_id=batch_id,
        kind=kind,
        status=_together([part.status for part in parts]),
        run_ids=tuple(run_ids),
        images=_sum([part.images for part in parts]),
        results_made=made,
        results_wanted=wanted,
        progress=_share(made, wanted),
        failed_images={key: why for part in parts for key, why in part.failed_images.items()},
        problems=tuple(problem for part in parts for problem in part.problems),
        queued_at=min((at for part in parts if (at := part.queued_at)), default=None),
        started_at=min((at for part in parts if (at := part.started_at)), default=None),
        ended_at=None if not ends or None in ends else max(at for at in ends if at is not None),
        estimated_seconds=_sum([part.estimated_seconds for part in parts]),
        # Runs of a batch follow each other on one machine and share its errors: bounds add up.
        estimated_interval_80=(sum(low for low, _ in known), sum(high for _, high in known))
        if known and len(known) == len(parts)
        else None,
    )


def _run(instance: DagsterInstance, run_id: str) -> BatchProgress:
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        raise BatchNotFound(f"No run, backfill or batch has the id '{run_id}'.")
    run = record.dagster_run
    watch = RunWatch(instance, run_id)
    if run.status is DagsterRunStatus.FAILURE:
        failures = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
        for entry in instance.get_records_for_run(run_id, of_type=failures).records:
            watch(entry.event_log_entry)
    images = _images_of(instance, run.tags)
    assets = len(run.asset_selection or pipeline_assets())
    wanted = None if images is None else images * assets
    made = instance.get_run_stats(run_id).materializations
    estimated_seconds, estimated_interval_80 = estimate_of(run.tags)
    return BatchProgress(
        batch_id=run_id,
        kind="run",
        status=_status(run.status),
        run_ids=(run_id,),
        images=images,
        results_made=made,
        results_wanted=wanted,
        progress=_share(made, wanted),
        failed_images=watch.failed,
        problems=(watch.problem,) if watch.problem else (),
        queued_at=record.create_timestamp.replace(tzinfo=UTC)
        if record.create_timestamp.tzinfo is None
        else record.create_timestamp,
        started_at=_instant(record.start_time),
        ended_at=_instant(record.end_time),
        estimated_seconds=estimated_seconds,
        estimated_interval_80=estimated_interval_80,
    )


def estimate_of(
    tags: Mapping[str, str],
) -> tuple[float | None, tuple[float, float] | None]:
    """Return what a run's tags say of its seconds, and the bounds of their middle 80 %."""
    seconds = float(tags[ESTIMATED_TAG]) if ESTIMATED_TAG in tags else None
    return seconds, _interval(tags.get(RANGE_TAG))


def _images_of(instance: DagsterInstance, tags: Mapping[str, str]) -> int | None:
    if IMAGES_TAG in tags:
        return int(tags[IMAGES_TAG])
    if PARTITION_TAG in tags:
        return 1
    first, last = tags.get(RANGE_START_TAG), tags.get(RANGE_END_TAG)
    order = image_keys(instance) if first is not None else ()
    if first not in order or last not in order:
        return None
    return order.index(last) - order.index(first) + 1


def _status(status: DagsterRunStatus) -> BatchStatus:
    if status is DagsterRunStatus.SUCCESS:
        return "complete"
    if status is DagsterRunStatus.FAILURE:
        return "failed"
    if status is DagsterRunStatus.CANCELED:
        return "canceled"
    is_running = status in (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
    return "running" if is_running else "queued"


def _together(statuses: Sequence[BatchStatus]) -> BatchStatus:
    if not statuses or set(statuses) == {"queued"}:
        return "queued"
    if set(statuses) & {"queued", "running"}:
        return "running"
    return next((each for each in ("failed", "canceled") if each in statuses), "complete")


def _backfill_status(status: str, runs: BatchStatus) -> BatchStatus:
    if status in ("CANCELED", "FAILED", "COMPLETED_FAILED"):
        return "canceled" if status == "CANCELED" else "failed"
    if status in ("COMPLETED", "COMPLETED_SUCCESS"):
        return runs if runs in ("failed", "canceled") else "complete"
    return "running" if runs != "queued" else "queued"


def _interval(text: str | None) -> tuple[float, float] | None:
    match = _RANGE.fullmatch(text or "")
    return None if match is None else (float(match[1]), float(match[2]))


def _share(made: int, wanted: int | None) -> float | None:
    return None if not wanted else min(1.0, made / wanted)


def _sum(values: Sequence[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _instant(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
