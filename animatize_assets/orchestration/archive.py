"""Archived images in Dagster: taken out of the partition set, and told to it again.

Each step can be stopped at any moment and done again. An image is in the archive before it ceases
to be a partition, and is a partition, with its materializations, before it leaves the archive: so
what was cut short is an archived image whose key is still a partition, which
:func:`forget_archived` mends.

Belongs here: the order of the steps, and what Dagster is told. Does not belong here: which images
(``images.archive``), when (``defs``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from dagster import AssetKey, AssetMaterialization, DagsterEventType, DagsterInstance

from animatize_assets.images.archive import ArchivedImage, ImageArchive
from animatize_assets.images.states import ImageStates
from animatize_assets.orchestration.batches import ended_runs
from animatize_assets.orchestration.code_location import CODE_LOCATION, pipeline_assets
from animatize_assets.orchestration.partitions import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    IMAGE_PARTITIONS,
    INPUT_DATA_VERSION_TAG,
    register_images,
    version_tags,
)

INPUT_EVENT_POINTER_TAG = "dagster/input_event_pointer/"
"""Tag that names the storage id of an input's materialization (data_version.py, 1.13)."""

RESTORED = "restored_from_archive"
"""Metadata of a materialization that was told again: when the image had been archived."""

IMAGES_AT_ONCE = 500


def forget_ended_runs(instance: DagsterInstance, states: ImageStates) -> None:
    """Let images go that a run which has ended left in progress: nobody works on them."""
    ended = ended_runs(instance, states.runs_in_progress())
    if ended:
        states.forget_runs(ended)


def archive_images(
    instance: DagsterInstance,
    archive: ImageArchive,
    image_keys: Sequence[str],
    *,
    untouched_since: datetime | None = None,
    code_location: str = CODE_LOCATION,
) -> frozenset[str]:
    """Archive images; returns those that were not before and are now.

    Left out are images that a run works on, and those that were touched at or after
    ``untouched_since``. Their files, artefacts and records stay.
    """
    assets = [asset.name for asset in pipeline_assets(code_location)]
    archived: set[str] = set()
    for at in range(0, len(image_keys), IMAGES_AT_ONCE):
        some = image_keys[at : at + IMAGES_AT_ONCE]
        tags = {asset: version_tags(instance, asset, some) for asset in assets}
        known = {
            key: {asset: _kept(of[key]) for asset, of in tags.items() if key in of} for key in some
        }
        archived |= archive.add(known, untouched_since=untouched_since)
    forget_archived(instance, archive)
    return frozenset(archived)


def forget_archived(instance: DagsterInstance, archive: ImageArchive) -> int:
    """Take every archived image out of the partition set; returns how many still were in it."""
    partitions = set(instance.get_dynamic_partitions(IMAGE_PARTITIONS))
    left = [key for key in archive.keys() if key in partitions]  # noqa: SIM118  # no mapping
    for key in left:
        instance.delete_dynamic_partition(IMAGE_PARTITIONS, key)
    return len(left)


def unarchive_images(
    instance: DagsterInstance,
    archive: ImageArchive,
    image_keys: Iterable[str],
    *,
    code_location: str = CODE_LOCATION,
) -> frozenset[str]:
    """Bring images back, materialized as they were; returns those that were archived.

    Nothing is made again: Dagster is told of the materializations whose runs were deleted since.
    """
    back = archive.find(list(image_keys))
    if not back:
        return frozenset()
    needs = {asset.name: asset.needs for asset in pipeline_assets(code_location)}
    register_images(instance, [image.image_key for image in back])
    for image in back:
        _tell(instance, image, needs)
        archive.remove(image.image_key)
    return frozenset(image.image_key for image in back)


def _kept(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags from which Dagster tells staleness; storage ids of inputs do not last."""
    return {
        name: value
        for name, value in tags.items()
        if name in (CODE_VERSION_TAG, DATA_VERSION_TAG) or name.startswith(INPUT_DATA_VERSION_TAG)
    }


def _tell(
    instance: DagsterInstance, image: ArchivedImage, needs: Mapping[str, Sequence[str]]
) -> None:
    """Report the materializations that Dagster does not have, inputs before what needs them."""
    stored: dict[str, int] = {}
    for asset, inputs in needs.items():
        if asset not in image.materializations:
            continue
        known = _storage_id(instance, asset, image.image_key)
        if known is None:
            pointers = {
                INPUT_EVENT_POINTER_TAG + name: str(stored[name])
                for name in inputs
                if name in stored
            }
            instance.report_runless_asset_event(
                AssetMaterialization(
                    asset,
                    partition=image.image_key,
                    metadata={RESTORED: image.archived_at.isoformat()},
                    tags={**image.materializations[asset], **pointers},
                )
            )
            known = _storage_id(instance, asset, image.image_key)
        if known is not None:
            stored[asset] = known


def _storage_id(instance: DagsterInstance, asset: str, image_key: str) -> int | None:
    return instance.get_latest_storage_id_by_partition(
        AssetKey(asset), DagsterEventType.ASSET_MATERIALIZATION, {image_key}
    ).get(image_key)
