"""Places with a provider that several runs, in several processes, share."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from animatize_assets.defs.provider_pools import ProviderPools, pool_of
from animatize_assets.generation.across_runs import shared_place


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def started_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    @dg.job
    def nothing() -> None:
        """Do nothing."""

    return instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)


def test_runs_share_the_places_of_a_provider(instance: dg.DagsterInstance) -> None:
    one, other = (ProviderPools(instance, started_run(instance).run_id) for _ in range(2))
    assert one.claim("flux", "a", 2)
    assert other.claim("flux", "b", 2)
    assert not other.claim("flux", "c", 2)
    assert one.claim("openai", "d", 2)  # another provider's places are others
    one.free("a")
    assert other.claim("flux", "c", 2)
    told = instance.event_log_storage.get_concurrency_info(pool_of("flux"))
    assert (told.slot_count, told.active_slot_count) == (2, 2)


def test_a_limit_that_a_person_set_stays(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots(pool_of("flux"), 1)
    pools = ProviderPools(instance, started_run(instance).run_id)
    assert pools.claim("flux", "a", 24)
    assert not pools.claim("flux", "b", 24)


def test_whoever_gives_up_waiting_leaves_the_queue(instance: dg.DagsterInstance) -> None:
    pools = ProviderPools(instance, started_run(instance).run_id)
    assert pools.claim("flux", "a", 1)
    assert not pools.claim("flux", "b", 1)
    pools.free("b")
    pools.free("a")
    assert pools.claim("flux", "c", 1)


def test_a_run_that_has_ended_holds_no_place(instance: dg.DagsterInstance) -> None:
    lost, goes_on = started_run(instance), started_run(instance)
    assert ProviderPools(instance, lost.run_id).claim("flux", "a", 2)
    assert ProviderPools(instance, goes_on.run_id).claim("flux", "b", 2)
    mine = ProviderPools(instance, started_run(instance).run_id)
    mine.free_ended()
    assert not mine.claim("flux", "c", 2)
    instance.report_run_failed(lost)
    mine.free_ended()
    assert mine.claim("flux", "c", 2)
    assert not mine.claim("flux", "d", 2)  # the run that goes on keeps its own


def work(home: Path, run_id: str, log: Path, calls: int) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        pools = ProviderPools(instance, run_id)

        async def call(number: int) -> None:
            async with shared_place(pools, "flux", 2, lambda: None):
                begun = time.monotonic()
                await asyncio.sleep(0.05)
                with log.open("a") as file:
                    file.write(f"{begun} {time.monotonic()}\n")

        async def every_call() -> None:
            await asyncio.gather(*(call(number) for number in range(calls)))

        asyncio.run(every_call())


def test_two_processes_keep_the_limit_together(
    instance: dg.DagsterInstance, home: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=work, args=(home, started_run(instance).run_id, log, 4))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    spans = [tuple(map(float, line.split())) for line in log.read_text().splitlines()]
    assert len(spans) == 8
    for begun, _ in spans:
        assert sum(start <= begun < end for start, end in spans) <= 2
    told = instance.event_log_storage.get_concurrency_info(pool_of("flux"))
    assert (told.active_slot_count, told.pending_step_count) == (0, 0)


def hold_for_ever(home: Path, run_id: str) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert ProviderPools(instance, run_id).claim("flux", "held", 1)
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_keeps_nobody_out_once_its_run_is_known_to_have_ended(
    instance: dg.DagsterInstance, home: Path
) -> None:
    lost = started_run(instance)
    worker = multiprocessing.get_context("spawn").Process(
        target=hold_for_ever, args=(home, lost.run_id)
    )
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    instance.report_run_failed(lost)
    pools = ProviderPools(instance, started_run(instance).run_id)

    async def gets_a_place() -> bool:
        async with shared_place(pools, "flux", 1, lambda: None):
            return True

    assert asyncio.run(asyncio.wait_for(gets_a_place(), 30))
