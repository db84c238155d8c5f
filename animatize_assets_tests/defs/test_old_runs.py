"""Old runs go with their files, except those that the state of a partition depends on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from animatize_assets.orchestration import delete_old_runs
from animatize_assets_tests.defs.runs import QUIET, cheap_definitions, register, run, states
from animatize_assets_tests.defs.test_sensors import Daemon
from animatize_assets_tests.pipeline.cheap import write_images


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def files_of(data_dir: Path, run_id: str) -> list[Path]:
    return [path for path in (data_dir / "dagster").rglob("*") if run_id in str(path)]


def test_a_run_goes_when_a_later_one_has_made_all_of_its_partitions(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 3)
    first = run(instance, keys).run_id
    assert delete_old_runs(instance, before=datetime.now(UTC) - timedelta(days=1)).deleted == 0
    second = run(instance, keys[:2]).run_id
    before = states(instance, keys)
    done = delete_old_runs(instance, before=tomorrow())
    assert (done.deleted, done.kept) == (0, 2)  # the first holds the latest of one image still
    third = run(instance, keys[2:]).run_id
    assert files_of(data_dir, first) != []
    done = delete_old_runs(instance, before=tomorrow())
    assert (done.deleted, done.kept) == (1, 2)
    assert states(instance, keys) == before
    assert files_of(data_dir, first) == []
    assert instance.has_run(second)
    assert instance.has_run(third)


def test_a_run_whose_failed_step_made_nothing_goes(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 1)
    run(instance, keys, target="no such model")
    run(instance, keys)
    assert delete_old_runs(instance, before=tomorrow()).deleted == 1
    assert set(states(instance, keys)["animatic_clip"].values()) == {"materialized"}


def test_the_latest_of_an_asset_without_partitions_stays(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    job = cheap_definitions().resolve_job_def("clean_caches")
    old, new = (
        job.execute_in_process(instance=instance, run_config=QUIET).run_id for _ in range(2)
    )
    assert delete_old_runs(instance, before=tomorrow()).deleted == 1
    assert (instance.has_run(old), instance.has_run(new)) == (False, True)


def test_images_whose_chain_nobody_asked_for_keep_their_ingest_run(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    daemon = Daemon(instance, cheap_definitions())
    write_images(data_dir / "uploads", 2)
    daemon.look_for_uploads()
    (ingest,) = daemon.look_for_uploads()
    daemon.execute(ingest, "ingest_uploads")
    assert delete_old_runs(instance, before=tomorrow()).kept == 1
    (chain,) = daemon.look_for_images()
    daemon.execute(chain, "animate_images")
    done = delete_old_runs(instance, before=tomorrow())
    assert (done.deleted, done.kept) == (1, 1)
    assert len(instance.get_dynamic_partitions("images")) == 2
