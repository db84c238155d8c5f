"""The disk fills up in mid-backfill and is freed: all is complete, and nobody does anything.

A real file system of a few megabytes, a real daemon, code server and worker. How long it took from
freeing the disk is a property ``recovery_s``, which ``benchmarks/recovery.py`` reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from animatize_assets.defs.stopped_runs import STOPPED_TAG
from animatize_assets.errors import DiskNearlyFull
from animatize_assets.orchestration import open_instance
from animatize_assets.pipeline.stages import STAGES
from animatize_assets_tests.defs.runs import register
from animatize_assets_tests.integration.daemons import wait_for
from animatize_assets_tests.integration.plant import CODE, DAEMON, running_plant
from animatize_assets_tests.integration.small_disk import MEGA, SmallDisk, mounted_disk
from animatize_assets_tests.integration.test_daemon import asset_backfill, complete
from animatize_assets_tests.integration.test_recovery import (
    Property,
    each_stage_once,
    is_at_rest,
    measured,
    worker_of_backfill,
)
from animatize_assets_tests.pipeline.cheap import MADE, WAITING, WISHES, made, wish

DISK_MB = 96
KEPT_FREE_MB = 32
LEFT_MB = 24
"""Less than is kept free, and enough for what is at work and for Dagster's own files."""

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),
    pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated"),
]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """The disk of the data folder, and with it of Dagster's home."""
    monkeypatch.setenv("ANIMATIZE_DISK_FREE_GB", str(KEPT_FREE_MB * MEGA / 1e9))
    with mounted_disk(tmp_path / "data", DISK_MB) as mounted:
        # What tells of the test itself lies elsewhere.
        for name in (MADE, "plant.log"):
            (tmp_path / name).touch()
            (mounted.folder / name).symlink_to(tmp_path / name)
        yield mounted


def stopped(instance: dg.DagsterInstance) -> bool:
    runs = instance.get_runs(dg.RunsFilter(tags={STOPPED_TAG: DiskNearlyFull.code}))
    return any(run.is_finished for run in runs)


@pytest.mark.parametrize("either_instance", ["sqlite", "postgresql"], indirect=True)
def test_the_room_that_is_kept_free_is_passed_and_freed(
    disk: SmallDisk, either_instance: str, record_property: Property
) -> None:
    del either_instance
    data_dir = disk.folder
    with open_instance(data_dir) as instance:
        keys = register(instance, data_dir, 4)
        wish(data_dir, wait_at=[keys[1], "generated_picture"])
        with running_plant(data_dir, CODE, DAEMON) as plant:
            asset_backfill(instance, "under-way", keys)
            wait_for((data_dir / WAITING).exists, plant.log)
            disk.fill(leaving=LEFT_MB * MEGA)
            wish(data_dir)
            wait_for(lambda: stopped(instance), plant.log)
            # What was at work is finished, and nothing else is begun.
            at_work = {(keys[1], stage) for stage in STAGES[: STAGES.index("animatic_clip")]}
            assert Counter(made(data_dir)) == each_stage_once(keys[:1]) + Counter(at_work)
            disk.empty()
            with measured(record_property):
                wait_for(lambda: complete(instance, keys), plant.log)
                wait_for(lambda: is_at_rest(instance), plant.log)
        assert Counter(made(data_dir)) == each_stage_once(keys)


@pytest.mark.parametrize("either_instance", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("hit", [1, -1], ids=["one-in-the-middle", "the-last-image"])
def test_the_disk_is_full_in_the_middle_of_a_write_and_freed(
    disk: SmallDisk, either_instance: str, hit: int, record_property: Property
) -> None:
    del either_instance
    data_dir = disk.folder
    with open_instance(data_dir) as instance:
        keys = register(instance, data_dir, 3)
        wish(data_dir, wait_at=[keys[hit], "generated_picture"])
        with running_plant(data_dir, CODE, DAEMON) as plant:
            asset_backfill(instance, "under-way", keys)
            wait_for((data_dir / WAITING).exists, plant.log)
            worker = wait_for(lambda: worker_of_backfill(instance, "under-way"), plant.log)
            released = data_dir / "released"
            released.write_text("{}")
            disk.fill()
            released.replace(data_dir / WISHES)  # a rename needs no room
            wait_for(lambda: has_ended(worker, disk), plant.log)
            disk.empty()
            with measured(record_property):
                wait_for(lambda: complete(instance, keys), plant.log)
                wait_for(lambda: is_at_rest(instance), plant.log)
    times = Counter(made(data_dir))
    assert times.keys() == each_stage_once(keys).keys()
    # What could not be kept is made again; nothing else is.
    again = times - each_stage_once(keys)
    assert again.total() <= 1
    assert {key for key, _ in again} <= {keys[hit]}


def has_ended(worker: int, disk: SmallDisk) -> bool:
    """Whether its process is gone; until then the disk stays full, whatever others remove."""
    disk.fill()
    try:
        return psutil.Process(worker).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
