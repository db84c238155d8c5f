"""The layers that try again do not multiply (docs/recovery.md has their table)."""

from __future__ import annotations

import os
from pathlib import Path
from time import time

import dagster as dg
import numpy as np
import pytest
from dagster._core.execution.backfill import PartitionBackfill
from PIL import Image

from animatize_assets.cli.entry import execute
from animatize_assets.definitions import defs
from animatize_assets.orchestration import open_instance
from animatize_assets.pipeline.stages import STAGES
from animatize_assets_tests.integration.daemons import running_daemon, wait_for
from animatize_assets_tests.loopback.server import loopback_server
from animatize_assets_tests.production import ON_EITHER

pytestmark = ON_EITHER

TRIES = 3
NOT_AGAIN = "Not retrying run since it failed due to an asset or op failure"


@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")
@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated")
def test_a_provider_that_always_fails_is_called_as_often_as_its_client_says_over_all_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = Path(os.environ["ANIMATIZE_DATA_DIR"])
    with loopback_server() as server:
        for name, value in {
            "BFL_API_KEY": server.keys["flux"],
            "ANIMATIZE_FLUX_BASE_URL": server.flux_url,
            "ANIMATIZE_FALLBACK_TO_LOCAL": "false",
            "ANIMATIZE_MAX_ATTEMPTS": str(TRIES),
        }.items():
            monkeypatch.setenv(name, value)
        server.down("flux")
        assert execute(["ingest", str(image(tmp_path)), "--json"]) == 0
        with open_instance(data_dir) as instance:
            (key,) = instance.get_dynamic_partitions("images")
            backfill(instance, key)
            with running_daemon(data_dir, "-m", "animatize_assets.definitions"):
                # Said by the layer that would start the run again: all others have ended by then.
                (run_id,) = wait_for(lambda: given_up(instance), data_dir / "daemon.log")
            (run,) = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": "failing"}))
            assert (run.run_id, run.status) == (run_id, dg.DagsterRunStatus.FAILURE)
        assert len(server.calls("flux.submit")) == TRIES


def image(folder: Path) -> Path:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).resize((320, 320), Image.Resampling.BICUBIC).save(folder / "one.png")
    return folder / "one.png"


def backfill(instance: dg.DagsterInstance, key: str) -> None:
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id="failing",
            asset_graph=defs.resolve_asset_graph(),
            partition_names=[key],
            asset_selection=[dg.AssetKey(stage) for stage in STAGES[:-1]],  # without the clip
            backfill_timestamp=time(),
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config={"ops": {"image_pipeline": {"config": {"provider": "flux"}}}},
        )
    )


def given_up(instance: dg.DagsterInstance) -> list[str]:
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])
    return [
        run_id
        for run_id in instance.get_run_ids(failed)
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        if NOT_AGAIN in entry.message
    ]
