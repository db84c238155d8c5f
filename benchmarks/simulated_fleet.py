"""A fleet of workers whose job times are a known function with known noise.

ln(seconds) of a job is the sum of a constant, 0.95 times ln(work), an offset of its worker, of its
model and of its sampler, what an event adds, and normal noise of the deviation ``noise``. Work is
megapixels x steps x frames x batch. So the noise floor is known: a perfect model says
``expected_seconds``. No constant is taken from the estimator.

Belongs here: making jobs. Does not belong here: judging estimates (``prediction_fleet``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from animatize_assets.performance.models import JobParameters, JobRecord, PipelineType

START = datetime(2026, 2, 2, 8, tzinfo=UTC)

BASE: dict[PipelineType, float] = {"image": math.log(0.35), "video": math.log(0.08)}
WORK_EXPONENT = 0.95
DEVICE_DEVIATION = 0.4
MODEL_DEVIATION = 0.4
SAMPLERS = {"euler": 0.0, "euler_a": 0.02, "dpmpp_2m": 0.05, "heun": 0.65}

SIZES = (512, 576, 640, 768, 832, 960, 1024)
JOB_TYPES = ("character", "scene", "trailer")
FRAMES = (16, 24, 48, 60, 81, 120)
MEAN_GAP_S = 90.0

Event = Callable[[int, JobParameters], float]
"""Number of a job and its parameters -> what is added to ln(seconds)."""


@dataclass(frozen=True)
class Worker:
    """One machine with one device."""

    name: str
    gpu_model: str
    log_offset: float
    """ln(seconds) against the average worker."""
    vram_total_mb: float = 24_000.0


@dataclass(frozen=True)
class SimulatedJob:
    """A job with what a perfect model would have said of it."""

    job: JobRecord
    expected_seconds: float


@dataclass(frozen=True)
class Fleet:
    """Workers and models with offsets of their own."""

    pipeline_type: PipelineType
    noise: float
    workers: tuple[Worker, ...]
    models: dict[str, float] = field(default_factory=dict)
    """Name -> offset in ln(seconds)."""

    @classmethod
    def draw(
        cls,
        chance: np.random.Generator,
        *,
        noise: float,
        pipeline_type: PipelineType = "image",
        workers: int = 6,
        models: int = 5,
    ) -> Fleet:
        """Return a fleet with offsets drawn by chance."""
        return cls(
            pipeline_type,
            noise,
            tuple(draw_worker(chance, f"worker-{number}") for number in range(workers)),
            {f"model-{n}": MODEL_DEVIATION * chance.standard_normal() for n in range(models)},
        )

    def with_only(self, *, worker: Worker | None = None, model: str | None = None) -> Fleet:
        """Return the fleet reduced to one worker, or to one model."""
        models = self.models if model is None else {model: self.models[model]}
        return replace(self, workers=self.workers if worker is None else (worker,), models=models)

    def jobs(
        self,
        count: int,
        chance: np.random.Generator,
        *,
        events: Sequence[Event] = (),
        starting: datetime = START,
        first: int = 0,
    ) -> list[SimulatedJob]:
        """Return ``count`` jobs in the order in which they were submitted.

        Each worker does one job at a time, so jobs queue and may end in another order.
        """
        free = dict.fromkeys((worker.name for worker in self.workers), starting)
        moment = starting
        made = []
        for number in range(first, first + count):
            moment += timedelta(seconds=float(chance.exponential(MEAN_GAP_S)))
            worker = self.workers[int(chance.integers(len(self.workers)))]
            parameters = self._parameters(worker, chance)
            log_expected = self._log_expected(worker, parameters)
            log_expected += sum(event(number, parameters) for event in events)
            seconds = math.exp(log_expected + self.noise * chance.standard_normal())
            started = max(moment, free[worker.name])
            free[worker.name] = started + timedelta(seconds=seconds)
            job = JobRecord(
                job_id=f"simulated-{number}",
                pipeline_type=self.pipeline_type,
                parameters=parameters,
                submitted_at=moment,
                started_at=started,
                finished_at=free[worker.name],
                queue_length=sum(end > moment for end in free.values()),
                queue_time_seconds=(started - moment).total_seconds(),
                total_time_seconds=seconds,
                success=True,
            )
            made.append(SimulatedJob(job, math.exp(log_expected)))
        return made

    def _parameters(self, worker: Worker, chance: np.random.Generator) -> JobParameters:
        is_video = self.pipeline_type == "video"
        return JobParameters(
            job_type=str(chance.choice(JOB_TYPES)),
            width=int(chance.choice(SIZES)),
            height=int(chance.choice(SIZES)),
            frame_count=int(chance.choice(FRAMES)) if is_video else 1,
            steps=int(chance.integers(8, 61)),
            guidance_scale=round(float(chance.uniform(3, 12)), 1),
            sampler=str(chance.choice(list(SAMPLERS))),
            batch_size=1 if is_video else int(chance.choice((1, 1, 1, 2, 4))),
            seed=int(chance.integers(2**31)),
            provider="comfyui",
            model=str(chance.choice(list(self.models))),
            gpu_model=worker.gpu_model,
            vram_total_mb=worker.vram_total_mb,
            worker=worker.name,
        )

    def _log_expected(self, worker: Worker, parameters: JobParameters) -> float:
        sizes = (
            (parameters.width or 0) / 1_000,
            (parameters.height or 0) / 1_000,
            parameters.steps or 1,
            parameters.frame_count or 1,
            parameters.batch_size or 1,
        )
        return (
            BASE[self.pipeline_type]
            + WORK_EXPONENT * sum(map(math.log, sizes))
            + worker.log_offset
            + self.models[parameters.model or ""]
            + SAMPLERS[parameters.sampler or ""]
        )


def draw_worker(chance: np.random.Generator, name: str) -> Worker:
    """Return a worker with a device of its own."""
    return Worker(name, f"GPU of {name}", DEVICE_DEVIATION * float(chance.standard_normal()))


def slowdown(from_job: int, factor: float, *, worker: str | None = None) -> Event:
    """Return the event that everything, or one worker, takes ``factor`` times as long from then."""

    def added(number: int, parameters: JobParameters) -> float:
        is_hit = number >= from_job and worker in {None, parameters.worker}
        return math.log(factor) if is_hit else 0.0

    return added


def drift(log_a_thousand_jobs: float) -> Event:
    """Return the event that everything becomes slower bit by bit."""
    return lambda number, _: log_a_thousand_jobs * number / 1_000
