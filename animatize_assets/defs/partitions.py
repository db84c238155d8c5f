"""The partition set.

Belongs here: partition definitions and how ranges of them are asked for. Does not belong here:
registering keys (``jobs`` for the watched folder, ``orchestration`` for the command line).
See https://docs.dagster.io/guides/build/partitions-and-backfills.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

IMAGE_PARTITIONS = "images"
"""Name of the dynamic partition set: one key per accepted image, in order of registration."""

images = dg.DynamicPartitionsDefinition(name=IMAGE_PARTITIONS)

PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def range_tags(keys: Sequence[str]) -> dict[str, str]:
    """Tags of one run over ``keys``, which must be neighbours in partition order."""
    if len(keys) == 1:
        return {PARTITION_TAG: keys[0]}
    return {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1]}
