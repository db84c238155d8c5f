"""The performance room as a resource, and steps that are recorded as one job.

Belongs here: turning settings into the room's arguments, Dagster's own queue time. Does not belong
here: any logic of the room. What is not given is read from the environment when a run starts.
See https://docs.dagster.io/guides/build/external-resources.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from animatize_assets.defs.nvidia import NvidiaMonitorResource
from animatize_assets.defs.run_telemetry import run_telemetry
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import performance_room

if TYPE_CHECKING:
    from animatize_assets.performance.opening import PerformanceRoom


class PerformanceResource(dg.ConfigurableResource["PerformanceResource"]):
    """Job records, estimators and what is learned from them."""

    nvidia: dg.ResourceDependency[NvidiaMonitorResource]
    data_dir: str | None = Field(
        default=None,
        description="Local folder of performance.db, mlflow.db and the spool; "
        "default: ANIMATIZE_DATA_DIR.",
    )

    def room(self) -> "PerformanceRoom":
        """Open the room; nothing is connected yet."""
        settings = Settings.read()
        if self.data_dir is not None:
            settings = settings.model_copy(update={"data_dir": Path(self.data_dir)})
        return performance_room(settings, self.nvidia.monitor())


def queue_seconds(instance: dg.DagsterInstance, run_id: str) -> float | None:
    """Return how long a run waited from enqueued to started, as Dagster tells it."""
    record = instance.get_run_record_by_id(run_id)
    if record is None or record.start_time is None:
        return None
    return max(0.0, record.start_time - record.create_timestamp.timestamp())


@contextmanager
def tracked_step(
    context: dg.OpExecutionContext,
    performance: PerformanceResource,
    job_type: str,
    **parameters: object,
) -> Iterator[None]:
    """Record the work of a ``with`` block as one job of this run.

    ``parameters``: what else is known before it begins.
    """
    run_id = context.run.run_id
    waited_s = queue_seconds(context.instance, run_id)
    known = {
        "job_type": job_type,
        "run_id": run_id,
        "queue_time_seconds": waited_s,
        **parameters,
    }
    job_id = f"{run_id}/{job_type}"
    with (
        run_telemetry(run_id, job_type, waited_s, context.run.tags),
        performance.room().tracking().track(job_id, "image", known) as job,
    ):
        yield
        job.mark_success()
