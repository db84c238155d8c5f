from __future__ import annotations

import dagster as dg
import pytest

from animatize_assets.defs.nvidia import NvidiaMonitorResource


@pytest.mark.parametrize("declared", [True, False])
def test_a_run_gets_a_monitor_of_this_machine(*, declared: bool) -> None:
    seen: list[tuple[bool, int, str | None]] = []

    @dg.op
    def look(gpus: NvidiaMonitorResource) -> None:
        monitor = gpus.monitor()
        readings = monitor.read()
        seen.append((monitor.is_exclusive, len(readings), monitor.problem))
        monitor.close()

    @dg.job(resource_defs={"gpus": NvidiaMonitorResource(is_exclusive=declared)})
    def looking() -> None:
        look()

    assert looking.execute_in_process().success
    ((is_exclusive, devices, problem),) = seen
    assert is_exclusive is declared
    assert (devices == 0) == (problem is not None), "no device without a reason"
