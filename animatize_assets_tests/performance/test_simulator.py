"""The labelled traces are what their labels say, judged by the issue's documented numbers."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from animatize_assets_tests.performance import simulator
from animatize_assets_tests.performance.simulated_faults import FAULTS, HARMLESS
from animatize_assets_tests.performance.simulator import Trace

SEED = 11


def _mean(trace: Trace, name: str) -> float:
    values = [getattr(job.resources, name, None) for job in trace.jobs]
    return float(np.mean([value for value in values if value is not None]))


def _wait(trace: Trace, worker: str | None = None) -> float:
    jobs = [job for job in trace.jobs if worker in {None, job.parameters.worker}]
    return float(np.mean([job.queue_time_seconds or 0.0 for job in jobs]))


def _failing(trace: Trace) -> float:
    return float(np.mean([not job.success for job in trace.jobs]))


def test_healthy_traces_lie_on_the_good_side_of_every_threshold() -> None:
    for trace in simulator.healthy_traces(2, SEED):
        assert trace.required == trace.allowed == frozenset()
        for worker in {job.parameters.worker for job in trace.jobs}:
            assert _wait(trace, worker) < 30, trace.name
        assert _failing(trace) < 0.10, trace.name
        assert _mean(trace, "cpu_utilization_avg") < 80, trace.name
        if any(job.resources.gpu_utilization_avg is not None for job in trace.jobs):
            assert _mean(trace, "gpu_utilization_avg") > 60, trace.name
        assert not any("emory" in (job.error_type or "") for job in trace.jobs)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_there_and_required(fault: str) -> None:
    for number in range(3):
        trace = simulator.faulty(fault, number, SEED)
        assert trace.required == {fault}
        assert fault not in trace.allowed
        assert 150 <= len(trace.jobs) <= 600


def test_the_queue_is_as_long_as_drawn() -> None:
    waits = [_wait(simulator.faulty("high_queue_time", number, SEED)) for number in range(5)]
    assert all(0.9 * 1.2 * 30 <= wait <= 2 * 5 * 30 for wait in waits), waits


def test_jobs_that_meet_are_marked_and_get_no_figures_of_the_device() -> None:
    trace = simulator.faulty("resource_contention", 0, SEED)
    shared = [job for job in trace.jobs if job.resources.gpu_attribution == "shared"]
    assert len(shared) > 0.1 * len(trace.jobs)
    assert all(job.resources.gpu_utilization_avg is None for job in shared)


@pytest.mark.parametrize("change", HARMLESS)
def test_a_trace_is_drawn_again_from_its_seed(change: str) -> None:
    assert simulator.confounded(change, 1, SEED) == simulator.confounded(change, 1, SEED)


def test_phases_add_up_to_the_whole() -> None:
    for number in range(4):
        for job in simulator.mixed(number, SEED).jobs:
            assert sum(phase.seconds for phase in job.phases) == pytest.approx(
                job.total_time_seconds, rel=1e-6
            )


def test_the_simulator_knows_no_detector() -> None:
    for name in ("simulator", "simulated_faults", "simulated_fleet"):
        tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("animatize"):
                assert node.module in {
                    "animatize_assets.performance.models",
                    "animatize_assets_tests.performance.simulated_faults",
                    "animatize_assets_tests.performance.simulated_fleet",
                }
