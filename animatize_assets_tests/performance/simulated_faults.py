"""What goes wrong in the labelled traces of ``simulator``, and what only looks like it.

Belongs here: one function per fault, with the physical side effects that the fault has, and one
per harmless change. Does not belong here: the healthy fleet (``simulated_fleet``), labels.

``strength`` is how far the fault is past the documented threshold (1.2 to 5). Where the issue
documents a threshold, the average of the affected jobs lies beyond it by that factor:

==================== =============================================================================
low_gpu_utilization  60 % / strength: the GPU waits for its input, so the work takes longer too
high_queue_time      30 s x strength, by too many jobs for the workers, or by slow dispatch
cpu_bottleneck       100 % - 20 % / strength (a percentage ends at 100: what is left of the CPU
                     shrinks by the factor); all that the CPU does takes longer, the GPU starves
high_failure_rate    10 % x strength of the affected jobs fail, exactly
memory_constraint    jobs that need strength x what there is: they fail, or swap and slow down
slow_initialization  2 x strength times its usual time, by a part of the workers or from a day on,
                     or for every job (then it is most of the job)
resource_contention  each of two jobs that meet on a device is 1.3 x strength slower
suboptimal_parameters  2 x strength the usual steps, with ratings no better
==================== =============================================================================
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from animatize_assets_tests.performance.simulated_fleet import Draft, Flags, Worker, even_ratings

Change = Callable[[np.random.Generator, Draft, float], None]
OUT_OF_MEMORY = ("OutOfMemoryError", "torch.OutOfMemoryError", "CudaOutOfMemoryError")


def _affected(rng: np.random.Generator, draft: Draft, strength: float) -> Flags:
    """All jobs; or those of one worker, where the fault is too plain to drown in the others."""
    if strength >= 1.5 and len(draft.workers) > 1 and rng.random() < 0.3:
        return draft.worker == rng.integers(len(draft.workers))
    return np.ones(draft.count, dtype=bool)


def low_gpu_utilization(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """The GPU waits for its input (a slow disk, a slow network, too small a batch)."""
    hit = _affected(rng, draft, strength) & ~np.isnan(draft.gpu)
    target = 60.0 / strength
    before = draft.gpu[hit].mean()
    draft.gpu[hit] = np.clip(draft.gpu[hit] * target / before, 0.5, 99)
    draft.noise[hit] *= (before / target) ** rng.uniform(0.5, 1.0)


def high_queue_time(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """More jobs than the workers can do in time; or a slow way from the queue to them."""
    wait = 30.0 * strength
    if draft.overlap > 0 or rng.random() < 0.3:
        draft.dispatch_s = draft.dispatch_s * (wait / draft.dispatch_s.mean())
    draft.mean_wait_s = wait
    draft.longest_wait_counted_s = 3 * wait  # so a third of the jobs wait at least: no busy hour


def cpu_bottleneck(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """Another program has the CPU of the hosts."""
    hit = _affected(rng, draft, strength)
    target = 100.0 - 20.0 / strength
    spread = (100.0 - target) / 4
    draft.cpu[hit] = np.clip(rng.normal(target, spread, hit.sum()), 5, 100)
    draft.cpu[hit] += target - draft.cpu[hit].mean()
    draft.cpu[hit] = np.clip(draft.cpu[hit], 0, 100)
    stretch = 1 + strength * rng.uniform(0.1, 0.3)
    draft.initialization[hit] *= stretch
    draft.model_load[hit] *= stretch
    draft.around[hit] *= stretch
    on_gpu = ~np.isnan(draft.gpu)
    starved = 1 + 0.3 * (stretch - 1)
    draft.noise[hit] *= np.where(on_gpu, starved, stretch)[hit]
    draft.gpu[hit] /= starved


def high_failure_rate(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """Jobs fail by themselves, one by one or some in a row."""
    hit = np.flatnonzero(_affected(rng, draft, strength))
    starved = [job for job in hit if "emory" in (draft.error[job] or "")]
    for job in hit:
        draft.error[job] = draft.error[job] if job in starved else None
    hit = np.setdiff1d(hit, np.array(starved, dtype=int))
    wanted = int(np.ceil(0.10 * strength * (len(hit) + len(starved)))) - len(starved)
    wanted = min(max(wanted, 0), len(hit))
    if rng.random() < 0.3:  # in a row: a bad release, a server that is away
        begin = rng.integers(0, len(hit) - wanted + 1)
        failing = hit[begin : begin + wanted]
    else:
        failing = rng.choice(hit, wanted, replace=False)
    kind = str(rng.choice(["ProviderError", "TimeoutError", "RenderingFailed", "ValueError"]))
    for job in failing:
        draft.error[job] = kind
        draft.retries[job] = rng.integers(0, 4)


def memory_constraint(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """The larger jobs need more memory than there is: of the device, else of the host."""
    size = draft.width * draft.height * draft.frames * rng.uniform(0.8, 1.2, draft.count)
    hit = size >= np.quantile(size, 1 - rng.uniform(0.2, 0.5))
    on_gpu = ~np.isnan(draft.vram_share)
    of_device = bool(on_gpu.mean() > 0.5)
    hit &= on_gpu | (not of_device)
    share = draft.vram_share if of_device else draft.memory_share
    fails = rng.random() < 0.5
    chance = rng.uniform(0.3, 0.7) if fails else 0.0
    draft.noise[hit] *= np.maximum(1.3, 1 + (strength - 1) * rng.uniform(0.5, 1.0, hit.sum()))
    share[hit] = rng.uniform(0.965, 1.0, hit.sum())
    draft.gpu[hit] /= 1.05 if fails else 1.3
    kind = str(rng.choice(OUT_OF_MEMORY)) if of_device else "MemoryError"
    for job in np.flatnonzero(hit & (rng.random(draft.count) < chance)):
        draft.error[job] = kind
        draft.retries[job] = rng.integers(0, 3)


def slow_initialization(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """Starting takes several times its usual time: a slow disk, a cold start for every job."""
    factor = 2.0 * strength
    typical = float(np.median(draft.processing()))
    draft.initialization *= max(1.0, 0.12 * typical / float(np.median(draft.initialization)))
    way = rng.random()
    if way < 0.4:
        hit = np.arange(draft.count) >= rng.uniform(0.3, 0.7) * draft.count
    elif way < 0.7 and len(draft.workers) > 1:
        hit = draft.worker == rng.integers(len(draft.workers))
    else:
        hit = np.ones(draft.count, dtype=bool)
        # without a usual time beside it, only a share of the whole tells: most of the job
        factor = max(factor, 1.5 * typical / float(np.median(draft.initialization)))
    draft.initialization[hit] *= factor
    draft.gpu[hit] /= 1.1


def resource_contention(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """Two jobs at once on a device that is busy with one."""
    _share_devices(rng, draft)
    draft.slowdown = 1.3 * strength


def suboptimal_parameters(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """A part of the jobs of the commonest kind use far more steps; the ratings are no better."""
    hit = _more_steps(rng, draft, 2.0 * strength)
    for group in (hit, ~hit):  # exactly the same, lest chance should make them better
        draft.rating[group] = even_ratings(rng, int(group.sum()))
    draft.rating[rng.random(draft.count) < 0.2] = 0


def _share_devices(rng: np.random.Generator, draft: Draft) -> None:
    of_all = rng.random() < 0.7
    chosen = range(len(draft.workers)) if of_all else [int(np.bincount(draft.worker).argmax())]
    draft.shared_workers = tuple(chosen)
    draft.slots = 2
    draft.overlap = rng.uniform(0.35, 0.7)


def _more_steps(rng: np.random.Generator, draft: Draft, factor: float) -> Flags:
    stepped = np.flatnonzero(draft.steps > 0)
    kind = np.bincount(draft.kind[stepped]).argmax()
    of_kind = np.flatnonzero(draft.kind == kind)
    wanted = min(max(20, int(rng.uniform(0.25, 0.6) * len(of_kind))), len(of_kind) // 2)
    hit: Flags = np.zeros(draft.count, dtype=bool)
    hit[rng.choice(of_kind, wanted, replace=False)] = True
    draft.steps[hit] = np.round(draft.steps[hit] * factor).astype(int)
    return hit


FAULTS: dict[str, Change] = {
    change.__name__: change
    for change in (
        low_gpu_utilization,
        high_queue_time,
        memory_constraint,
        cpu_bottleneck,
        high_failure_rate,
        slow_initialization,
        resource_contention,
        suboptimal_parameters,
    )
}


def bigger_jobs(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """From some day on people ask for larger pictures: longer, with more memory, nothing wrong."""
    hit = np.arange(draft.count) >= rng.uniform(0.3, 0.7) * draft.count
    side = np.sqrt(1 + 0.4 * strength)
    draft.width[hit] = np.round(draft.width[hit] * side / 16).astype(int) * 16
    draft.height[hit] = np.round(draft.height[hit] * side / 16).astype(int) * 16
    draft.vram_share[hit] = np.minimum(draft.vram_share[hit] * rng.uniform(1.1, 1.4), 0.9)


def busier_hour(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """One hour brings jobs three times as densely: they wait, and the week as a whole does not."""
    draft.rush = (rng.uniform(0.1, 0.8), rng.uniform(0.05, 0.1))
    draft.mean_wait_s = rng.uniform(4.0, 8.0) + strength


def new_faster_worker(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """From some day on a worker takes half of the jobs, and the work itself takes less time."""
    speed = 1 + 0.6 * strength
    draft.workers.append(Worker("worker-new", draft.workers[0].gpu_model, speed, 48_000.0))
    late = np.arange(draft.count) >= rng.uniform(0.3, 0.7) * draft.count
    moves = late & (rng.random(draft.count) < 0.5)
    before = np.array([worker.vram_mb for worker in draft.workers])[draft.worker]
    draft.vram_share[moves] *= before[moves] / 48_000.0
    draft.worker[moves] = len(draft.workers) - 1


def full_memory_cache(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """Models stay in the device's memory, which is what it is for: nothing fails or slows down."""
    del strength
    draft.vram_share[:] = np.where(
        np.isnan(draft.vram_share), np.nan, rng.uniform(0.84, 0.93, draft.count)
    )


def harmless_sharing(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """Several jobs at once on a device that has room for all of them, so that few ever wait."""
    _share_devices(rng, draft)
    draft.shared_workers = tuple(range(len(draft.workers)))
    draft.slots = 8
    draft.slowdown = 1 + 0.01 * strength


def steps_that_pay(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """A part of the jobs use more steps, and people like them better."""
    hit = _more_steps(rng, draft, 1.4 + 0.3 * strength)
    draft.rating[:] = rng.choice([2, 3, 3, 4], draft.count)
    draft.rating[hit] = rng.choice([4, 5, 5], int(hit.sum()))


def cold_mornings(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """The first job after a pause loads everything anew."""
    hit = rng.random(draft.count) < 0.04
    draft.initialization[hit] *= 2 * strength
    draft.model_load[hit] *= 2 * strength


def slower_old_worker(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """One machine is older: it takes longer for the same work, and always did."""
    old = int(rng.integers(len(draft.workers)))
    worker = draft.workers[old]
    speed = worker.speed / (1 + 0.3 * strength)
    draft.workers[old] = Worker(worker.name, worker.gpu_model, speed, worker.vram_mb)


def busy_but_enough(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """CPU and GPU are well used, on the good side of their thresholds."""
    del strength
    draft.cpu[:] = np.clip(rng.normal(rng.uniform(58, 70), 4, draft.count), 1, 100)
    draft.gpu += rng.uniform(69, 76) - np.nanmean(draft.gpu)


def one_bad_input(rng: np.random.Generator, draft: Draft, strength: float) -> None:
    """One picture fails whenever it is tried; some per cent of all jobs."""
    del strength
    for job in rng.choice(draft.count, int(0.05 * draft.count), replace=False):
        draft.error[job] = "InvalidImage"


HARMLESS: dict[str, Change] = {
    change.__name__: change
    for change in (
        bigger_jobs,
        busier_hour,
        new_faster_worker,
        full_memory_cache,
        harmless_sharing,
        steps_that_pay,
        cold_mornings,
        slower_old_worker,
        busy_but_enough,
        one_bad_input,
    )
}
