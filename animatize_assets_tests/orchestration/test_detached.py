"""A job runs in a process of its own, and how it ended is known."""

from __future__ import annotations

import logging
from pathlib import Path
from uuid import uuid4

import pytest
from dagster import DagsterRunStatus

from animatize_assets.orchestration import end_abandoned_runs, open_instance, start_detached
from animatize_assets.orchestration.detached_process import execute
from animatize_assets.orchestration.runs import PROCESS_TAG

TRAINING = "retrain_estimators"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_its_run_is_in_dagster_and_ended(data_dir: Path) -> None:
    runs = start_detached(data_dir, TRAINING, ("video",))
    assert runs.wait(300) == 0
    assert not runs.is_going_on
    with open_instance(data_dir) as instance:
        run = instance.get_run_by_id(runs.run_ids["video"])
        assert run is not None
        assert run.status is DagsterRunStatus.SUCCESS
        assert run.job_name == TRAINING
        assert run.tags["dagster/partition"] == "video"
        assert PROCESS_TAG in run.tags
        assert end_abandoned_runs(instance) == ()


def test_a_process_that_cannot_begin_says_why(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        runs = start_detached(data_dir, "no_such_job", ("video",))
        assert runs.wait(300) == 1
    assert "no_such_job" in caplog.text


def test_every_partition_has_its_run(data_dir: Path) -> None:
    runs = {str(uuid4()): kind for kind in ("image", "video")}
    with open_instance(data_dir) as instance:
        assert execute(instance, TRAINING, runs)
        assert {run.run_id for run in instance.get_runs()} == set(runs)
