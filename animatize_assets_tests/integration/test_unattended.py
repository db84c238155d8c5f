"""What a real daemon does while nobody looks: it learns anew, and makes pictures ahead at night.

The sensors are on as they ship; only their looks come every second.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._cli.job import job_launch_command

from animatize_assets.orchestration import open_instance
from animatize_assets_tests.defs.fleet_records import jobs, room
from animatize_assets_tests.integration.daemons import wait_for
from animatize_assets_tests.integration.plant import CODE, DAEMON, Plant, running_plant
from animatize_assets_tests.integration.watching import WATCHED, next_look
from animatize_assets_tests.loopback.server import LoopbackServer
from animatize_assets_tests.pregeneration.test_preparation import (
    Animatize,
    animatize,
    asked_for,
    server,
)
from animatize_assets_tests.production import ON_EITHER

__all__ = ["animatize", "server"]  # fixtures

pytestmark = [
    *ON_EITHER,
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),
    pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated"),
]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    return folder


def ended_runs(instance: dg.DagsterInstance, job: str) -> list[dg.DagsterRun]:
    runs = instance.get_runs(dg.RunsFilter(job_name=job))
    return [run for run in runs if run.is_finished]


def test_estimates_that_have_become_bad_are_learnt_anew_once(data_dir: Path) -> None:
    opened = room()
    opened.store.record(*jobs(80, until=datetime.now(UTC), told=0.5))
    opened.close()
    with (
        open_instance(data_dir) as instance,
        running_plant(data_dir, CODE, DAEMON, code=WATCHED) as plant,
    ):
        (run,) = wait_for(lambda: ended_runs(instance, "retrain_estimators"), plant.log)
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.tags["dagster/partition"] == "image"
        assert "animatize/why" in run.tags
        for _ in range(2):
            next_look(instance, "estimator_drift", plant.log)
        assert len(instance.get_runs(dg.RunsFilter(job_name="retrain_estimators"))) == 1
    opened = room()
    assert opened.registry.rows.active("image") is not None
    opened.close()


def launch(plant: Plant, job: str) -> None:
    """``dagster job launch -j JOB -w workspace.yaml``: the daemon starts it from its queue."""
    done = CliRunner().invoke(job_launch_command, ["-j", job, "-w", str(plant.workspace)])
    assert done.exit_code == 0, done.output


def test_what_is_made_at_night_comes_by_itself_and_is_used(
    server: LoopbackServer, animatize: Animatize, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_PREGENERATION_WASTE", "0.5")  # a handful of requests is no proof
    keys = asked_for(animatize, data_dir)
    with (
        open_instance(data_dir) as instance,
        running_plant(data_dir, CODE, DAEMON, code=WATCHED) as plant,
    ):
        launch(plant, "pregenerate_pictures")
        (night,) = wait_for(lambda: ended_runs(instance, "pregenerate_pictures"), plant.log)
        assert night.status is dg.DagsterRunStatus.SUCCESS

        def is_made() -> bool:
            return bool(animatize("pregenerate", "report")["total"]["made"])

        wait_for(is_made, plant.log)
        look = next_look(instance, "pregeneration_batches", plant.log)
        assert look.skip_reason == "No batch of pictures is under way."
    by_day = len(server.calls("openai.edits"))
    animatize("run", keys[2], "--provider", "openai", "--size", "816x816")
    assert len(server.calls("openai.edits")) == by_day
    total = animatize("pregenerate", "report")["total"]
    assert (total["made"], total["used"]) == (1, 1)
