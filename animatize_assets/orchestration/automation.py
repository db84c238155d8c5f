"""How Dagster's daemons, schedules and sensors are, told from what the instance remembers.

Belongs here: reading. Does not belong here: what of it is bad (``cli.doctor_dagster``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from dagster import (
    DagsterInstance,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    SensorDefinition,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick

from animatize_assets.orchestration.code_location import CODE_LOCATION, load_definitions


@dataclass(frozen=True)
class DaemonState:
    """When one of Dagster's daemons was last alive; ``last_beat`` None: never here."""

    name: str
    last_beat: datetime | None
    error: str | None


@dataclass(frozen=True)
class TickState:
    """The last turn of a schedule or sensor."""

    at: datetime
    outcome: str
    """Dagster's word: ``SUCCESS``, ``SKIPPED``, ``FAILURE``, ``STARTED``."""
    error: str | None


@dataclass(frozen=True)
class AutomationState:
    """One schedule or sensor of the code location."""

    name: str
    kind: Literal["schedule", "sensor"]
    is_on: bool
    last: TickState | None


def daemon_states(instance: DagsterInstance) -> tuple[DaemonState, ...]:
    """Return every daemon that this instance needs."""
    beats = instance.get_daemon_heartbeats()
    found = []
    for name in sorted(instance.get_required_daemon_types()):
        beat = beats.get(name)
        error = beat.errors[0].message.strip().splitlines()[0] if beat and beat.errors else None
        at = datetime.fromtimestamp(beat.timestamp, UTC) if beat else None
        found.append(DaemonState(name, at, error))
    return tuple(found)


def automation_states(
    instance: DagsterInstance, module: str = CODE_LOCATION
) -> tuple[AutomationState, ...]:
    """Return every schedule and sensor of the code location, by name.

    Raises:
        OrchestrationFailed: the code location is not there.
    """
    definitions = load_definitions(module)
    kept = {state.name: state for state in instance.all_instigator_state()}
    found = [
        _state(instance, schedule.name, "schedule", _is_on(schedule.default_status), kept)
        for schedule in definitions.schedules or ()
    ]
    found += [
        _state(instance, sensor.name, "sensor", _is_on(sensor.default_status), kept)
        for sensor in definitions.sensors or ()
        if isinstance(sensor, SensorDefinition)
    ]
    return tuple(sorted(found, key=lambda each: (each.kind, each.name)))


def _is_on(declared: DefaultScheduleStatus | DefaultSensorStatus) -> bool:
    return declared in (DefaultScheduleStatus.RUNNING, DefaultSensorStatus.RUNNING)


def _state(
    instance: DagsterInstance,
    name: str,
    kind: Literal["schedule", "sensor"],
    is_on_by_code: bool,
    kept: dict[str, InstigatorState],
) -> AutomationState:
    state = kept.get(name)
    if state is None:
        return AutomationState(name, kind, is_on_by_code, None)
    is_on = (
        is_on_by_code
        if state.status is InstigatorStatus.DECLARED_IN_CODE
        else state.status is not InstigatorStatus.STOPPED
    )
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    return AutomationState(name, kind, is_on, _last(ticks[0]) if ticks else None)


def _last(tick: InstigatorTick) -> TickState:
    said = tick.error.message.strip().splitlines()[0] if tick.error else None
    return TickState(datetime.fromtimestamp(tick.timestamp, UTC), tick.status.value, said)
