"""What marks mean in seconds, also across threads, tasks and nested jobs."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.performance.tracking import current_job, track_generation_job
from animatize_assets_tests.performance.jobs import MONDAY
from animatize_assets_tests.performance.tracked import Watched

BEFORE = MONDAY - timedelta(seconds=30)


def test_without_marks_the_block_is_the_work() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker:
        watched.pass_by(5)
        tracker.mark_success()
    assert (watched.job.queue_time_seconds, watched.job.total_time_seconds) == (None, 5)
    assert watched.job.started_at == MONDAY


def test_time_before_the_first_mark_is_neither_queue_nor_work() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker:
        watched.pass_by(1)
        tracker.mark_processing_start()
        watched.pass_by(2)
    assert (watched.job.queue_time_seconds, watched.job.total_time_seconds) == (None, 2)


def test_a_phase_ends_the_wait_when_nobody_says_so() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker:
        tracker.mark_queued()
        watched.pass_by(3)
        tracker.mark_phase("processing")
        watched.pass_by(4)
    assert (watched.job.queue_time_seconds, watched.job.total_time_seconds) == (3, 4)


def test_a_later_wait_is_queue_too_and_no_phase() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker:
        tracker.mark_queued()
        watched.pass_by(3)
        tracker.mark_processing_start()
        tracker.mark_phase("processing")
        watched.pass_by(4)
        tracker.mark_queued()
        watched.pass_by(50)
        tracker.mark_processing_start()
        watched.pass_by(1)
    job = watched.job
    assert (job.queue_time_seconds, job.total_time_seconds) == (53, 5)
    assert job.phase_seconds("processing") == 4


def test_a_job_that_fails_in_the_queue_did_no_work() -> None:
    watched = Watched()
    with (  # noqa: PT012
        pytest.raises(RuntimeError),
        watched.tracking.track("a", "image", {}) as tracker,
    ):
        tracker.mark_queued()
        watched.pass_by(9)
        raise RuntimeError
    job = watched.job
    assert (job.queue_time_seconds, job.total_time_seconds, job.started_at) == (9, 0, None)


def test_a_success_whose_work_was_not_marked_has_no_known_wait() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker:
        tracker.mark_queued()
        watched.pass_by(9)
        tracker.mark_success()
    assert (watched.job.queue_time_seconds, watched.job.total_time_seconds) == (None, 9)


def test_a_queue_kept_by_somebody_else_is_taken_over() -> None:
    watched = Watched()
    with track_generation_job("a", "image", {}, queued_at=BEFORE, tracking=watched.tracking):
        watched.pass_by(2)
    job = watched.job
    assert (job.submitted_at, job.queue_time_seconds, job.total_time_seconds) == (BEFORE, 30, 2)


def test_a_wait_measured_by_somebody_else_is_taken_over() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {"queue_time_seconds": 4.5, "queued_at": BEFORE}):
        watched.pass_by(2)
    assert watched.job.queue_time_seconds == 4.5


def test_two_clocks_that_disagree_measure_no_wait() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {"queued_at": MONDAY + timedelta(seconds=1)}):
        watched.pass_by(2)
    assert watched.job.queue_time_seconds is None
    assert watched.job.submitted_at == MONDAY


def test_phases_add_up_in_the_order_of_their_first_time() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker:
        for seconds in (1, 2):
            tracker.mark_phase("b", "told once")
            watched.pass_by(seconds)
            tracker.mark_phase("a")
            watched.pass_by(10)
        tracker.mark_phase_end("never begun")
        tracker.mark_phase_end("a")
        watched.pass_by(100)
        tracker.mark_phase_end("a")
    assert [(each.name, each.seconds) for each in watched.job.phases] == [("b", 3), ("a", 20)]
    assert watched.job.phases[0].description == "told once"


MARKS = st.lists(
    st.sampled_from(["queued", "start", "phase a", "phase b", "end a", "end b", "success"]),
    max_size=30,
)


@given(MARKS, st.booleans())
def test_any_marks_in_any_order_account_for_all_the_time_once(
    marks: list[str], raises: bool
) -> None:
    watched = Watched()
    entered = watched.clocks.passed
    with (  # noqa: SIM117
        pytest.raises(RuntimeError) if raises else watched.tracking.track("x", "image", {}),
    ):
        with watched.tracking.track("a", "image", {}) as tracker:
            for mark in marks:
                kind, _, name = mark.partition(" ")
                if kind == "queued":
                    tracker.mark_queued()
                elif kind == "start":
                    tracker.mark_processing_start()
                elif kind == "phase":
                    tracker.mark_phase(name)
                elif kind == "end":
                    tracker.mark_phase_end(name)
                else:
                    tracker.mark_success()
                watched.pass_by(1)
            if raises:
                raise RuntimeError
    job = watched.named("a")
    passed = watched.clocks.passed - entered
    in_phases = sum(phase.seconds for phase in job.phases)
    assert in_phases <= job.total_time_seconds <= passed
    assert job.total_time_seconds + (job.queue_time_seconds or 0) <= passed
    assert job.success == ("success" in marks and not raises)
    began_unmarked = not {"queued", "start", "phase a", "phase b"} & set(marks)
    if began_unmarked:
        assert job.total_time_seconds == passed
    if marks and marks[0] == "queued" and job.queue_time_seconds is not None:
        assert job.total_time_seconds + job.queue_time_seconds == passed


def test_nested_jobs_keep_their_phases_apart() -> None:
    watched = Watched()
    with watched.tracking.track("out", "image", {}):
        current_job().mark_phase("outer")
        watched.pass_by(1)
        with watched.tracking.track("in", "image", {}):
            current_job().mark_phase("inner")
            watched.pass_by(2)
        watched.pass_by(4)
        current_job().mark_phase_end("outer")
    assert watched.named("out").phase_seconds("outer") == 7
    assert watched.named("out").phase_seconds("inner") is None
    assert watched.named("in").phase_seconds("inner") == 2


def test_threads_keep_their_jobs_and_phases_apart() -> None:
    watched = Watched()
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        with watched.tracking.track(f"job-{number}", "image", {}):
            barrier.wait()
            for _ in range(20):
                current_job().mark_phase(f"phase-{number}")
                current_job().mark_phase_end(f"phase-{number}")

    with watched.tracking.track("around", "image", {}), ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert watched.named("around").phases == ()
    for number in range(8):
        assert [each.name for each in watched.named(f"job-{number}").phases] == [f"phase-{number}"]


def test_threads_of_one_job_end_only_their_own_phases() -> None:
    watched = Watched()
    steps = [threading.Event() for _ in range(3)]

    def other(tracker: Any) -> None:
        tracker.mark_phase("other")
        steps[0].set()
        steps[1].wait()
        tracker.mark_phase_end("other")

    with watched.tracking.track("a", "image", {}) as tracker, ThreadPoolExecutor(1) as pool:
        tracker.mark_phase("mine")
        running = pool.submit(other, tracker)
        steps[0].wait()
        watched.pass_by(2)
        steps[1].set()
        running.result()
        watched.pass_by(3)
        tracker.mark_phase_end("mine")
    assert watched.job.phase_seconds("other") == 2
    assert watched.job.phase_seconds("mine") == 5


def test_a_phase_may_end_in_another_thread() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker, ThreadPoolExecutor(1) as pool:
        tracker.mark_phase("processing")
        watched.pass_by(2)
        pool.submit(tracker.mark_phase_end, "processing").result()
        watched.pass_by(3)
    assert watched.job.phase_seconds("processing") == 2


def test_tasks_keep_their_jobs_and_phases_apart() -> None:
    watched = Watched()

    async def work(number: int, turn: asyncio.Event) -> None:
        with watched.tracking.track(f"job-{number}", "image", {}):
            current_job().mark_phase(f"phase-{number}")
            await turn.wait()
            watched.pass_by(1)
            current_job().mark_phase_end(f"phase-{number}")

    async def part(number: int, turn: asyncio.Event) -> None:
        current_job().mark_phase(f"part-{number}")
        await turn.wait()
        current_job().mark_phase_end(f"part-{number}")

    async def main() -> None:
        turns = [asyncio.Event() for _ in range(4)]
        with watched.tracking.track("around", "image", {}):
            current_job().mark_phase("whole")
            tasks = [asyncio.create_task(work(n, turns[n])) for n in range(2)]
            tasks += [asyncio.create_task(part(n, turns[n])) for n in (2, 3)]
            for turn in turns:  # each ends before the next goes on
                await asyncio.sleep(0)
                turn.set()
            await asyncio.gather(*tasks)

    asyncio.run(main())
    for number in range(2):
        assert [each.name for each in watched.named(f"job-{number}").phases] == [f"phase-{number}"]
    around = watched.named("around")
    assert {each.name for each in around.phases} == {"whole", "part-2", "part-3"}
    assert around.phase_seconds("whole") == around.total_time_seconds


def test_a_task_that_outlives_its_job_marks_nothing() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker:
        tracker.mark_success()
    tracker.mark_queued()
    tracker.mark_phase("late")
    tracker.mark_processing_start()
    assert watched.job.phases == ()


@pytest.mark.parametrize(
    "facts",
    [
        {"cost_usd": -1},
        {"retries": "many"},
        {"network_latency_ms": float("nan")},
        {"run_id": 7},
        {"weather": "fine"},
    ],
)
def test_facts_that_fit_nowhere_are_told_and_left_out(
    facts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {}) as tracker:
        tracker.note(**facts)
        tracker.mark_success()
    job = watched.job
    assert job.success
    assert (job.cost_usd, job.retries, job.resources.network_latency_ms) == (None, 0, None)
    assert next(iter(facts)) in caplog.text


def test_of_a_fact_told_twice_the_later_counts() -> None:
    watched = Watched()
    with watched.tracking.track("a", "image", {"run_id": "given"}) as tracker:
        tracker.note(retries=1, cost_usd=0.1)
        tracker.note(retries=3, run_id="told", cost_usd=None)
    assert (watched.job.retries, watched.job.run_id, watched.job.cost_usd) == (3, "told", None)
