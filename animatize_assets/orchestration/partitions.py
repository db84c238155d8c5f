"""Images as partitions: registering keys, asking in which state each image is.

Belongs here: everything about the partition set. Does not belong here: runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from dagster import (
    AssetKey,
    AssetRecordsFilter,
    DagsterEventType,
    DagsterInstance,
    DynamicPartitionsDefinition,
)

from animatize_assets.orchestration.code_location import PipelineAsset
from animatize_assets.orchestration.results import ImageState

IMAGE_PARTITIONS = "images"
"""Name of the dynamic partition set."""

CODE_VERSION_TAG = "dagster/code_version"
DATA_VERSION_TAG = "dagster/data_version"
INPUT_DATA_VERSION_TAG = "dagster/input_data_version/"
"""Tags on a materialization from which Dagster tells staleness (data_version.py, 1.13)."""

PAGE = 500
"""Materializations read in one query."""


def register_images(instance: DagsterInstance, keys: Iterable[str]) -> None:
    """Add ``keys`` to the partition set in the given order; known ones stay where they are."""
    known = set(instance.get_dynamic_partitions(IMAGE_PARTITIONS))
    new = [key for key in dict.fromkeys(keys) if key not in known]
    if new:
        instance.add_dynamic_partitions(IMAGE_PARTITIONS, new)


def image_keys(instance: DagsterInstance) -> tuple[str, ...]:
    """Every registered image key, in partition order."""
    return tuple(instance.get_dynamic_partitions(IMAGE_PARTITIONS))


def contiguous_ranges(
    wanted: Iterable[str], order: Sequence[str], *, longest: int
) -> list[tuple[str, ...]]:
    """Split ``wanted`` into runs of neighbours in ``order``, each at most ``longest`` long.

    A ranged run covers every partition between its ends, so a range may hold nothing unwanted.
    Keys that ``order`` does not have are left out.
    """
    chosen = set(wanted)
    ranges = []
    for is_wanted, group in groupby(order, key=chosen.__contains__):
        if is_wanted:
            keys = tuple(group)
            ranges += [keys[at : at + longest] for at in range(0, len(keys), longest)]
    return ranges


def image_states(
    instance: DagsterInstance, keys: Sequence[str], assets: Sequence[PipelineAsset]
) -> dict[str, ImageState]:
    """Return the state of each image over all of ``assets``; the most urgent one wins."""
    statuses = [_partition_statuses(instance, asset, keys) for asset in assets]
    whole = [key for key in keys if all(s.get(key) == "materialized" for s in statuses)]
    stale = _stale(instance, assets, whole)
    states: dict[str, ImageState] = {}
    for key in keys:
        found = {status.get(key) for status in statuses}
        if "in_progress" in found:
            states[key] = "in_progress"
        elif "failed" in found:
            states[key] = "failed"
        elif None in found:
            states[key] = "missing"
        else:
            states[key] = "stale" if key in stale else "complete"
    return states


def _partition_statuses(
    instance: DagsterInstance, asset: PipelineAsset, keys: Sequence[str]
) -> dict[str, str]:
    """Image key -> ``materialized``, ``failed`` or ``in_progress``; never made: left out."""
    statuses = instance.get_status_by_partition(
        AssetKey(asset.name), keys, DynamicPartitionsDefinition(name=IMAGE_PARTITIONS)
    )
    return {
        key: status.value.lower() for key, status in (statuses or {}).items() if status is not None
    }


def _stale(
    instance: DagsterInstance, assets: Sequence[PipelineAsset], keys: Sequence[str]
) -> set[str]:
    """Images of which some asset was made by other code, or from other inputs, than are current.

    Dagster's own resolver gives the same answer with several queries per partition; this reads
    the latest materializations of an asset together.
    """
    tags = {asset.name: version_tags(instance, asset.name, keys) for asset in assets}
    stale = set()
    for asset in assets:
        for key, own in tags[asset.name].items():
            if own.get(CODE_VERSION_TAG) != asset.code_version:
                stale.add(key)
            for upstream in asset.needs:
                used = own.get(INPUT_DATA_VERSION_TAG + upstream)
                current = tags[upstream].get(key, {}).get(DATA_VERSION_TAG)
                if used is not None and used != current:
                    stale.add(key)
    return stale


def version_tags(
    instance: DagsterInstance, asset: str, keys: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    """Image key -> tags of the latest materialization of ``asset``; never made: left out."""
    latest = instance.get_latest_storage_id_by_partition(
        AssetKey(asset), DagsterEventType.ASSET_MATERIALIZATION, set(keys)
    )
    tags: dict[str, Mapping[str, str]] = {}
    ids = sorted(latest.values())
    for at in range(0, len(ids), PAGE):
        page = ids[at : at + PAGE]
        records = instance.fetch_materializations(
            AssetRecordsFilter(asset_key=AssetKey(asset), storage_ids=page), limit=len(page)
        ).records
        for record in records:
            made = record.asset_materialization
            if made is not None and made.partition is not None:
                tags[made.partition] = made.tags or {}
    return tags
