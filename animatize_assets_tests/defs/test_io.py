"""Other assets load what the pipeline made: one image's record, or a dict of several."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from upath import UPath

from animatize_assets.defs.io import ImageRecordIOManager
from animatize_assets.defs.partitions import IMAGE_PARTITIONS, images, range_tags
from animatize_assets.defs.resources import Stores
from animatize_assets.errors import StorageFailed
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.models import ImageRecord
from animatize_assets.records import Record
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets_tests.defs.runs import QUIET, cheap_definitions, register, run
from animatize_assets_tests.prompts.scenes import analysis

MEMORY = "memory://animatize-io"


class Brightness(Record):
    """What a downstream asset might make."""

    mean_luma: float


@dg.asset(partitions_def=images, io_manager_key="image_records")
def brightness(scene_analysis: SceneAnalysis) -> Brightness:
    return Brightness(mean_luma=scene_analysis.lighting.mean_luma)


@dg.asset(partitions_def=images, io_manager_key="image_records")
def darkness(scene_analysis: dict[str, SceneAnalysis]) -> dict[str, Brightness]:
    return {
        key: Brightness(mean_luma=1 - record.lighting.mean_luma)
        for key, record in scene_analysis.items()
    }


def test_the_value_of_an_asset_is_its_record(instance: dg.DagsterInstance, data_dir: Path) -> None:
    keys = register(instance, data_dir, 2)
    definitions = cheap_definitions()
    run(instance, keys, definitions=definitions)
    loader = definitions.get_asset_value_loader(instance)
    scene = loader.load_asset_value("scene_analysis", partition_key=keys[0])
    assert isinstance(scene, SceneAnalysis)
    image = loader.load_asset_value("source_image", partition_key=keys[1])
    assert isinstance(image, ImageRecord)
    assert image.image_key == keys[1]


def test_what_was_never_made_says_so(instance: dg.DagsterInstance, data_dir: Path) -> None:
    (key,) = register(instance, data_dir, 1)
    loader = cheap_definitions().get_asset_value_loader(instance)
    with pytest.raises(StorageFailed, match="has no scene_analysis yet"):
        loader.load_asset_value("scene_analysis", partition_key=key)


@pytest.mark.parametrize("place", ["local", MEMORY])
def test_downstream_assets_of_one_image_and_of_several(
    place: str, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    where = str(data_dir) if place == "local" else f"{MEMORY}/{data_dir.parent.name}"
    keys = ["one-0000000000000001", "two-0000000000000002"]
    instance.add_dynamic_partitions(IMAGE_PARTITIONS, keys)
    artifacts = ArtifactStore(UPath(where))
    for key in keys:
        with artifacts.draft("scene_analysis", key, "f") as draft:
            draft.commit(analysis())
    stores = Stores(data_dir=where, database_url=f"sqlite:///{data_dir}/animatize.db")
    scene = dg.AssetSpec(
        "scene_analysis",
        partitions_def=images,
        metadata={"dagster/io_manager_key": "image_records"},  # as the pipeline's own
    )
    definitions = dg.Definitions(
        assets=[scene, brightness, darkness],
        resources={"image_records": ImageRecordIOManager(stores=stores)},
        jobs=[dg.define_asset_job(f"{name}_job", [name]) for name in ("brightness", "darkness")],
    )
    for job, some in (("brightness", keys[:1]), ("darkness", keys)):
        assert (
            definitions.resolve_job_def(f"{job}_job")
            .execute_in_process(instance=instance, tags=range_tags(some), run_config=QUIET)
            .success
        )
    made = artifacts.current("brightness", keys[0], Brightness)
    assert made == Brightness(mean_luma=0.35)
    for key in keys:
        dark = artifacts.current("darkness", key, Brightness)
        assert dark == Brightness(mean_luma=1 - 0.35)
