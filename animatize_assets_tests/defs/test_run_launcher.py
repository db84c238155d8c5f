"""Run monitoring learns whether a worker lives, from its lock before anything else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from animatize_assets.defs.run_launcher import WatchedRunLauncher
from animatize_assets.orchestration.process_marks import marked_process
from animatize_assets.orchestration.run_locks import held_run
from animatize_assets.orchestration.runs import PROCESS_TAG

HOLD = """
import sys
from pathlib import Path
from animatize_assets.orchestration.run_locks import held_run
with held_run(Path(sys.argv[1]), "run-1"):
    print("held", flush=True)
    sys.stdin.read()
"""
NOBODY = {GRPC_INFO_TAG: json.dumps({"host": "127.0.0.1", "port": 1})}


@pytest.fixture
def home() -> Path:
    return Path(os.environ["DAGSTER_HOME"])


def status(tags: dict[str, str] | None = None) -> WorkerStatus:
    run = dg.DagsterRun(job_name="animate_images", run_id="run-1", tags=tags or {})
    return WatchedRunLauncher().check_run_worker_health(run).status


def test_a_worker_lives_while_it_holds_its_lock_whatever_became_of_the_code_server(
    home: Path,
) -> None:
    with held_run(home, "run-1"):
        assert status(NOBODY) is WorkerStatus.RUNNING


def test_a_killed_worker_is_gone_although_nobody_said_so(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"held\n"
        assert status() is WorkerStatus.RUNNING
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert status() is WorkerStatus.FAILED


def test_without_a_lock_the_code_server_is_asked_and_its_silence_is_an_answer() -> None:
    assert status(NOBODY) is WorkerStatus.FAILED


def test_a_run_of_the_command_line_lives_as_long_as_its_process(home: Path) -> None:
    with marked_process(home) as mark:
        assert status({PROCESS_TAG: mark}) is WorkerStatus.RUNNING
    assert status({PROCESS_TAG: mark}) is WorkerStatus.FAILED


def test_a_run_that_nobody_can_ask_after_is_left_alone() -> None:
    assert status() is WorkerStatus.RUNNING
