"""What a detached process does: runs of one job, one after the other.

    python -m animatize_assets.orchestration.detached_process JOB RUN_ID PARTITION [...]

Its runs carry the process's mark, so ``end_abandoned_runs`` finds those of one that was killed.

Belongs here: that command. Does not belong here: starting it (``detached``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dagster import DagsterError, DagsterInstance

from animatize_assets.errors import OrchestrationFailed
from animatize_assets.orchestration.code_location import CODE_LOCATION, load_job
from animatize_assets.orchestration.home import open_instance
from animatize_assets.orchestration.process_marks import marked_process
from animatize_assets.orchestration.runs import PROCESS_TAG


def execute(
    instance: DagsterInstance,
    job: str,
    runs: Mapping[str, str],
    *,
    code_location: str = CODE_LOCATION,
) -> bool:
    """Execute runs (id -> partition) of ``job`` here; returns whether all succeeded.

    Raises:
        OrchestrationFailed: Dagster could not begin one.

    """
    definition = load_job(code_location, job)
    succeeded = True
    with marked_process(Path(os.environ["DAGSTER_HOME"])) as mark:
        for run_id, partition in runs.items():
            try:
                done = definition.execute_in_process(
                    instance=instance,
                    run_id=run_id,
                    partition_key=partition,
                    tags={PROCESS_TAG: mark},
                    raise_on_error=False,
                )
            except DagsterError as error:
                raise OrchestrationFailed(f"Dagster did not run {job}: {error}") from error
            succeeded &= done.success
    return succeeded


def main(arguments: list[str]) -> None:
    """Do what the command line says. A run that failed says why in Dagster."""
    job, *pairs = arguments
    runs = dict(zip(pairs[::2], pairs[1::2], strict=True))
    with open_instance(Path(os.environ["ANIMATIZE_DATA_DIR"])) as instance:
        execute(instance, job, runs)


if __name__ == "__main__":
    main(sys.argv[1:])
