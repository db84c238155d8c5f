"""A plain fleet of jobs for the tests of single detectors: healthy unless a test changes it.

Not the labelled simulator (``simulator``), which was written without a look at the detectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from animatize_assets.performance.models import JobRecord, Phase, ResourceUse
from animatize_assets.performance.store import frame_of, to_row
from animatize_assets_tests.performance.jobs import MONDAY

Change = Callable[[dict[str, Any], int, np.random.Generator], None]
"""Changes the plan of one job, given its number."""


def fleet(count: int = 120, *, seed: int = 0, change: Change | None = None) -> pd.DataFrame:
    """Return the frame of so many jobs on two workers, one every ten minutes on each."""
    return frame_of(to_row(each) for each in records(count, seed=seed, change=change))


def records(count: int = 120, *, seed: int = 0, change: Change | None = None) -> list[JobRecord]:
    """Return the jobs of :func:`fleet` as records, in the order of their end."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        plan = _healthy(number, random)
        if change is not None:
            change(plan, number, random)
        made.append(_record(number, plan, random))
    return sorted(made, key=lambda each: each.finished_at)


def _healthy(number: int, random: np.random.Generator) -> dict[str, Any]:
    return {
        "side": int(random.choice([512, 768, 1024])),
        "steps": int(random.choice([20, 25, 30])),
        "worker": f"gpu-{number % 2}",
        "start_s": 300.0 * number,
        "queue_s": float(random.exponential(4.0)),
        "before_s": float(random.lognormal(0.3, 0.3)),
        "slower": 1.0,
        "gpu": float(np.clip(random.normal(85, 5), 0, 100)),
        "own_cpu": None,
        "cpu": float(np.clip(random.normal(40, 8), 0, 100)),
        "vram_share": float(random.uniform(0.4, 0.7)),
        "success": bool(random.random() >= 0.02),
        "error_type": "ProviderError",
        "attribution": "process",
        "rating": None,
        "sampler": "euler",
        "noise": 0.1,
    }


def _record(number: int, plan: Mapping[str, Any], random: np.random.Generator) -> JobRecord:
    work = plan["side"] ** 2 / 1e6 * plan["steps"]
    processing = 1.5 * work * plan["slower"] * float(random.lognormal(0, plan["noise"]))
    total = processing + plan["before_s"]
    started = MONDAY + timedelta(seconds=plan["start_s"])
    return JobRecord(
        job_id=f"job-{number}",
        pipeline_type="image",
        parameters={
            "width": plan["side"],
            "height": plan["side"],
            "steps": plan["steps"],
            "sampler": plan["sampler"],
            "provider": "local",
            "model": "m",
            "worker": plan["worker"],
            "batch_size": 1,
        },
        submitted_at=started - timedelta(seconds=plan["queue_s"]),
        started_at=started,
        finished_at=started + timedelta(seconds=total),
        queue_time_seconds=plan["queue_s"],
        total_time_seconds=total,
        phases=(
            Phase(name="initialization", seconds=plan["before_s"]),
            Phase(name="processing", seconds=processing),
        ),
        resources=ResourceUse(
            gpu_model="A" if plan["gpu"] is not None else None,
            gpu_utilization_avg=plan["gpu"],
            vram_peak_mb=None if plan["gpu"] is None else 24_000 * plan["vram_share"],
            vram_total_mb=None if plan["gpu"] is None else 24_000,
            cpu_utilization_avg=plan["cpu"],
            cpu_utilization_own=plan["own_cpu"],
            gpu_attribution=None if plan["gpu"] is None else plan["attribution"],
        ),
        success=plan["success"],
        error_type=None if plan["success"] else plan["error_type"],
        user_rating=plan["rating"],
    )
