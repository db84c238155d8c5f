"""Old runs of Dagster: deleted, unless the state of a partition depends on them.

Dagster keeps runs, their events and their logs for ever. Deleting a run also deletes its
materializations: a partition whose latest one it held would become missing, and be made again. So
such a run stays, until a later run has materialized these partitions or they are partitions no
more (archived images). A run that took images in stays, too, until their chain was asked for: the
sensor finds them by its notes.

Belongs here: which runs may go, and everything that goes with one. Does not belong here: when
(``defs``), for how long (``settings``).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dagster import AssetKey, DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter

from animatize_assets.orchestration.code_location import CODE_LOCATION, pipeline_assets
from animatize_assets.orchestration.partitions import IMAGE_PARTITIONS

ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)

IDS_AT_ONCE = 500
"""Bound values of one statement; old versions of SQLite take 999."""

_MADE: Final = DagsterEventType.ASSET_MATERIALIZATION
_NOTED: Final = DagsterEventType.ASSET_OBSERVATION


@dataclass(frozen=True)
class DeletedRuns:
    """What became of old runs."""

    deleted: int
    kept: int
    """Old runs that stay, because the state of a partition depends on them."""


def delete_old_runs(
    instance: DagsterInstance, *, before: datetime, code_location: str = CODE_LOCATION
) -> DeletedRuns:
    """Delete the runs that ended before ``before``, with their events and logs.

    Safe to stop at any moment and to call again.
    """
    filters = RunsFilter(statuses=list(ENDED), updated_before=before.astimezone(UTC))
    chain = frozenset(AssetKey(asset.name) for asset in pipeline_assets(code_location))
    live = frozenset(instance.get_dynamic_partitions(IMAGE_PARTITIONS))
    deleted = kept = 0
    for run_id in instance.get_run_ids(filters):
        if _is_needed(instance, run_id, chain, live):
            kept += 1
            continue
        # The files first: a run that is still listed is found again by the next call.
        _delete_files(instance, run_id)
        instance.delete_run(run_id)
        deleted += 1
    return DeletedRuns(deleted, kept)


def _is_needed(
    instance: DagsterInstance, run_id: str, chain: AbstractSet[AssetKey], live: AbstractSet[str]
) -> bool:
    """Whether the run holds a latest materialization, or a note that nobody has answered yet.

    ``chain``: the assets whose partitions are images; ``live``: the images that are partitions.
    """
    made = instance.get_asset_partitions_for_run(run_id, of_type=_MADE)
    for asset, partitions in made.items():
        named = {each for each in partitions if each is not None}
        if _is_latest(instance, run_id, asset, named & live if asset in chain else named):
            return True
        if None in partitions and _is_latest_of_whole(instance, run_id, asset):
            return True
    noted = instance.get_asset_partitions_for_run(run_id, of_type=_NOTED)
    for asset, partitions in noted.items():
        waiting = {each for each in partitions if each is not None} & live
        if asset in chain and len(_latest(instance, asset, waiting)) < len(waiting):
            return True
    return False


def _is_latest(
    instance: DagsterInstance, run_id: str, asset: AssetKey, partitions: AbstractSet[str]
) -> bool:
    ids = _latest(instance, asset, partitions)
    return any(
        record.run_id == run_id
        for some in _chunks(ids)
        for record in instance.get_asset_event_summary_records(
            event_type=_MADE, asset_key=asset, storage_ids=some
        )
    )


def _is_latest_of_whole(instance: DagsterInstance, run_id: str, asset: AssetKey) -> bool:
    latest = instance.get_latest_materialization_event(asset)
    return latest is not None and latest.run_id == run_id


def _latest(instance: DagsterInstance, asset: AssetKey, partitions: AbstractSet[str]) -> list[int]:
    """Return the storage ids of the latest materializations; none of what was never made."""
    if not partitions:
        return []
    found = instance.get_latest_storage_id_by_partition(asset, _MADE, set(partitions))
    return sorted(found.values())


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = list(ids)
    for at in range(0, len(ordered), IDS_AT_ONCE):
        yield ordered[at : at + IDS_AT_ONCE]


def _delete_files(instance: DagsterInstance, run_id: str) -> None:
    """Delete what the run's steps printed, and what they handed to each other."""
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
