"""How long an estimate itself takes, database included.

    python benchmarks/prediction_speed.py [--json] [--postgres URL]

Belongs here: the speed rows of ``prediction.py``. Does not belong here: how good estimates are.
``--postgres``: an empty database instead of SQLite, or ``auto``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
from performance_database import add_postgres_option, kept, opened_store
from report import REPEATS, Measurement, finish, measure

from animatize_assets.performance.model_types import MODEL_TYPES, ModelType
from animatize_assets.performance.models import JobParameters, JobRecord, Submission
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.time_estimator import TimeEstimator
from animatize_assets.performance.training import train

ONE_MS = 5.0
THOUSAND_MS = 100.0
JOBS = 1_500
_MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_postgres_option(parser)
    options = parser.parse_args()
    with opened_store(options.postgres) as store:
        rows = speed_rows(store)
    return finish("prediction_speed", rows, as_json=options.json)


def speed_rows(store: PerformanceStore) -> list[Measurement]:
    """Time one estimate and a thousand in one call, for each type of model. Empties ``store``."""
    jobs = kept(store, _jobs())
    submissions = [Submission.of(job) for job in jobs[:1000]]
    rows: list[Measurement] = []
    for model_type in MODEL_TYPES:
        trained = train(jobs, "video", model_types=[model_type], now=_MONDAY)
        rows += _type_rows(model_type, TimeEstimator(store, {"video": trained}.get), submissions)
    return rows


def _type_rows(
    model_type: ModelType, estimator: TimeEstimator, submissions: list[Submission]
) -> list[Measurement]:
    one = _median_ms(lambda: estimator.estimate(submissions[0]), 10 * REPEATS)
    many = _median_ms(lambda: estimator.estimate_many(submissions), REPEATS)
    return [
        measure(f"{model_type}: one estimate", one, "ms", goal=ONE_MS),
        measure(f"{model_type}: 1,000 in one call", many, "ms", goal=THOUSAND_MS),
    ]


def _median_ms(call: Callable[[], object], repeats: int) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return 1e3 * statistics.median(seconds)


def _jobs() -> list[JobRecord]:
    """Make jobs of a wide mix: every vector is as long as real ones are."""
    random = np.random.default_rng(0)
    jobs = []
    for number in range(JOBS):
        work = int(random.integers(1, 6)), int(random.integers(10, 60))
        model, gpu = int(random.integers(8)), int(random.integers(6))
        seconds = 2 + work[0] * work[1] * (1 + model) / (1 + gpu) * float(
            np.exp(0.1 * random.normal())
        )
        ended = _MONDAY + timedelta(minutes=number)
        jobs.append(
            JobRecord(
                job_id=f"job-{number}",
                pipeline_type="video",
                parameters=JobParameters(
                    width=256 * work[0],
                    height=256,
                    frame_count=16,
                    steps=work[1],
                    batch_size=1,
                    guidance_scale=7.0,
                    sampler="k_euler",
                    provider="comfyui",
                    model=f"maker/model-{model}",
                    gpu_model=f"GPU {gpu}",
                    worker=f"worker-{gpu}",
                    extra={"precision": "half", "gpu_count": 1, "tiled": number % 2 == 0},
                ),
                submitted_at=ended,
                finished_at=ended,
                total_time_seconds=seconds,
                success=True,
            )
        )
    return jobs


if __name__ == "__main__":
    sys.exit(main())
