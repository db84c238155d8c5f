"""How a healthy fleet works: the physics under the labelled traces of ``simulator``.

Belongs here: machines, kinds of work, what a job takes and uses, when jobs come and how they wait.
Does not belong here: what goes wrong (``simulated_faults``), labels and records (``simulator``).

Written from the issue's text alone. Nothing here is imported by, or copied from, a detector.
Seconds, megabytes of 10^6 bytes, per cent.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LOADS_ANEW = 0.2
"""Share of jobs whose model is not in the worker's memory from the job before."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Worker:
    """A machine, or one device of it."""

    name: str
    gpu_model: str | None
    speed: float
    vram_mb: float
    """0 without a GPU."""


@dataclass(frozen=True)
class Kind:
    """A kind of work, at the speed of a worker of speed 1."""

    pipeline: str
    job_type: str
    provider: str
    model: str
    sizes: tuple[tuple[int, int], ...]
    frames: tuple[int, ...]
    steps: int | None
    work_s: float
    """Seconds for a megapixel, step and frame; of a hosted provider, seconds for a picture."""
    initialization_s: float
    model_load_s: float
    vram_mb: float
    vram_mb_per_megapixel: float
    gpu: float | None
    """Per cent, of the device; None when the work uses none."""
    cpu: float
    usd: float = 0.0


SQUARE, WIDE, TALL = (1024, 1024), (1216, 832), (832, 1216)
GPU_IMAGES = (
    Kind(
        *("image", "character", "comfyui", "sdxl-base", (SQUARE, WIDE, TALL), (1,), 30, 0.55),
        *(2.2, 3.0, 6_500.0, 2_200.0, 88.0, 26.0),
    ),
    Kind(
        *("image", "scene", "comfyui", "flux-dev", (SQUARE, WIDE, (1344, 768)), (1,), 26, 1.1),
        *(2.8, 4.5, 8_200.0, 1_500.0, 92.0, 22.0),
    ),
    Kind(
        *("image", "scene", "comfyui", "sdxl-turbo", ((768, 768), SQUARE), (1,), 6, 1.6),
        *(1.1, 1.4, 6_000.0, 1_900.0, 81.0, 31.0),
    ),
)
GPU_VIDEOS = (
    Kind(
        *("video", "scene", "comfyui", "wan-small", ((832, 480), (480, 832)), (33, 49), 24, 0.16),
        *(5.0, 7.0, 7_000.0, 7_500.0, 90.0, 30.0),
    ),
    Kind(
        *("video", "trailer", "comfyui", "ltx-video", ((768, 512),), (49, 97), 20, 0.07),
        *(4.0, 6.0, 6_500.0, 8_000.0, 86.0, 34.0),
    ),
)
CPU_WORK = (
    Kind(
        *("video", "scene", "local", "animatic", ((1280, 720), (960, 540)), (96, 144), None, 0.05),
        *(0.6, 0.0, 0.0, 0.0, None, 55.0),
    ),
    Kind(
        *("image", "scene", "local", "plate", ((1280, 720), (1920, 1080)), (1,), None, 4.0),
        *(0.7, 0.0, 0.0, 0.0, None, 48.0),
    ),
)
HOSTED = (
    Kind(
        *("image", "scene", "openai", "hosted-a", (SQUARE,), (1,), None, 16.0),
        *(0.3, 0.0, 0.0, 0.0, None, 3.0, 0.042),
    ),
    Kind(
        *("image", "character", "flux", "hosted-b", (SQUARE, WIDE), (1,), None, 9.0),
        *(0.2, 0.0, 0.0, 0.0, None, 2.5, 0.04),
    ),
)


@dataclass
class Draft:
    """A trace in the making: one entry per job in the order in which they come."""

    workers: list[Worker]
    kinds: tuple[Kind, ...]
    kind: Ints
    worker: Ints
    width: Ints
    height: Ints
    frames: Ints
    steps: Ints
    """0 where the work has none."""
    rating: Ints
    """0 where nobody rated."""
    noise: Floats
    """Factor on the time of processing."""
    initialization: Floats
    model_load: Floats
    around: Floats
    """Pre- and postprocessing together."""
    gpu: Floats
    """NaN where no GPU is used, as with ``vram_share``."""
    vram_share: Floats
    """Peak, of the whole."""
    cpu: Floats
    memory_share: Floats
    """Peak of the process, of the host's memory."""
    error: list[str | None]
    retries: Ints
    slots: int = 1
    """Jobs that a worker does side by side."""
    slowdown: float = 1.0
    """Of each of two jobs side by side; 1 when they do not feel each other."""
    shared_workers: tuple[int, ...] = ()
    dispatch_s: Floats = field(default_factory=lambda: np.zeros(0))
    """What passes between submission and the worker's own queue."""
    mean_wait_s: float = 3.0
    longest_wait_counted_s: float = math.inf
    """In that mean: lets no few jobs with endless waits stand for all."""
    overlap: float = 0.0
    """Share of jobs that spend half their time beside another one; when positive it sets how
    densely jobs come."""
    rush: tuple[float, float] | None = None
    """A busier hour: share of the jobs before it begins, and its share of jobs."""

    @property
    def count(self) -> int:
        """How many jobs there are."""
        return len(self.kind)

    def of_kinds(self, wanted: Callable[[Kind], bool]) -> Flags:
        """Mark jobs of the kinds for which ``wanted`` says so."""
        return np.array([wanted(kind) for kind in self.kinds])[self.kind]

    def processing(self) -> Floats:
        """Seconds that the work itself takes on its worker, alone."""
        work = self.width * self.height / 1e6 * self.frames * np.maximum(self.steps, 1)
        hosted = self.of_kinds(lambda kind: kind.provider in {"openai", "flux"})
        unit = np.array([kind.work_s for kind in self.kinds])[self.kind]
        speed = np.array([worker.speed for worker in self.workers])[self.worker]
        return np.where(hosted, unit, unit * work / speed) * self.noise


def healthy_draft(
    rng: np.random.Generator, count: int, workers: Sequence[Worker], kinds: Sequence[Kind]
) -> Draft:
    """Draw jobs of a fleet on which nothing is wrong."""
    weights = rng.dirichlet(np.full(len(kinds), 4.0))
    kind = rng.choice(len(kinds), count, p=weights)
    speeds = np.array([worker.speed for worker in workers])
    worker = rng.choice(len(workers), count, p=speeds / speeds.sum())
    size = [kinds[k].sizes[rng.integers(len(kinds[k].sizes))] for k in kind]
    frames = np.array([rng.choice(kinds[k].frames) for k in kind])
    usual = np.array([kinds[k].steps or 0 for k in kind])
    steps = np.round(usual * rng.choice([0.85, 1.0, 1.0, 1.0, 1.15], count)).astype(int)
    sigma = rng.uniform(0.05, 0.16)
    width, height = (np.array(side) for side in zip(*size, strict=True))
    uses_gpu = np.array([kinds[k].gpu is not None for k in kind])
    gpu = np.array([kinds[k].gpu or np.nan for k in kind]) + rng.normal(0, 3.0, count)
    need = np.array([kinds[k].vram_mb for k in kind]) + width * height / 1e6 * np.array(
        [kinds[k].vram_mb_per_megapixel for k in kind]
    )
    total = np.array([machine.vram_mb for machine in workers])[worker]
    share = np.divide(need, total, out=np.full(count, np.nan), where=uses_gpu & (total > 0))
    cpu = np.array([kinds[k].cpu for k in kind]) * rng.uniform(0.9, 1.1)
    rated = rng.random(count) < rng.choice([0.0, 0.4, 0.7, 0.95])
    return Draft(
        workers=list(workers),
        kinds=tuple(kinds),
        kind=kind,
        worker=worker,
        width=width,
        height=height,
        frames=frames,
        steps=steps,
        rating=np.where(rated, draw_ratings(rng, count), 0),
        noise=rng.lognormal(0, sigma, count),
        initialization=np.array([kinds[k].initialization_s for k in kind])
        * rng.lognormal(0, 0.15, count),
        model_load=np.array([kinds[k].model_load_s for k in kind])
        * rng.lognormal(0, 0.2, count)
        * np.where(rng.random(count) < LOADS_ANEW, 1.0, 0.02),
        around=rng.uniform(0.6, 2.0, count),
        gpu=np.clip(gpu, 1, 99),
        vram_share=np.clip(share * rng.normal(1, 0.015, count), 0.02, 0.9),
        cpu=np.clip(cpu * rng.lognormal(0, 0.12, count), 0.5, 78),
        memory_share=np.clip(rng.uniform(0.15, 0.5) * rng.lognormal(0, 0.1, count), 0.02, 0.8),
        error=[None] * count,
        retries=(rng.random(count) < 0.02).astype(int),
        dispatch_s=rng.lognormal(0.0, 0.5, count),
        mean_wait_s=rng.uniform(2.5, 9.0),
    )


_RATINGS, _RATING_SHARES = np.array([2, 3, 4, 5]), [0.08, 0.27, 0.4, 0.25]


def draw_ratings(rng: np.random.Generator, count: int) -> Ints:
    """Draw what people give: mostly 3 to 5."""
    return rng.choice(_RATINGS, count, p=_RATING_SHARES)


def even_ratings(rng: np.random.Generator, count: int) -> Ints:
    """Deal ratings out in the shares of :func:`draw_ratings`, as exactly as they divide."""
    place = (np.arange(count) + 0.5) / max(count, 1)
    return rng.permutation(_RATINGS[np.searchsorted(np.cumsum(_RATING_SHARES), place)])


@dataclass(frozen=True)
class Timetable:
    """When each job comes, starts and ends, s; and how far it met others on its device."""

    arrival: Floats
    start: Floats
    end: Floats
    met: Floats
    """Seconds during which another job ran on its device."""

    @property
    def is_shared(self) -> Flags:
        """Jobs that had their device to themselves for less than half of their time."""
        return self.met > 0.5 * (self.end - self.start)


_LEAST_GAP_S = 0.01


def timetable(rng: np.random.Generator, draft: Draft, alone: Floats) -> Timetable:
    """Let jobs come in sessions of working days, so densely that they wait, or meet, as drafted.

    ``alone``: what each takes with its worker to itself. The gap between two jobs of a session is
    found by bisection: waiting and meeting only grow when jobs come closer together.
    """
    days = int(rng.integers(3, 8))
    sessions = max(days, round(draft.count / rng.uniform(10, 25)))
    while True:
        at = _calendar(rng, draft, alone, days, sessions)
        if sessions == days or _too_dense(draft, at(_LEAST_GAP_S)):
            break
        sessions = max(days, sessions // 2)  # fewer and larger ones, until somebody has to wait
    low, high = _LEAST_GAP_S, 20_000.0
    for _ in range(22):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if _too_dense(draft, at(middle)) else (low, middle)
    return at(high)


def _calendar(
    rng: np.random.Generator, draft: Draft, alone: Floats, days: int, sessions: int
) -> Callable[[float], Timetable]:
    """Draw when sessions open; the timetable then depends on the gap within them alone."""
    hours = rng.normal(14, 2.6, sessions) % 24
    opened = np.sort(rng.integers(0, days, sessions) * 86_400.0 + hours * 3_600)
    session = np.sort(rng.integers(0, sessions, draft.count))
    hurried = _hurried(draft, draft.count)
    session[hurried] = session[hurried][:1]  # a busy hour is one hour
    first = np.searchsorted(session, session, side="left")
    gaps = rng.exponential(1.0, draft.count)
    gaps[hurried] /= 3

    def at(gap: float) -> Timetable:
        cumulative = np.cumsum(gaps * gap)
        return _served(draft, np.sort(opened[session] + cumulative - cumulative[first]), alone)

    return at


def _too_dense(draft: Draft, done: Timetable) -> bool:
    if draft.overlap > 0:
        met = done.is_shared[np.isin(draft.worker, draft.shared_workers)]
        return bool(met.mean() > draft.overlap)
    waits = np.minimum(done.start - done.arrival, draft.longest_wait_counted_s)
    return bool(waits.mean() > draft.mean_wait_s)


def _hurried(draft: Draft, count: int) -> Flags:
    hurried = np.zeros(count, dtype=bool)
    if draft.rush is not None:
        begin = int(draft.rush[0] * count)
        hurried[begin : begin + int(draft.rush[1] * count)] = True
    return hurried


def _served(draft: Draft, arrival: Floats, alone: Floats) -> Timetable:
    start, end, met = np.zeros(draft.count), np.zeros(draft.count), np.zeros(draft.count)
    for number in range(len(draft.workers)):
        jobs = np.flatnonzero(draft.worker == number)
        shares = number in draft.shared_workers
        ready = arrival[jobs] + draft.dispatch_s[jobs]
        order = np.argsort(ready, kind="stable")
        jobs, ready = jobs[order], ready[order]
        serve = _side_by_side if shares else _one_by_one
        start[jobs], end[jobs], met[jobs] = serve(draft, ready, alone[jobs])
    return Timetable(arrival, start, end, met)


def _one_by_one(draft: Draft, ready: Floats, alone: Floats) -> tuple[Floats, Floats, Floats]:
    del draft
    start = np.empty_like(ready)
    free = -np.inf
    for number, (at, takes) in enumerate(zip(ready.tolist(), alone.tolist(), strict=True)):
        begun = max(at, free)
        start[number], free = begun, begun + takes
    return start, start + alone, np.zeros_like(ready)


def _side_by_side(draft: Draft, ready: Floats, alone: Floats) -> tuple[Floats, Floats, Floats]:
    """Serve up to ``slots`` jobs at once; while several run, each is slower by ``slowdown``."""
    start, end, met = np.zeros_like(ready), np.zeros_like(ready), np.zeros_like(ready)
    waiting = list(range(len(ready)))[::-1]
    running: dict[int, float] = {}
    now = 0.0
    while waiting or running:
        crowded = len(running) > 1
        rate = 1 / draft.slowdown if crowded else 1.0
        has_room = waiting and len(running) < draft.slots
        comes = max(now, float(ready[waiting[-1]])) if has_room else np.inf
        leaves = min((left / rate + now for left in running.values()), default=np.inf)
        then = min(comes, leaves)
        for job in running:
            running[job] -= (then - now) * rate
            met[job] += (then - now) * crowded
        now = then
        if comes <= leaves:
            job = waiting.pop()
            start[job], running[job] = now, float(alone[job])
        else:
            job = min(running, key=running.__getitem__)
            end[job] = now
            del running[job]
    return start, end, met


def waiting_at(done: Timetable) -> Ints:
    """How many jobs waited when each one came."""
    begun: list[float] = []
    waiting = np.zeros(len(done.arrival), dtype=int)
    for number, (came, starts) in enumerate(zip(done.arrival, done.start, strict=True)):
        while begun and begun[0] <= came:
            heapq.heappop(begun)
        waiting[number] = len(begun)
        heapq.heappush(begun, float(starts))
    return waiting
