"""How an asset's value is stored and loaded: records by image key, through ``UPath``.

Belongs here: joining Dagster's IO manager to the stores. Does not belong here: where and how
they keep things (``images.artifacts``). The pipeline itself stores its results through the
artifact store, stage by stage; this serves whoever builds on them, one image or many.
See https://docs.dagster.io/guides/build/io-managers.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from animatize_assets.defs.resources import Stores
from animatize_assets.errors import StorageFailed
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.pipeline.stages import digest_of
from animatize_assets.records import Record

if TYPE_CHECKING:
    from animatize_assets.images.store import ImageStore


class ImageRecordIOManager(dg.ConfigurableIOManager):
    """Loads the record of one partition, or a dict of records of several by image key."""

    stores: dg.ResourceDependency[Stores]

    def load_input(self, context: dg.InputContext) -> Record | dict[str, Record]:
        """Load what is stored for the partitions that are asked for.

        Raises:
            StorageFailed: nothing is stored for one of them.

        """
        stage = context.asset_key.to_user_string()
        record_type = self._record_type(stage, context)
        images, artifacts = self.stores.open()
        records = {
            key: _load(images, artifacts, stage, key, record_type)
            for key in context.asset_partition_keys
        }
        if len(records) == 1 and not _wants_mapping(context):
            return next(iter(records.values()))
        return records

    def handle_output(self, context: dg.OutputContext, obj: Record | Mapping[str, Record]) -> None:
        """Store the record of one partition, or one of each, under the hash of its content.

        Raises:
            StorageFailed: a partition has no record, or what came is none.

        """
        stage = context.asset_key.to_user_string()
        keys = context.asset_partition_keys
        records = obj if isinstance(obj, Mapping) else dict.fromkeys(keys[:1], obj)
        _, artifacts = self.stores.open()
        for key in keys:
            record = records.get(key)
            if not isinstance(record, Record):
                raise StorageFailed(f"{stage} of {key} gave {type(record).__name__}, no record.")
            fingerprint = digest_of(record.model_dump(mode="json"))
            with artifacts.draft(stage, key, fingerprint) as draft:
                draft.commit(record)

    def _record_type(self, stage: str, context: dg.InputContext) -> type[Record]:
        from animatize_assets.pipeline.making import default_stages  # noqa: PLC0415  # loads OpenCV

        stages = default_stages()
        if stage in stages:
            return stages[stage].record_type
        asked = context.dagster_type.typing_type
        if isinstance(asked, type) and issubclass(asked, Record):
            return asked
        raise StorageFailed(
            f"Say as which record to load {stage}: annotate the input with its type."
        )


def _wants_mapping(context: dg.InputContext) -> bool:
    asked = getattr(
        context.dagster_type.typing_type, "__origin__", context.dagster_type.typing_type
    )
    return isinstance(asked, type) and issubclass(asked, Mapping)


def _load(
    images: "ImageStore",
    artifacts: ArtifactStore,
    stage: str,
    image_key: str,
    record_type: type[Record],
) -> Record:
    if stage == "source_image":
        return images.get(image_key)  # knows names that were given to the image since
    record = artifacts.current(stage, image_key, record_type)
    if record is None:
        raise StorageFailed(f"{image_key} has no {stage} yet; materialize it first.")
    return record
