"""Dagster's own run launcher, which also tells run monitoring whether a worker still lives.

The stock launcher cannot tell. A run whose worker died together with its code server (a power cut,
a container that was killed) would stay started until it passes ``max_runtime_seconds``, a week.
Here run monitoring ends it at its next look, and run retries start it again.

Belongs here: how a worker is found to be gone. Does not belong here: starting and stopping runs
(the stock launcher), the lock that a worker holds (``orchestration.run_locks``). Both instance
files name this class. See https://docs.dagster.io/deployment/execution/run-monitoring.
"""

import json
import os
from pathlib import Path

from dagster import DagsterRun
from dagster._core.launcher import DefaultRunLauncher, WorkerStatus
from dagster._core.launcher.base import CheckRunHealthResult
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._serdes import deserialize_value

from animatize_assets.orchestration.process_marks import is_alive
from animatize_assets.orchestration.run_locks import worker_of
from animatize_assets.orchestration.runs import PROCESS_TAG

ANSWER_S = 10
"""A code server that does not answer within this many seconds counts as gone."""


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches runs as the stock class does."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Return how the worker of a started run is doing.

        Its lock is the best witness. While it holds none (it begins or ends, or makes no images),
        the process's mark or the code server that started it is asked. What nobody can tell runs.
        """
        home = Path(os.environ["DAGSTER_HOME"])
        worker = worker_of(home, run.run_id)
        if worker == "unknown" and PROCESS_TAG in run.tags:
            worker = "alive" if is_alive(home, run.tags[PROCESS_TAG]) else "gone"
        elif worker == "unknown" and GRPC_INFO_TAG in run.tags:
            worker = "alive" if _is_known(run) else "gone"
        if worker == "gone":
            return CheckRunHealthResult(WorkerStatus.FAILED, "Its process ended without a word.")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def _is_known(run: DagsterRun) -> bool:
    """Whether the code server that started a run still has its process."""
    # gRPC, which a process that only opens the instance does not need.
    from dagster._core.errors import DagsterUserCodeUnreachableError  # noqa: PLC0415
    from dagster._grpc.client import DagsterGrpcClient  # noqa: PLC0415
    from dagster._grpc.types import (  # noqa: PLC0415
        CanCancelExecutionRequest,
        CanCancelExecutionResult,
    )

    where = json.loads(run.tags[GRPC_INFO_TAG])
    client = DagsterGrpcClient(
        host=where.get("host"),
        port=where.get("port"),
        socket=where.get("socket"),
        use_ssl=bool(where.get("use_ssl", False)),
    )
    asked = CanCancelExecutionRequest(run_id=run.run_id)
    try:
        answer = client.can_cancel_execution(asked, timeout=ANSWER_S)
    except DagsterUserCodeUnreachableError:
        return False
    return bool(deserialize_value(answer, CanCancelExecutionResult).can_cancel)
