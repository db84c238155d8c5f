"""Labelled traces of jobs: what went wrong is known, because it was put there.

Belongs here: drawing a trace, its records and its labels. Does not belong here: physics
(``simulated_fleet``), what goes wrong (``simulated_faults``), any rule by which it is found: this
package shares no constant and no import with the detectors.

A label is a pair of sets. A fault that was injected is *required*: not to report it is a miss. One
that was not, but whose own symptom the injected fault truly causes (a CPU hog starves the GPU below
60 %), is *allowed*: to report it is neither right nor wrong. Everything else is a false alarm. In
a healthy trace nothing is required and nothing allowed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from animatize_assets.performance.models import JobParameters, JobRecord, Phase, ResourceUse
from animatize_assets_tests.performance.simulated_faults import FAULTS, HARMLESS
from animatize_assets_tests.performance.simulated_fleet import (
    CPU_WORK,
    GPU_IMAGES,
    GPU_VIDEOS,
    HOSTED,
    Draft,
    Flags,
    Floats,
    Kind,
    Timetable,
    Worker,
    healthy_draft,
    timetable,
    waiting_at,
)

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
GPUS = {"RTX 3060": (0.5, 24_000.0), "RTX 4090": (1.0, 24_000.0), "H100": (2.2, 48_000.0)}
"""Speed and memory; none so small that healthy work fills it."""

IMPOSSIBLE_TOGETHER = (
    {"low_gpu_utilization", "resource_contention"},  # nobody meets on an idle device
    # a job that swaps or waits for a hogged CPU says nothing of the GPU's own input
    {"low_gpu_utilization", "memory_constraint"},
    # the figures of a shared device belong to nobody, so that it is full is told by nothing
    {"memory_constraint", "resource_contention"},
)
NOT_WITHOUT_GPU = {
    "low_gpu_utilization",
    "resource_contention",
    "suboptimal_parameters",  # nothing but diffusion has steps
}
NOT_HOSTED = NOT_WITHOUT_GPU | {"memory_constraint", "cpu_bottleneck", "slow_initialization"}
LEAST_GROUP = 20
"""In fewer jobs of a worker or pipeline an average is chance, and excuses no report."""


@dataclass(frozen=True)
class Trace:
    """Jobs of some days, and what is wrong with them."""

    name: str
    jobs: tuple[JobRecord, ...]
    """In the order in which they finished."""
    required: frozenset[str]
    allowed: frozenset[str]


def faulty(fault: str, number: int, seed: int) -> Trace:
    """Draw the trace of that number in which one fault was injected."""
    return _faulty((fault,), np.random.default_rng([seed, number, *fault.encode()]))


def mixed(number: int, seed: int) -> Trace:
    """Draw a trace with two or three faults that can be there together."""
    rng = np.random.default_rng([seed, number, 1])
    possible = [
        names
        for size in (2, 3)
        for names in itertools.combinations(FAULTS, size)
        if not any(pair <= set(names) for pair in IMPOSSIBLE_TOGETHER)
    ]
    return _faulty(possible[rng.integers(len(possible))], rng)


def healthy(number: int, seed: int) -> Trace:
    """Draw a trace with nothing wrong."""
    rng = np.random.default_rng([seed, number, 2])
    draft = _draft(rng, _fleet(rng, set()))
    return _trace(rng, draft, "healthy", frozenset())


def confounded(change: str, number: int, seed: int) -> Trace:
    """Draw a trace with nothing wrong, in which something looks like it."""
    rng = np.random.default_rng([seed, number, *change.encode()])
    needs_gpu = {"harmless_sharing", "steps_that_pay", "full_memory_cache", "busy_but_enough"}
    draft = _draft(rng, _fleet(rng, NOT_WITHOUT_GPU if change in needs_gpu else {"cpu_bottleneck"}))
    HARMLESS[change](rng, draft, rng.uniform(1.2, 5.0))
    return _trace(rng, draft, change, frozenset())


def without_gpu(number: int, seed: int) -> Trace:
    """Draw a healthy trace of a machine without GPU that makes pictures only."""
    rng = np.random.default_rng([seed, number, 3])
    pictures = [kind for kind in CPU_WORK if kind.pipeline == "image"]
    draft = _draft(rng, (_workers(rng, None), pictures))
    return _trace(rng, draft, "without_gpu", frozenset())


def hosted(number: int, seed: int) -> Trace:
    """Draw a healthy trace of pictures that others make."""
    rng = np.random.default_rng([seed, number, 4])
    return _trace(rng, _draft(rng, (_workers(rng, None), HOSTED)), "hosted", frozenset())


def healthy_traces(each: int, seed: int) -> Iterator[Trace]:
    """Draw ``each`` of every kind of trace in which nothing is wrong."""
    for number in range(each):
        yield healthy(number, seed)
        yield without_gpu(number, seed)
        yield hosted(number, seed)
        for change in HARMLESS:
            yield confounded(change, number, seed)


def _faulty(names: tuple[str, ...], rng: np.random.Generator) -> Trace:
    draft = _draft(rng, _fleet(rng, set(names)))
    usual = draft.initialization.copy()
    # what meets on a device sets when jobs come, so it is known first
    order = list(dict.fromkeys(("resource_contention", *FAULTS)))
    for name in sorted(names, key=order.index):
        FAULTS[name](rng, draft, rng.uniform(1.2, 5.0))
    slow = draft.initialization > 1.4 * usual
    return _trace(rng, draft, "+".join(names), frozenset(names), slow=slow)


def _fleet(
    rng: np.random.Generator, faults: set[str]
) -> tuple[list[Worker], list[Kind] | tuple[Kind, ...]]:
    chance = rng.random()
    if chance < 0.1 and not faults & NOT_HOSTED:
        return _workers(rng, None), HOSTED
    if chance < 0.3 and not faults & NOT_WITHOUT_GPU:
        return _workers(rng, None), CPU_WORK
    kinds = [GPU_IMAGES, GPU_VIDEOS, GPU_IMAGES + GPU_VIDEOS][rng.integers(3)]
    if rng.random() < 0.2 and "memory_constraint" not in faults:
        kinds = (*kinds, CPU_WORK[0])
    return _workers(rng, str(rng.choice(list(GPUS)))), kinds


def _workers(rng: np.random.Generator, gpu: str | None) -> list[Worker]:
    speed, memory = GPUS[gpu] if gpu is not None else (1.0, 0.0)
    return [Worker(f"worker-{n}", gpu, speed, memory) for n in range(rng.integers(1, 5))]


def _draft(
    rng: np.random.Generator, fleet: tuple[list[Worker], list[Kind] | tuple[Kind, ...]]
) -> Draft:
    count = int(rng.integers(150, 601))
    draft = healthy_draft(rng, count, *fleet)
    failing = rng.choice(count, int(rng.uniform(0, 0.04) * count), replace=False)
    for job in failing:
        draft.error[job] = "ProviderError"
    return draft


def _trace(
    rng: np.random.Generator,
    draft: Draft,
    name: str,
    required: frozenset[str],
    slow: Flags | None = None,
) -> Trace:
    processing = draft.processing()
    failed = np.array([error is not None for error in draft.error])
    processing = np.where(failed, processing * rng.uniform(0.1, 1.0, draft.count), processing)
    alone = draft.initialization + draft.model_load + draft.around + processing
    done = timetable(rng, draft, alone)
    stretched = processing + (done.end - done.start - alone)
    jobs = sorted(_records(rng, draft, done, stretched), key=lambda job: job.finished_at)
    allowed: set[str] = set()
    if required:
        allowed = _symptoms(draft, done) - required
        if slow is not None and slow.any():
            allowed.add("slow_initialization")
    return Trace(name, tuple(jobs), required, frozenset(allowed - required))


def _symptoms(draft: Draft, done: Timetable) -> set[str]:
    """Name the faults whose documented symptom is there, or nearly, in some worker or pipeline."""
    failed = np.array([error is not None for error in draft.error], dtype=float)
    starved = np.array([error is not None and "emory" in error for error in draft.error])
    shown: set[str] = set()
    for group in _groups(draft):
        on_gpu = group & ~np.isnan(draft.gpu)
        shown |= {
            name
            for name, is_there in {
                "high_queue_time": (done.start - done.arrival)[group].mean() > 0.7 * 30,
                "low_gpu_utilization": on_gpu.any() and draft.gpu[on_gpu].mean() < 1.1 * 60,
                "cpu_bottleneck": draft.cpu[group].mean() > 0.9 * 80,
                "high_failure_rate": failed[group].mean() > 0.7 * 0.10,
                "memory_constraint": starved[group].any(),
            }.items()
            if is_there
        }
    return shown


def _groups(draft: Draft) -> Iterator[Flags]:
    yield np.ones(draft.count, dtype=bool)
    for values in (draft.worker, draft.kind, draft.of_kinds(lambda kind: kind.pipeline == "image")):
        for value in np.unique(values):
            group = values == value
            if group.sum() >= LEAST_GROUP:
                yield group


def _records(
    rng: np.random.Generator, draft: Draft, done: Timetable, processing: Floats
) -> Iterator[JobRecord]:
    waiting = waiting_at(done)
    unread = rng.random(draft.count) < rng.choice([0.0, 0.0, 0.15])
    before = rng.uniform(0.3, 0.6)
    for n in range(draft.count):
        kind, worker = draft.kinds[draft.kind[n]], draft.workers[draft.worker[n]]
        begun, ended = (FIRST_DAY + timedelta(seconds=float(t[n])) for t in (done.start, done.end))
        phases = {
            "initialization": draft.initialization[n],
            "model_load": draft.model_load[n],
            "preprocessing": draft.around[n] * before,
            "processing": processing[n],
            "postprocessing": draft.around[n] * (1 - before),
        }
        yield JobRecord(
            job_id=f"job-{n:04}",
            pipeline_type="image" if kind.pipeline == "image" else "video",
            parameters=JobParameters(
                job_type=kind.job_type,
                width=int(draft.width[n]),
                height=int(draft.height[n]),
                frame_count=int(draft.frames[n]),
                steps=int(draft.steps[n]) or None,
                guidance_scale=None if kind.steps is None else 7.0,
                sampler=None if kind.steps is None else "euler",
                batch_size=1,
                provider=kind.provider,
                model=kind.model,
                gpu_model=worker.gpu_model,
                vram_total_mb=worker.vram_mb or None,
                worker=worker.name,
            ),
            submitted_at=FIRST_DAY + timedelta(seconds=float(done.arrival[n])),
            started_at=begun,
            finished_at=ended,
            queue_length=int(waiting[n]),
            queue_time_seconds=float(done.start[n] - done.arrival[n]),
            total_time_seconds=float(done.end[n] - done.start[n]),
            phases=tuple(Phase(name=name, seconds=float(s)) for name, s in phases.items()),
            resources=_use(
                draft, n, kind, worker, is_shared=bool(done.is_shared[n]), unread=bool(unread[n])
            ),
            retries=int(draft.retries[n]),
            success=draft.error[n] is None,
            error_type=draft.error[n],
            user_rating=int(draft.rating[n]) or None if draft.error[n] is None else None,
            cost_usd=kind.usd or None,
        )


def _use(
    draft: Draft, n: int, kind: Kind, worker: Worker, *, is_shared: bool, unread: bool
) -> ResourceUse:
    if unread:
        return ResourceUse(unmeasured={"gpu": "it ended before the first look", "cpu": "as gpu"})
    host = {
        "cpu_utilization_avg": float(draft.cpu[n]),
        "memory_used_mb": float(draft.memory_share[n]) * 64_000,
        "memory_total_mb": 64_000.0,
        "network_latency_ms": 40.0 if kind.provider in {"openai", "flux"} else None,
    }
    if worker.gpu_model is None or kind.gpu is None:
        return ResourceUse(**host, unmeasured={"gpu": "no process of the job uses a GPU"})
    device = {"gpu_model": worker.gpu_model, "vram_total_mb": worker.vram_mb}
    if is_shared:  # marked; the device's figures belong to nobody
        return ResourceUse(**host, **device, gpu_attribution="shared")
    gpu, share = float(draft.gpu[n]), float(draft.vram_share[n])
    return ResourceUse(
        **host,
        **device,
        gpu_utilization_avg=gpu,
        gpu_utilization_peak=min(100.0, gpu * 1.1),
        vram_used_mb=0.85 * share * worker.vram_mb,
        vram_peak_mb=share * worker.vram_mb,
        gpu_attribution="process",
    )
