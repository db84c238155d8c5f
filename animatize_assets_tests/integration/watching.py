"""Switching sensors on as a person does, and seeing what a real daemon's looks came to.

Belongs here: that. Does not belong here: the processes (``plant``), what must be true.
"""

from __future__ import annotations

from pathlib import Path
from time import time

import dagster as dg
from click.testing import CliRunner
from dagster._cli.sensor import sensor_start_command
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

from animatize_assets_tests.integration.daemons import wait_for
from animatize_assets_tests.integration.plant import Plant

WATCHED = "animatize_assets_tests.defs.watched_location"
"""The code location with real decisions; a name, as only a code server may load it."""


def switch_on(plant: Plant, sensor: str) -> None:
    """``dagster sensor start NAME -w workspace.yaml``."""
    done = CliRunner().invoke(sensor_start_command, [sensor, "-w", str(plant.workspace)])
    assert done.exit_code == 0, done.output


def next_look(instance: dg.DagsterInstance, sensor: str, log: Path) -> InstigatorTick:
    """Wait for a whole look of ``sensor`` that begins after now; fails when that look failed."""
    asked_at = time()

    def ended() -> list[InstigatorTick]:
        # The newest first; one that began before has seen an older state of things.
        looks = [each for each in looks_of(instance, sensor) if each.timestamp > asked_at]
        return [each for each in looks if each.status is not TickStatus.STARTED]

    look = wait_for(ended, log)[-1]
    assert look.status is not TickStatus.FAILURE, look.error
    return look


def looks_of(instance: dg.DagsterInstance, sensor: str) -> list[InstigatorTick]:
    """Return every look of ``sensor``, the newest first."""
    return [
        tick
        for state in instance.all_instigator_state()
        if state.name == sensor
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
    ]
