"""Materializing images without a daemon: ranged runs inside this process.

Belongs here: starting, ending and listing runs. Does not belong here: what a run computes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from uuid import uuid4

from dagster import (
    DagsterError,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    JobDefinition,
    RunsFilter,
)

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.orchestration.code_location import (
    CODE_LOCATION,
    asset_keys,
    load_job,
    pipeline_assets,
)
from animatize_assets.orchestration.partitions import contiguous_ranges, image_keys
from animatize_assets.orchestration.process_marks import is_alive, marked_process
from animatize_assets.orchestration.results import ImageResult, PipelineRunResult, RunSummary
from animatize_assets.orchestration.run_watch import OnEvent, RunWatch

PIPELINE_OP = "image_pipeline"
QUIET = "CRITICAL"
"""Failures reach the caller as results; the whole log is in the UI."""
VERBOSE = "DEBUG"
LONGEST_RANGE = 500
"""Images in one run at most: one run of 500 costs as little per image as a longer one."""

PROCESS_TAG = "animatize/process"
BATCH_TAG = "animatize/batch"
"""On every run that one request started; its value is the request's id."""
IMAGES_TAG = "animatize/images"
"""How many images a run covers."""
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

UNFINISHED = (
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)


def run_images(
    keys: Sequence[str],
    request: Mapping[str, object],
    *,
    instance: DagsterInstance,
    assets: Sequence[str] | None = None,
    on_event: OnEvent | None = None,
    cancel: Event | None = None,
    tags_of: Callable[[Sequence[str]], Mapping[str, str]] | None = None,
    log_level: str = QUIET,
    code_location: str = CODE_LOCATION,
) -> PipelineRunResult:
    """Materialize ``assets`` (default: the whole pipeline) of the images ``keys``.

    Neighbours in partition order share one run, executed in this thread. One image that fails
    costs no other; what a run had finished when it was canceled or killed stays finished.

    Args:
        keys: registered image keys; the result keeps their order.
        request: configuration of the pipeline's op (the fields of ``PipelineRequest``).
        instance: from ``open_instance``.
        assets: names of a part of the pipeline.
        on_event: called in this thread after each asset of each image.
        cancel: when set, the run ends canceled before its next stage and no other is started.
        tags_of: gives further tags of a run over such keys, asked for before it is started.
        log_level: from which on Dagster also writes its log to standard error.
        code_location: module whose ``defs`` are run.

    Raises:
        OrchestrationFailed: a key is not registered, or Dagster could not start the run.

    """
    order = image_keys(instance)
    if unknown := set(keys) - set(order):
        raise OrchestrationFailed(f"Not registered as partitions: {', '.join(sorted(unknown))}.")
    expected = tuple(assets or (asset.name for asset in pipeline_assets(code_location)))
    watches: dict[str, RunWatch] = {}
    watch_of: dict[str, RunWatch] = {}
    with marked_process(_home()) as mark:
        for chunk in contiguous_ranges(keys, order, longest=LONGEST_RANGE):
            if cancel is not None and cancel.is_set():
                break
            run_id = str(uuid4())
            watch = RunWatch(instance, run_id, on_event=on_event, cancel=cancel)
            watches[run_id] = watch
            watch_of.update(dict.fromkeys(chunk, watch))
            given = tags_of(chunk) if tags_of is not None else {}
            tags = {**given, PROCESS_TAG: mark, **_partition_tags(chunk)}
            instance.add_event_listener(run_id, watch)
            _execute(
                load_job(code_location),
                instance=instance,
                run_id=run_id,
                assets=expected,
                run_config={
                    "ops": {PIPELINE_OP: {"config": dict(request)}},
                    "loggers": {"console": {"config": {"log_level": log_level}}},
                },
                tags=tags,
            )
    canceled = cancel is not None and cancel.is_set()
    return PipelineRunResult(
        images=tuple(_image_result(key, watch_of.get(key), expected) for key in keys),
        run_ids=tuple(watches),
        canceled=canceled,
        problems=tuple(watch.problem for watch in watches.values() if watch.problem),
        stages={
            key: {
                name: stage.seconds for name, stage in stages.items() if stage.seconds is not None
            }
            for watch in watches.values()
            for key, stages in watch.finished.items()
        },
        recomputed=sum(
            not stage.reused
            for watch in watches.values()
            for stages in watch.finished.values()
            for stage in stages.values()
        ),
    )


def _partition_tags(keys: Sequence[str]) -> dict[str, str]:
    count = {IMAGES_TAG: str(len(keys))}
    if len(keys) == 1:
        return {PARTITION_TAG: keys[0], **count}
    return {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1], **count}


def _execute(
    job: JobDefinition,
    *,
    instance: DagsterInstance,
    run_id: str,
    assets: Sequence[str],
    run_config: Mapping[str, object],
    tags: Mapping[str, str],
) -> None:
    try:
        job.execute_in_process(
            instance=instance,
            run_id=run_id,
            tags=tags,
            asset_selection=asset_keys(tuple(assets)),
            run_config=run_config,
            raise_on_error=False,
        )
    except DagsterError as error:
        raise OrchestrationFailed(f"Dagster did not run {job.name}: {error}") from error


def _image_result(key: str, watch: RunWatch | None, expected: Sequence[str]) -> ImageResult:
    if watch is None:
        return ImageResult(
            image_key=key,
            status="failed",
            provider=None,
            seconds=0,
            cost_usd=None,
            reason="Canceled before its run started.",
        )
    finished = watch.finished.get(key, {})
    complete = key not in watch.failed and all(name in finished for name in expected)
    return ImageResult(
        image_key=key,
        status="complete" if complete else "failed",
        provider=watch.provider.get(key),
        seconds=sum(stage.seconds or 0 for stage in finished.values()),
        cost_usd=watch.cost_usd.get(key),
        reason=None if complete else watch.reason(key),
    )


def end_abandoned_runs(instance: DagsterInstance) -> tuple[str, ...]:
    """Mark runs failed whose process of ours died without ending them; return their ids.

    A process that is killed cannot say so, and Dagster would show its run as started for ever.
    Runs of a daemon are not touched.
    """
    ended = []
    for run in instance.get_runs(RunsFilter(statuses=list(UNFINISHED))):
        mark = run.tags.get(PROCESS_TAG)
        if mark is not None and not is_alive(_home(), mark):
            instance.report_run_failed(run, "The process that executed this run ended without it.")
            ended.append(run.run_id)
    return tuple(ended)


def waiting_runs(instance: DagsterInstance) -> int:
    """Return how many runs have not been started yet: they wait in Dagster's queue."""
    return instance.get_runs_count(
        RunsFilter(statuses=[DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED])
    )


def unfinished_runs(instance: DagsterInstance, *, limit: int) -> tuple[str, ...]:
    """Return the ids of runs that wait or go on, the latest first."""
    unfinished = RunsFilter(statuses=[DagsterRunStatus.QUEUED, *UNFINISHED])
    return tuple(instance.get_run_ids(unfinished, limit=limit))


def recent_runs(instance: DagsterInstance, *, limit: int = 5) -> tuple[RunSummary, ...]:
    """Return the latest runs, newest first."""
    return tuple(
        RunSummary(
            run_id=record.dagster_run.run_id,
            job=record.dagster_run.job_name,
            status=record.dagster_run.status.value.lower(),
            started_at=_instant(record.start_time),
            ended_at=_instant(record.end_time),
            images=_images_of(record.dagster_run),
        )
        for record in instance.get_run_records(limit=limit)
    )


def _images_of(run: DagsterRun) -> str | None:
    if RANGE_START_TAG in run.tags:
        return f"{run.tags[RANGE_START_TAG]}...{run.tags[RANGE_END_TAG]}"
    return run.tags.get(PARTITION_TAG)


def _instant(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)


def _home() -> Path:
    return Path(os.environ["DAGSTER_HOME"])
