"""When a run that waits in Dagster's queue will be done.

Its turn comes when those before it have left it a place: list scheduling (Graham, 1969) of what was
estimated for each, in the order in which they were asked for. Priorities, and limits per tag or
pool, may let others go first; they are not foreseen.

Belongs here: the wait. Does not belong here: how far a batch is and what remains of one that runs
(``batches``), the estimates themselves.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from animatize_assets.orchestration.batches import (
    BatchProgress,
    Finish,
    batch_progress,
    estimate_of,
    finishing,
)
from animatize_assets.orchestration.code_location import pipeline_assets
from animatize_assets.orchestration.partitions import image_keys
from animatize_assets.orchestration.runs import (
    PARTITION_TAG,
    PIPELINE_OP,
    RANGE_END_TAG,
    RANGE_START_TAG,
)

MOST_BEFORE: Final = 100
"""Of more runs that go first nobody can tell when the last one begins."""

SILENT_S: Final = 300.0
"""A daemon that said nothing for so long is not there (Dagster's says something every 30 s), and
what waits is never started."""

_COORDINATOR = "QUEUED_RUN_COORDINATOR"
_HOLDING = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)


@dataclass(frozen=True)
class Seconds:
    """A time with the bounds of its middle 80 %."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class AskedRun:
    """What a run over images was asked for."""

    image_keys: tuple[str, ...]
    request: Mapping[str, Any]
    """Configuration of the pipeline's op."""


def finishing_in_queue(
    instance: DagsterInstance, batch: BatchProgress, now: datetime
) -> Finish | None:
    """Return when a batch will be done, its wait in Dagster's queue included.

    None when it has ended or nobody can tell: because nothing was estimated for it or for one that
    goes first, or because no daemon starts what waits.
    """
    own = finishing(batch, now)
    if own is None or batch.status != "queued" or not batch.run_ids:
        return own
    wait = _wait(instance, batch.run_ids, now)
    if wait is None:
        return None
    bounds = own.interval_80
    return Finish(
        finishing_at=own.finishing_at + timedelta(seconds=wait.median),
        interval_80=None
        if bounds is None
        else (
            bounds[0] + timedelta(seconds=wait.low),
            bounds[1] + timedelta(seconds=wait.high),
        ),
    )


def asked_run(instance: DagsterInstance, run_id: str) -> AskedRun | None:
    """Return what a run over images was asked for; None when it is of something else, or a part."""
    run = instance.get_run_by_id(run_id)
    if run is None or not _is_whole(run):
        return None
    keys = _keys(instance, run)
    if keys is None:
        return None
    config: Mapping[str, Any] = run.run_config
    return AskedRun(keys, dict(config.get("ops", {}).get(PIPELINE_OP, {}).get("config", {})))


def turn(going_on: Sequence[float], before: Sequence[float], places: int) -> float:
    """Return after how many seconds the next one may begin.

    ``going_on``: what remains of those that run; ``before``: how long each takes that goes first.
    """
    ends = sorted(going_on)
    # More may run than have places, for `animatize run` asks for none: so many must end first.
    ends = ends[max(0, len(ends) - places) :]
    ends += [0.0] * (places - len(ends))
    heapq.heapify(ends)
    for seconds in before:
        heapq.heapreplace(ends, ends[0] + seconds)
    return ends[0]


def _wait(instance: DagsterInstance, run_ids: Sequence[str], now: datetime) -> Seconds | None:
    queue = instance.get_concurrency_config().run_queue_config
    if queue is None or queue.max_concurrent_runs < 0:
        return Seconds(0, 0, 0)
    if queue.max_concurrent_runs == 0 or not _is_served(instance, now):
        return None
    held = [
        _remaining(instance, run.run_id, now)
        for run in instance.get_runs(RunsFilter(statuses=list(_HOLDING)), limit=MOST_BEFORE)
    ]
    before = [_estimated(run) for run in _before(instance, run_ids)]
    if len(before) > MOST_BEFORE:
        return None
    known_held = [each for each in held if each is not None]
    known_before = [each for each in before if each is not None]
    if len(known_held) < len(held) or len(known_before) < len(before):
        return None
    places = queue.max_concurrent_runs
    median, low, high = (
        turn(
            [getattr(each, bound) for each in known_held],
            [getattr(each, bound) for each in known_before],
            places,
        )
        for bound in ("median", "low", "high")
    )
    return Seconds(median, low, high)


def _before(instance: DagsterInstance, run_ids: Sequence[str]) -> list[DagsterRun]:
    """Return the runs that wait and were asked for before any of ``run_ids``.

    At most one more than :data:`MOST_BEFORE`.
    """
    before: list[DagsterRun] = []
    waiting = RunsFilter(statuses=[DagsterRunStatus.QUEUED])
    for run in instance.get_runs(waiting, limit=MOST_BEFORE + 1, ascending=True):
        if run.run_id in run_ids:
            return before
        before.append(run)
    return before


def _remaining(instance: DagsterInstance, run_id: str, now: datetime) -> Seconds | None:
    finish = finishing(batch_progress(instance, run_id), now)
    if finish is None:
        return None
    low, high = finish.interval_80 or (finish.finishing_at, finish.finishing_at)
    return Seconds(
        *((instant - now).total_seconds() for instant in (finish.finishing_at, low, high))
    )


def _estimated(run: DagsterRun) -> Seconds | None:
    seconds, interval = estimate_of(run.tags)
    if seconds is None:
        return None
    low, high = interval or (seconds, seconds)
    return Seconds(seconds, low, high)


def _is_served(instance: DagsterInstance, now: datetime) -> bool:
    seen = instance.get_daemon_heartbeats().get(_COORDINATOR)
    return seen is not None and now.timestamp() - seen.timestamp < SILENT_S


def _is_whole(run: DagsterRun) -> bool:
    if run.asset_selection is None:
        return False
    selected = {key.to_user_string() for key in run.asset_selection}
    return selected == {asset.name for asset in pipeline_assets()}


def _keys(instance: DagsterInstance, run: DagsterRun) -> tuple[str, ...] | None:
    if PARTITION_TAG in run.tags:
        return (run.tags[PARTITION_TAG],)
    first, last = run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)
    order = image_keys(instance) if first is not None else ()
    if first not in order or last not in order:
        return None
    return tuple(order[order.index(first) : order.index(last) + 1])
