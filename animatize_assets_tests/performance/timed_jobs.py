"""Jobs whose seconds are a known function of what was asked for, with known noise."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from animatize_assets.performance.models import JobRecord
from animatize_assets_tests.performance.jobs import MONDAY, job

NOISE = 0.08
GPUS = ("GPU A", "GPU B", "GPU C")


def timed_jobs(
    count: int, *, seed: int = 0, start: int = 0, noise: float = NOISE, slower: float = 1.0
) -> list[JobRecord]:
    """Make jobs of varied size, ten minutes apart; ``start``: number of the first."""
    random = np.random.default_rng([seed, start])
    jobs = []
    for number in range(start, start + count):
        side = int(random.choice([384, 512, 640, 768, 1024]))
        steps, gpu = int(random.integers(10, 60)), int(random.integers(len(GPUS)))
        seconds = 0.4 * side**2 / 1e6 * steps / (1 + gpu) * slower
        jobs.append(
            job(
                number,
                seconds=float(seconds * np.exp(noise * random.normal())),
                every_s=600,
                parameters={
                    "width": side,
                    "height": side,
                    "steps": steps,
                    "gpu_model": GPUS[gpu],
                    "worker": f"host-{gpu}",
                    "model": "maker/model",
                },
            )
        )
    return jobs


AFTER = MONDAY + timedelta(days=365)
