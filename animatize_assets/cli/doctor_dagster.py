"""What the doctor says of Dagster: code location, daemons, schedules, sensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from animatize_assets.workplace.checkup import Finding

if TYPE_CHECKING:
    from animatize_assets.orchestration import DagsterInstance
    from animatize_assets.orchestration.automation import AutomationState, DaemonState
    from animatize_assets.workplace.opening import Workplace

SILENT_AFTER = timedelta(minutes=2)
"""A daemon tells that it lives every 30 s (DEFAULT_HEARTBEAT_INTERVAL_SECONDS)."""

START = "Start it: make ui, or `dagster-daemon run` (docs/automation.md)."


def check_dagster(workplace: Workplace, *, now: datetime) -> Iterator[Finding]:
    """Look at everything of Dagster's; a home that is not there yet is not made."""
    from animatize_assets.orchestration.code_location import load_definitions  # noqa: PLC0415
    from animatize_assets.orchestration.home import home_of, open_instance  # noqa: PLC0415

    try:
        definitions = load_definitions()
        type(definitions).validate_loadable(definitions)
    except Exception as error:  # noqa: BLE001  # whatever an import may raise is the finding
        yield _unusable("code location", error, "`dg check defs` shows where.")
        return
    yield Finding(what="code location", verdict="ok", why="it loads, and every job of it")
    yield _event_log()
    home = home_of(workplace.data_dir)
    if not (home / "dagster.yaml").is_file():
        yield Finding(what="Dagster", verdict="ok", why="nothing was ever run here")
        return
    try:
        with open_instance(workplace.data_dir) as instance:
            yield from _instance(instance, now)
    except Exception as error:  # noqa: BLE001  # whatever its storage raises is the finding
        remedy = f"Look at {home / 'dagster.yaml'} and ANIMATIZE_DAGSTER_DATABASE_URL."
        yield _unusable("Dagster's storage", error, remedy)


def _unusable(what: str, error: Exception, remedy: str) -> Finding:
    said = next(iter(str(error).strip().splitlines()), "")
    return Finding(what=what, verdict="error", why=f"{type(error).__name__}: {said}", remedy=remedy)


def _event_log() -> Finding:
    from importlib.metadata import version  # noqa: PLC0415

    from animatize_assets.defs.event_log import TESTED_WITH  # noqa: PLC0415  # Dagster

    if version("dagster") == TESTED_WITH:
        return Finding(
            what="Dagster's version", verdict="ok", why=f"{TESTED_WITH}, the one tested with"
        )
    return Finding(
        what="Dagster's version",
        verdict="warning",
        why=f"{version('dagster')}; tested with {TESTED_WITH}, so its own slower event log is used",
        remedy=f"pip install dagster=={TESTED_WITH}, as in constraints.txt.",
    )


def _instance(instance: DagsterInstance, now: datetime) -> Iterator[Finding]:
    from animatize_assets.orchestration import waiting_runs  # noqa: PLC0415
    from animatize_assets.orchestration.automation import (  # noqa: PLC0415
        automation_states,
        daemon_states,
    )

    states = automation_states(instance)
    needs = [f"{each.kind} {each.name}" for each in states if each.is_on and each.last is not None]
    waiting = waiting_runs(instance)
    if waiting:
        needs.append(f"{waiting} runs in the queue")
    yield from judge_daemons(daemon_states(instance), needs, now)
    for each in states:
        yield judge_automation(each)


def judge_daemons(
    daemons: Sequence[DaemonState], needs: list[str], now: datetime
) -> Iterator[Finding]:
    """Judge every daemon; those of which the same is to be said are told together."""
    alike: dict[Finding, list[str]] = {}
    for daemon in daemons:
        finding = judge_daemon(daemon, needs, now)
        alike.setdefault(finding.model_copy(update={"what": ""}), []).append(daemon.name)
    for finding, names in alike.items():
        what = f"daemon {names[0]}" if len(names) == 1 else f"daemons {', '.join(names)}"
        yield finding.model_copy(update={"what": what})


def judge_daemon(daemon: DaemonState, needs: list[str], now: datetime) -> Finding:
    """Judge one daemon. ``needs``: what waits for it; without any its silence is a warning only."""
    what = f"daemon {daemon.name}"
    if daemon.last_beat is not None and now - daemon.last_beat < SILENT_AFTER:
        if daemon.error is None:
            return Finding(what=what, verdict="ok", why="it lives")
        return Finding(
            what=what,
            verdict="error",
            why=f"it lives, but told: {daemon.error}",
            remedy="Its log, or Deployment / Daemons in Dagster's UI, has the whole.",
        )
    since = (
        "never ran here" if daemon.last_beat is None else f"is silent since {_at(daemon.last_beat)}"
    )
    if needs and daemon.last_beat is not None:
        why = f"it {since}; these wait: {', '.join(needs[:3])}"
        return Finding(what=what, verdict="error", why=why, remedy=START)
    return Finding(
        what=what,
        verdict="warning",
        why=f"it {since}: nothing runs by itself; `animatize run` needs none",
        remedy=START,
    )


def judge_automation(each: AutomationState) -> Finding:
    """Judge one schedule or sensor by its switch and its last turn."""
    what = f"{each.kind} {each.name}"
    last = (
        "no turn yet"
        if each.last is None
        else f"last turn {_at(each.last.at)}, {each.last.outcome.lower()}"
    )
    if not each.is_on:
        switch = f"dagster {each.kind} start {each.name} -w workspace.yaml"
        return Finding(what=what, verdict="ok", why=f"off; on by: {switch}")
    if each.last is not None and each.last.outcome == "FAILURE":
        return Finding(
            what=what,
            verdict="error",
            why=f"on; {last}: {each.last.error or 'no reason told'}",
            remedy="Automation in Dagster's UI shows the whole error; it is tried again at the "
            "next turn.",
        )
    return Finding(what=what, verdict="ok", why=f"on; {last}")


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
