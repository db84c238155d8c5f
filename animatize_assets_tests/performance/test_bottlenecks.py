"""Each detector fires on its own fault, tells the numbers, and is silent on what looks like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.performance.bottlenecks.detection import DETECTORS, find_bottlenecks
from animatize_assets.performance.bottlenecks.findings import Bottleneck, severity
from animatize_assets_tests.performance.fleet import Change, fleet


def found(
    change: Change | None = None, *, count: int = 120, seed: int = 0
) -> dict[str, Bottleneck]:
    """Give the findings by type."""
    return {each.type: each for each in find_bottlenecks(fleet(count, seed=seed, change=change))}


def always(**values: Any) -> Change:
    """Make a change that sets the same values for every job."""

    def change(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        plan.update(values)

    return change


def low_gpu(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["gpu"] = random.normal(40, 4)


def long_queue(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["queue_s"] = random.lognormal(np.log(60), 0.4)


def full_memory(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["vram_share"] = random.uniform(0.92, 0.99)


def busy_cpu(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["cpu"] = random.uniform(88, 99)


def failing(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["success"] = random.random() >= 0.25


def slow_start(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["before_s"] = random.lognormal(np.log(25), 0.3)


def crowded(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["side"] = (512, 768, 1024)[number // 2 % 3]
    if number % 4 < 2:  # pairs on one worker
        plan["worker"] = "gpu-0"
        plan["start_s"] = 300.0 * (number - number % 2)
        plan["slower"] = 1.5
    else:
        plan["worker"] = "gpu-0"


def many_steps(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    if number % 2:
        plan["steps"] = 90


FAULTS: Mapping[str, Change] = {
    "low_gpu_utilization": low_gpu,
    "high_queue_time": long_queue,
    "memory_constraint": full_memory,
    "cpu_bottleneck": busy_cpu,
    "high_failure_rate": failing,
    "slow_initialization": slow_start,
    "resource_contention": crowded,
    "suboptimal_parameters": many_steps,
}


def test_every_type_has_a_detector_and_a_fault() -> None:
    assert set(FAULTS) == set(DETECTORS)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_found_and_nothing_else(kind: str) -> None:
    findings = found(FAULTS[kind])
    assert set(findings) == {kind}
    finding = findings[kind]
    assert 0 < finding.severity <= 1
    assert finding.affected_jobs >= len(finding.affected_job_ids) > 0
    assert finding.recommendations


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_in_the_second_half_is_found(kind: str) -> None:
    def later(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        if number >= 80:
            FAULTS[kind](plan, number, random)
        elif kind == "resource_contention":
            plan["worker"] = "gpu-0"

    assert set(found(later, count=160)) == {kind}


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_fleet_has_no_bottleneck(seed: int) -> None:
    assert found(seed=seed, count=300) == {}


def bigger(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    if number % 3 == 0:
        plan["side"] = 2048
        plan["vram_share"] = 0.8


def busier_hour(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    if 60 <= number < 100:
        plan["start_s"] = 300.0 * 60 + 90 * (number - 60)
        plan["queue_s"] = random.uniform(20, 60)


def parallel(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["worker"] = "gpu-0"
    plan["start_s"] = 300.0 * (number - number % 2)


def bigger_in_parallel(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["worker"] = "gpu-0"
    if number % 3 == 0:
        plan["side"] = 1536
        plan["start_s"] = 300.0 * (number + 1)


def noisy_neighbourhood(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    """Late jobs meet others because they are late, not the other way round."""
    plan["noise"] = 0.4
    plan["start_s"] = 40.0 * number
    plan["worker"] = "gpu-0"


def higher_rated(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    many_steps(plan, number, random)
    plan["rating"] = int(random.choice([4, 5] if number % 2 else [2, 3]))


def cold_starts(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    if number % 15 == 0:
        plan["before_s"] = 30.0


def in_use(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["gpu"], plan["cpu"] = random.uniform(96, 100), random.uniform(82, 95)


def rendering_here(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    """No GPU: the work itself uses all cores."""
    plan["gpu"], plan["cpu"] = None, random.uniform(90, 100)
    plan["own_cpu"] = plan["cpu"] - random.uniform(0, 15)


def reused_gpu(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["gpu"], plan["attribution"] = random.uniform(10, 40), "shared"


def hiccup(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    if number in {17, 60, 61, 90}:
        plan |= {"queue_s": 300.0, "gpu": 5.0, "cpu": 99.0, "before_s": 40.0, "success": False}


@pytest.mark.parametrize(
    "change",
    [
        bigger,
        busier_hour,
        parallel,
        bigger_in_parallel,
        noisy_neighbourhood,
        higher_rated,
        cold_starts,
        in_use,
        rendering_here,
        reused_gpu,
        hiccup,
        always(gpu=None),
    ],
    ids=lambda change: change.__name__,
)
def test_what_only_looks_like_a_fault_is_none(change: Change) -> None:
    for seed in range(3):
        assert found(change, seed=seed) == {}


def test_few_jobs_say_nothing() -> None:
    def everything_wrong(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        for fault in FAULTS.values():
            fault(plan, number, random)

    assert found(everything_wrong, count=8) == {}
    assert find_bottlenecks(fleet(0)) == ()


@pytest.mark.parametrize("kind", FAULTS)
def test_a_worse_fault_is_more_severe(kind: str) -> None:
    def partly(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        if number % 12 < 6:
            FAULTS[kind](plan, number, random)

    part = found(partly, count=240)
    assert set(part) <= {kind}
    milder = part[kind].severity if part else 0.0
    assert milder < found(FAULTS[kind], count=240)[kind].severity


@given(st.floats(1, 20), st.floats(0, 1), st.floats(0, 3), st.floats(0, 1))
def test_severity_grows_with_both(ratio: float, share: float, more: float, wider: float) -> None:
    assert 0 <= severity(ratio, share) <= 1
    assert severity(ratio + more, share) >= severity(ratio, share)
    assert severity(ratio, min(1.0, share + wider)) >= severity(ratio, share)


def test_the_gain_is_measured_against_like_jobs() -> None:
    finding = found(crowded, count=240)["resource_contention"]
    assert float(finding.metrics["slowdown"]) == pytest.approx(1.5, rel=0.1)
    # Half of the jobs take 1.5 times as long: a fifth of all seconds.
    assert finding.expected_gain == pytest.approx(0.2, abs=0.05)


def test_a_cpu_that_slows_jobs_tells_by_how_much() -> None:
    def hog(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        if number % 2:
            plan["cpu"], plan["slower"] = random.uniform(90, 99), 1.8

    finding = found(hog, count=240)["cpu_bottleneck"]
    assert float(finding.metrics["slowdown"]) == pytest.approx(1.8, rel=0.1)


def test_a_cpu_that_others_use_is_a_bottleneck_by_what_they_take() -> None:
    def crowded_by(own: float) -> Change:
        def change(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
            plan |= {"gpu": None, "cpu": random.uniform(90, 100), "own_cpu": own}

        return change

    half, tenth = (found(crowded_by(own))["cpu_bottleneck"] for own in (50.0, 10.0))
    assert half.metrics["cpu_utilization_own_median"] == 50
    assert 0 < half.severity < tenth.severity


def test_a_gpu_that_waits_for_the_jobs_own_cpu_work_is_a_cpu_bottleneck() -> None:
    assert set(found(always(cpu=96.0, own_cpu=95.0, gpu=70.0))) == {"cpu_bottleneck"}


def test_the_part_that_fails_is_named() -> None:
    def one_worker(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        plan["worker"] = f"gpu-{number % 8}"
        if number % 8 == 3:
            plan["success"] = random.random() >= 0.6

    finding = found(one_worker, count=320)["high_failure_rate"]
    assert finding.metrics["where"] == "worker gpu-3"
    assert any("gpu-3" in each for each in finding.recommendations)


def test_jobs_out_of_memory_are_found_though_the_peak_was_not_seen() -> None:
    def out_of_memory(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        plan["vram_share"] = 0.6
        if number % 12 == 0:
            plan["success"], plan["error_type"] = False, "OutOfMemoryError"

    finding = found(out_of_memory)["memory_constraint"]
    assert finding.metrics["out_of_memory_jobs"] == 10
    assert finding.affected_jobs == 10


def test_more_places_are_recommended_when_a_replay_shows_that_they_help() -> None:
    def one_place(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        plan["worker"] = "gpu-0"

    jobs = fleet(200, change=one_place)
    took = jobs["total_time_seconds"]
    # One place, and a job arrives a little more often than one ends.
    every = pd.Timedelta(took.mean() * 0.9, unit="s").floor("us")
    arrival = [jobs["submitted_at"].iloc[0] + number * every for number in range(200)]
    free = arrival[0]
    for number in range(200):
        begin = max(free, arrival[number])
        jobs.loc[number, "submitted_at"] = arrival[number]
        jobs.loc[number, "started_at"] = begin
        jobs.loc[number, "queue_time_seconds"] = (begin - arrival[number]).total_seconds()
        free = begin + pd.Timedelta(took[number], unit="s").floor("us")
        jobs.loc[number, "finished_at"] = free
    finding = {each.type: each for each in find_bottlenecks(jobs)}["high_queue_time"]
    assert finding.metrics["places"] == 1
    assert int(finding.metrics["places_enough"]) in {2, 3}


def test_slower_starts_than_before_are_found_in_long_jobs() -> None:
    def large(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        plan["side"], plan["before_s"] = 1536, random.lognormal(np.log(4), 0.2)

    def large_and_slow(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
        plan["side"], plan["before_s"] = 1536, random.lognormal(np.log(14), 0.2)

    now = fleet(60, change=large_and_slow)
    assert find_bottlenecks(now) == ()
    findings = find_bottlenecks(now, earlier=fleet(60, seed=1, change=large))
    assert [each.type for each in findings] == ["slow_initialization"]
    assert float(findings[0].metrics["reference_seconds"]) == pytest.approx(4, rel=0.15)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_jobs_with_anything_unmeasured_are_judged_without_an_error(data: st.DataObject) -> None:
    jobs = fleet(data.draw(st.integers(0, 40)), change=slow_start)
    numbers = [name for name in jobs.columns if jobs[name].dtype == np.float64]
    words = ["worker", "model", "provider", "gpu_model", "sampler", "gpu_attribution"]
    may_miss = sorted(set(numbers) - {"total_time_seconds", "retries"}) + words
    for name in data.draw(st.lists(st.sampled_from(may_miss), unique=True)):
        jobs.loc[jobs.index % data.draw(st.integers(1, 3)) == 0, name] = None
    for finding in find_bottlenecks(jobs):
        assert 0 <= finding.severity <= 1
