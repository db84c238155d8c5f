"""Archived images leave the partitions, and come back as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from upath import UPath

from animatize_assets.images.archive import ImageArchive
from animatize_assets.images.limits import ImageLimits
from animatize_assets.orchestration import (
    archive_images,
    delete_old_runs,
    forget_archived,
    image_states,
    pipeline_assets,
    unarchive_images,
)
from animatize_assets.orchestration.partitions import CODE_VERSION_TAG, version_tags
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.pipeline.workshop import open_stores
from animatize_assets_tests.defs.runs import cheap_definitions, register, run, states
from animatize_assets_tests.defs.test_sensors import Daemon
from animatize_assets_tests.pipeline.cheap import made, write_images


@pytest.fixture
def archive(data_dir: Path) -> ImageArchive:
    images, _ = open_stores(UPath(data_dir), ImageLimits())
    return ImageArchive(images.engine)


def partitions(instance: dg.DagsterInstance) -> list[str]:
    return list(instance.get_dynamic_partitions("images"))


def test_an_archived_image_comes_back_and_nothing_is_made_again(
    instance: dg.DagsterInstance, data_dir: Path, archive: ImageArchive
) -> None:
    keys = register(instance, data_dir, 3)
    assert run(instance, keys).success
    before = states(instance, keys)
    tags = {stage: version_tags(instance, stage, keys) for stage in STAGES}
    work = made(data_dir)
    assert archive_images(instance, archive, keys[:2]) == set(keys[:2])
    assert archive_images(instance, archive, keys[:2]) == frozenset()
    assert partitions(instance) == keys[2:]
    assert unarchive_images(instance, archive, keys) == set(keys[:2])
    assert unarchive_images(instance, archive, keys) == frozenset()
    assert partitions(instance) == [keys[2], *keys[:2]]
    assert states(instance, keys) == before
    assert {stage: version_tags(instance, stage, keys) for stage in STAGES} == tags
    assert run(instance, keys[:2]).success
    assert made(data_dir) == work


def test_it_comes_back_also_when_its_run_was_deleted(
    instance: dg.DagsterInstance, data_dir: Path, archive: ImageArchive
) -> None:
    keys = register(instance, data_dir, 2)
    run_id = run(instance, keys).run_id
    before = states(instance, keys)
    archive_images(instance, archive, keys[:1])
    later = datetime.now(UTC) + timedelta(days=1)
    assert delete_old_runs(instance, before=later).kept == 1  # of the image that is live
    archive_images(instance, archive, keys[1:])
    assert delete_old_runs(instance, before=later).deleted == 1
    assert not instance.has_run(run_id)
    unarchive_images(instance, archive, keys)
    assert states(instance, keys) == before
    assert set(image_states(instance, keys, pipeline_assets()).values()) == {"complete"}
    work = made(data_dir)
    assert run(instance, keys).success
    assert made(data_dir) == work


def test_what_was_stale_or_missing_stays_so(
    instance: dg.DagsterInstance, data_dir: Path, archive: ImageArchive
) -> None:
    stale, missing = register(instance, data_dir, 2)
    versions = {asset.name: asset.code_version or "" for asset in pipeline_assets()}
    older = cheap_definitions(dialects_version="older")
    run(instance, [stale], definitions=older)
    archive_images(instance, archive, [stale, missing])
    delete_old_runs(instance, before=datetime.now(UTC) + timedelta(days=1))
    unarchive_images(instance, archive, [stale, missing])
    found = image_states(instance, [stale, missing], pipeline_assets())
    assert found == {stale: "stale", missing: "missing"}
    made_by = version_tags(instance, "motion_prompt", [stale])[stale][CODE_VERSION_TAG]
    assert made_by != versions["motion_prompt"]


def test_an_archiving_that_was_cut_short_is_finished_by_the_next(
    instance: dg.DagsterInstance, data_dir: Path, archive: ImageArchive
) -> None:
    keys = register(instance, data_dir, 2)
    archive.add({keys[0]: {}})  # killed before the partition was taken out
    assert partitions(instance) == keys
    assert forget_archived(instance, archive) == 1
    assert partitions(instance) == keys[1:]


def test_the_same_file_dropped_again_brings_its_image_back(
    instance: dg.DagsterInstance, data_dir: Path, archive: ImageArchive
) -> None:
    daemon = Daemon(instance, cheap_definitions())
    write_images(data_dir / "uploads", 1)
    assert [daemon.tick() for _ in range(2)] == [0, 2]
    (key,) = partitions(instance)
    archive_images(instance, archive, [key])
    assert partitions(instance) == []
    work = made(data_dir)
    write_images(data_dir / "uploads", 1)
    assert [daemon.tick() for _ in range(3)] == [0, 1, 0]  # taken in; no chain is asked for
    assert partitions(instance) == [key]
    assert set(states(instance, [key])["animatic_clip"].values()) == {"materialized"}
    assert made(data_dir) == work
