"""The clock is set on by a day, or back by an hour: every image is complete, and made once.

The clock jumps for the daemon, the code server, its worker and the service, and for whoever asks;
that of PostgreSQL does not, as on a machine of its own. How long it took is a property
``recovery_s``, which ``benchmarks/recovery.py`` reads.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from animatize_assets.orchestration import open_instance
from animatize_assets_tests.defs.runs import register
from animatize_assets_tests.integration import test_daemon
from animatize_assets_tests.integration.daemons import wait_for
from animatize_assets_tests.integration.plant import EVERYTHING, running_plant
from animatize_assets_tests.integration.shifted_clock import ShiftedClock, compiled_clock
from animatize_assets_tests.integration.test_daemon import asset_backfill, complete
from animatize_assets_tests.integration.test_recovery import (
    Property,
    each_stage_once,
    is_at_rest,
    measured,
    retries,
)
from animatize_assets_tests.pipeline.cheap import WAITING, made, wish

HOUR_S, DAY_S = 3_600, 86_400

WATCHING_CLOCKS = """
import sys, threading, time
from datetime import datetime
print(time.time(), datetime.now().timestamp(), time.monotonic(), flush=True)
sys.stdin.readline()
began = time.monotonic()
print(time.time(), datetime.now().timestamp(), began, flush=True)
time.sleep(0.05)
threading.Event().wait(0.05)
threading.Condition().acquire(timeout=1)
print(time.monotonic() - began, flush=True)
"""


@pytest.fixture
def shifted_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShiftedClock:
    """The clock of every process that the test starts."""
    clock, variables = compiled_clock(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return clock


@pytest.mark.parametrize("jump_s", [DAY_S, -HOUR_S])
def test_only_the_wall_clock_jumps(shifted_clock: ShiftedClock, jump_s: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WATCHING_CLOCKS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = [float(each) for each in process.stdout.readline().split()]
        shifted_clock.jump(jump_s)
        process.stdin.write("\n")
        process.stdin.flush()
        after = [float(each) for each in process.stdout.readline().split()]
        slept_s = float(process.stdout.readline())
    passed_s = after[2] - before[2]
    assert after[0] - before[0] == pytest.approx(jump_s + passed_s, abs=1)
    assert after[1] - before[1] == pytest.approx(jump_s + passed_s, abs=1)
    assert 0.1 <= slept_s < 0.5 * HOUR_S
    assert shifted_clock.time() == pytest.approx(after[0], abs=HOUR_S / 2)


@pytest.mark.full
@pytest.mark.parametrize("either_instance", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("jump_s", [DAY_S, -HOUR_S], ids=["a-day-on", "an-hour-back"])
@pytest.mark.usefixtures("either_instance")
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")
@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated")
def test_the_clock_jumps_in_mid_backfill(
    jump_s: int,
    shifted_clock: ShiftedClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Property,
) -> None:
    data_dir = tmp_path / "data"
    monkeypatch.setattr(test_daemon, "time", shifted_clock.time)
    with open_instance(data_dir) as instance:
        keys = register(instance, data_dir, 4)
        wish(data_dir, wait_at=[keys[1], "generated_picture"])
        with running_plant(data_dir, *EVERYTHING) as plant:
            asset_backfill(instance, "under-way", keys[:3])
            wait_for((data_dir / WAITING).exists, plant.log)
            shifted_clock.jump(jump_s)
            with measured(record_property):
                asset_backfill(instance, "asked-for-afterwards", keys[3:])
                wait_for(lambda: complete(instance, keys[3:]), plant.log)
                # Run monitoring has looked meanwhile: a run that waits longer than it may is ended.
                wish(data_dir)
                wait_for(lambda: complete(instance, keys), plant.log)
                wait_for(lambda: is_at_rest(instance), plant.log)
        assert Counter(made(data_dir)) == each_stage_once(keys)
        assert retries(instance) == []
        assert all(run.is_success for run in instance.get_runs())
        assert jumps_seen(instance) == [pytest.approx(jump_s, abs=HOUR_S / 4)]


def jumps_seen(instance: dg.DagsterInstance) -> list[float]:
    """Seconds between two events of a run that are far apart, in the order of their writing."""
    (run_id,) = instance.get_run_ids(dg.RunsFilter(tags={"dagster/backfill": "under-way"}))
    moments = [entry.timestamp for entry in instance.all_logs(run_id)]
    steps = [later - sooner for sooner, later in pairwise(moments)]
    return [each for each in steps if abs(each) > HOUR_S / 2]
