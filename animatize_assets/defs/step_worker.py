"""The step that makes images, as a process: says that it lives, outlives a database's restart.

Belongs here: the lock of the run, and asking for the step once more. Does not belong here: what an
image's failure means (``failed_images``), calls to providers, which their own client repeats
(``generation.retrying``), workers that are gone (``run_launcher``).
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg

from animatize_assets.database.outages import is_outage
from animatize_assets.images.disk_space import is_full

STEP_RETRIES = 3
STEP_WAIT_S = 20
"""A database that restarts is back within a minute."""


@contextmanager
def step_worker(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Hold the run's lock; ask for the step once more when a database was away or had no room.

    What was made is found again, so this asks no provider twice for a picture.

    Raises:
        dg.RetryRequested: a database was not there, ended the connection, or its disk is full. The
            step that is tried again begins nothing until there is room (``stopped_runs``).
    """
    # Known by the step only; a code location loads without it.
    from animatize_assets.orchestration.run_locks import held_run  # noqa: PLC0415

    with ExitStack() as held:
        if home := os.environ.get("DAGSTER_HOME"):
            held.enter_context(held_run(Path(home), context.run.run_id))
        try:
            yield
        except Exception as error:
            if is_outage(error) or is_full(error):
                raise once_more() from error
            raise


def may_try_again(context: dg.AssetExecutionContext) -> bool:
    """Whether the step may be asked for once more."""
    return context.op_execution_context.retry_number < STEP_RETRIES


def once_more() -> dg.RetryRequested:
    """Return what asks Dagster for the step again, :data:`STEP_RETRIES` times at most."""
    return dg.RetryRequested(max_retries=STEP_RETRIES, seconds_to_wait=STEP_WAIT_S)
