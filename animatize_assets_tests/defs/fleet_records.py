"""Job records of a small fleet, whose seconds follow their work, for the performance assets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import numpy as np

from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.defs.resources import Stores, default_resources
from animatize_assets.performance.models import JobParameters, JobRecord, Promise
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets_tests.defs.runs import QUIET, cheap_definitions
from animatize_assets_tests.performance.jobs import job

EVERY_S = 90


def jobs(
    count: int,
    *,
    first: int = 0,
    until: datetime | None = None,
    slower: float = 1.0,
    told: float | None = None,
    noise: float = 0.05,
) -> list[JobRecord]:
    """Image jobs, the last of which ended at ``until``, by default now.

    ``told``: each was promised so many times what it should take.
    """
    random = np.random.default_rng(first)
    last = until or datetime.now(UTC)
    made = []
    for number in range(first, first + count):
        side, steps = int(random.choice([256, 512, 768])), int(random.choice([10, 20, 30, 50]))
        usual = 0.5 + 0.6 * side**2 / 1e6 * steps
        promise = None
        if told is not None:
            promise = Promise(predicted_seconds=told * usual, method="ml_model", model="test")
        made.append(
            job(
                number,
                seconds=slower * usual * float(random.lognormal(0, noise)),
                parameters=JobParameters(width=side, height=side, steps=steps, frame_count=1),
                finished_at=last - timedelta(seconds=EVERY_S * (first + count - 1 - number)),
                promise=promise,
            )
        )
    return made


def performance() -> PerformanceResource:
    resource: PerformanceResource = default_resources()["performance"]
    return resource


def stores() -> Stores:
    resource: Stores = default_resources()["stores"]
    return resource


def room() -> PerformanceRoom:
    return performance().room()


def run_job(
    instance: dg.DagsterInstance, name: str, partition: str | None = None, **ops: Any
) -> dg.ExecuteInProcessResult:
    """Run a job of the code location; ``ops``: configuration of its steps."""
    return (
        cheap_definitions()
        .resolve_job_def(name)
        .execute_in_process(
            instance=instance,
            partition_key=partition,
            run_config={"ops": ops, **QUIET},
            raise_on_error=False,
        )
    )
