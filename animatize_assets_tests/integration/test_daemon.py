"""A real daemon: files that are dropped become clips, backfills survive a killed worker."""

from __future__ import annotations

from pathlib import Path
from time import time
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.tags import RETRY_NUMBER_TAG

from animatize_assets.defs.performance_jobs import RETRAIN_JOB
from animatize_assets.orchestration import open_instance
from animatize_assets.pipeline.stages import STAGES
from animatize_assets_tests.defs.runs import cheap_definitions, register, states
from animatize_assets_tests.integration.daemons import running_daemon, wait_for
from animatize_assets_tests.pipeline.cheap import made, wish, write_images
from animatize_assets_tests.production import ON_EITHER

pytestmark = ON_EITHER

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def asset_backfill(instance: dg.DagsterInstance, backfill_id: str, keys: list[str]) -> None:
    """What the asset page's "Materialize" and the GraphQL API do."""
    graph = cheap_definitions().resolve_asset_graph()
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=backfill_id,
            asset_graph=graph,
            partition_names=keys,
            asset_selection=[dg.AssetKey(stage) for stage in STAGES],
            backfill_timestamp=time(),
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )


def finished_runs(instance: dg.DagsterInstance, backfill_id: str) -> list[dg.DagsterRun]:
    return list(
        instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id}, statuses=FINISHED))
    )


def complete(instance: dg.DagsterInstance, keys: list[str]) -> bool:
    return bool(keys) and all(
        set(by_key.values()) == {"materialized"} for by_key in states(instance, keys).values()
    )


# Dagster calls these deprecated functions of its own.
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")
@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated")
def test_dropped_files_backfills_and_a_killed_worker(tmp_path: Path, sizes: dict[str, Any]) -> None:
    data_dir = tmp_path / "data"
    count, dropped_count = sizes["daemon"]["images"], sizes["daemon"]["dropped"]
    log = data_dir / "daemon.log"
    with open_instance(data_dir) as instance:
        keys = register(instance, data_dir, count)
        wish(data_dir, kill_at=[keys[-1], "motion_prompt"])
        asset_backfill(instance, "first", keys)
        write_images(data_dir / "uploads", dropped_count, start=10_000)
        with running_daemon(data_dir):
            # The worker of the backfill is killed by SIGKILL in its last image.
            (killed,) = wait_for(lambda: finished_runs(instance, "first"), log)
            assert killed.status is dg.DagsterRunStatus.FAILURE
            before = [line for line in made(data_dir) if line[0] in keys]
            assert set(before) == {
                *((key, stage) for key in keys[:-1] for stage in STAGES),
                *((keys[-1], stage) for stage in STAGES[:3]),
            }
            wish(data_dir)
            # What crashed is started again by itself.
            wait_for(lambda: complete(instance, keys), log)
            after = [line for line in made(data_dir) if line[0] in keys]
            assert after[len(before) :] == [(keys[-1], stage) for stage in STAGES[3:]]

            # Meanwhile the sensors took in what was dropped, and asked for its chain.
            def dropped() -> list[str]:
                known = instance.get_dynamic_partitions("images")
                new = [key for key in known if key not in keys]
                return new if len(new) == dropped_count and complete(instance, new) else []

            new = wait_for(dropped, log)
            assert list((data_dir / "uploads").iterdir()) == []
            wait_for(
                lambda: all(
                    backfill.status is BulkActionStatus.COMPLETED_SUCCESS
                    or backfill.backfill_id == "first"
                    for backfill in instance.get_backfills()
                ),
                log,
            )
        # After thirty jobs the performance system may ask for an estimator; that is its own affair.
        runs = [run for run in instance.get_runs() if run.job_name != RETRAIN_JOB]
        again = [run for run in runs if RETRY_NUMBER_TAG in run.tags]
        assert len(runs) - len(again) == 3  # one backfill, one ingest, one chain
        assert len(again) == 1
        assert (
            len([line for line in made(data_dir) if line[0] in new]) == len(STAGES) * dropped_count
        )
