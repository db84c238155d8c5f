"""Whether this installation can do its work: what is looked at, without Dagster.

Each look ends in findings; none of them changes anything, asks a provider or raises for what it
finds.

Belongs here: versions, variables, folder, disk, databases, money, GPU, port. Does not belong here:
providers (``cli.doctor_providers``), Dagster's daemons (``cli.doctor_dagster``).
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Literal
from urllib.error import URLError
from urllib.request import urlopen

from pydantic import AliasChoices

from animatize_assets import __version__
from animatize_assets.images.disk_space import GIGA
from animatize_assets.records import Record
from animatize_assets.settings import PREFIX, Settings
from animatize_assets.workplace.opening import Workplace

Verdict = Literal["ok", "warning", "error", "not configured"]

PYTHON = (3, 11)
"""What constraints.txt was resolved for."""

LIBRARIES = ("dagster", "mlflow", "sqlalchemy", "opencv-contrib-python-headless", "av")

NEARLY_SPENT = 0.8
"""Share of a limit from which on people are warned, as by the alert AnimatizeBudgetNearlySpent."""

NEARLY_FULL = 2.0
"""Times the room that is kept free below which people are warned."""

PORT_WAIT_S = 2.0


class Finding(Record):
    """What one look showed. ``remedy`` is empty when nothing needs to be done."""

    what: str
    verdict: Verdict
    why: str
    remedy: str = ""


def check_versions() -> Finding:
    """Judge whether Python is the one that was tested with."""
    said = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    why = f"animatize_assets {__version__}, Python {platform.python_version()}, {said}"
    if sys.version_info[:2] == PYTHON:
        return Finding(what="versions", verdict="ok", why=why)
    tested = ".".join(map(str, PYTHON))
    return Finding(
        what="versions",
        verdict="warning",
        why=f"{why}; tested with Python {tested} only",
        remedy=f"make PYTHON=/path/to/python{tested} install",
    )


def check_variables(environment: Mapping[str, str]) -> list[Finding]:
    """Tell how many settings are given, and name variables that no setting reads."""
    known = known_variables()
    given = sorted(name for name, value in environment.items() if name.startswith(PREFIX) and value)
    findings = [
        Finding(
            what="configuration",
            verdict="ok",
            why=f"settings that are given: {sum(name in known for name in given)}, each within its "
            "range (docs/settings.md)",
        )
    ]
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, 1)
            findings.append(
                Finding(
                    what=f"variable {name}",
                    verdict="warning",
                    why="no setting has this name, so it changes nothing",
                    remedy=f"Did you mean {close[0]}?" if close else "Unset it.",
                )
            )
    return findings


def known_variables() -> set[str]:
    """Return every name that a setting is read from."""
    names = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    for field in Settings.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            names |= {str(choice) for choice in field.validation_alias.choices}
    return names


def check_folder(workplace: Workplace) -> Finding:
    """Judge whether the data folder can be written."""
    folder = workplace.data_dir
    there = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return Finding(
            what="data folder",
            verdict="error",
            why=f"{there} cannot be written: {error.strerror}",
            remedy="Give this user the right to write there, or name another folder by "
            "ANIMATIZE_DATA_DIR.",
        )
    return Finding(
        what="data folder",
        verdict="ok",
        why=str(folder) if there == folder else f"{folder}, which is made when it is needed",
    )


def check_disk(workplace: Workplace) -> list[Finding]:
    """Judge the room on each disk against what is kept free."""
    findings = []
    disk = workplace.generation.disk
    for folder in disk.folders:
        room = disk.room(folder)
        what = f"disk of {folder}"
        if not room.is_enough:
            findings.append(
                Finding(
                    what=what,
                    verdict="error",
                    why=room.sentence,
                    remedy="Free some room; `animatize cache clean`, `animatize sizes`.",
                )
            )
            continue
        is_near = room.free < NEARLY_FULL * room.kept_free
        findings.append(
            Finding(
                what=what,
                verdict="warning" if is_near else "ok",
                why=f"{room.free / GIGA:.2f} GB of {room.total / GIGA:.2f} GB are free; work stops "
                f"below {room.kept_free / GIGA:.2f} GB",
                remedy="Free some room soon; `animatize sizes` tells what takes it."
                if is_near
                else "",
            )
        )
    return findings


def check_databases(workplace: Workplace) -> list[Finding]:
    """Judge whether the project's databases answer, and at which revision they are."""
    urls = {"database of images and ledger": workplace.database_url}
    performance = workplace.performance.database_url
    if performance != workplace.database_url:
        urls["database of job records"] = performance
    return [_database(what, url) for what, url in urls.items()]


def _database(what: str, url: str) -> Finding:
    from sqlalchemy.engine import make_url  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from animatize_assets.database.engine import open_engine  # noqa: PLC0415
    from animatize_assets.database.migration import NEWEST_REVISION, revision_of  # noqa: PLC0415

    try:
        parsed = make_url(url)
        kind = f"{parsed.get_backend_name()} {parsed.host or parsed.database or ''}".strip()
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
            return Finding(what=what, verdict="ok", why=f"{kind}: it is made when it is needed")
        engine = open_engine(url, wait_s=PORT_WAIT_S)
        try:
            revision = revision_of(engine)
        finally:
            engine.dispose()
    except (SQLAlchemyError, OSError) as error:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return Finding(
            what=what,
            verdict="error",
            why=f"it cannot be used: {said}",
            remedy="Start the server and check its address, user and password "
            "(docs/deployment.md), or the rights of the file.",
        )
    if revision == NEWEST_REVISION:
        return Finding(what=what, verdict="ok", why=f"{kind}: revision {revision}, the newest")
    if revision is None or revision < NEWEST_REVISION:
        return Finding(
            what=what,
            verdict="warning",
            why=f"{kind}: revision {revision}; this version brings it to {NEWEST_REVISION} when it "
            "is next used",
            remedy="First: animatize backup FILE (docs/upgrading.md).",
        )
    return Finding(
        what=what,
        verdict="error",
        why=f"{kind}: revision {revision}, of a later version than this one ({NEWEST_REVISION})",
        remedy="Install that version again, or restore a backup from before (docs/upgrading.md).",
    )


def check_budgets(workplace: Workplace, *, now: datetime) -> list[Finding]:
    """Judge what today (UTC) has cost, or may have, against each limit of a day."""
    settings = workplace.settings
    if not workplace.exists:
        return []
    from animatize_assets.workplace.service_readings import spending  # noqa: PLC0415  # SQLAlchemy

    findings = [] if settings.budget_day_usd is not None else [_UNLIMITED]
    for each in spending(workplace.images.engine, settings, now=now):
        share = each.spent_usd / each.limit_usd if each.limit_usd else 1.0
        verdict: Verdict = "error" if share >= 1 else "warning" if share >= NEARLY_SPENT else "ok"
        remedy = {
            "ok": "",
            "warning": "`animatize ledger` tells what for.",
            "error": "Paid calls are refused until midnight UTC. `animatize ledger` tells what "
            "for; ANIMATIZE_BUDGET_DAY_USD or ANIMATIZE_BUDGET_PROVIDER_DAY_USD allows more.",
        }[verdict]
        findings.append(
            Finding(
                what=f"budget: {each.limit_name}",
                verdict=verdict,
                why=f"{each.spent_usd:.2f} $ of {each.limit_usd:.2f} $ are spent or may have been",
                remedy=remedy,
            )
        )
    return findings


_UNLIMITED = Finding(
    what="budget: day",
    verdict="warning",
    why="there is no limit to what a day may cost",
    remedy="Set ANIMATIZE_BUDGET_DAY_USD.",
)


def check_gpu() -> Finding:
    """Tell which NVIDIA GPUs can be read."""
    from animatize_assets.performance.nvml import NvidiaMonitor  # noqa: PLC0415

    monitor = NvidiaMonitor()
    monitor.open()
    try:
        found = monitor.read()
        if not found:
            return Finding(
                what="GPU", verdict="ok", why=f"none is used; {monitor.problem or 'none was found'}"
            )
        lost = [reading for reading in found if reading.is_lost]
        return Finding(
            what="GPU",
            verdict="warning" if lost else "ok",
            why=", ".join(reading.name or reading.key for reading in found),
            remedy="A GPU does not answer any more: see nvidia-smi and the kernel's log."
            if lost
            else "",
        )
    finally:
        monitor.close()


def check_port(settings: Settings) -> Finding:
    """Judge whether the service answers at its port, or could begin to."""
    host, port = settings.serve_host, settings.serve_port
    what = f"port {port}"
    try:
        with socket.create_server((host, port)):
            return Finding(
                what=what, verdict="ok", why="free; the service is not running: animatize serve"
            )
    except OSError as error:
        refused = error
    asked = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound
    try:
        with urlopen(f"http://{asked}:{port}/health/live", timeout=PORT_WAIT_S) as answer:
            is_ours = b"alive" in answer.read(1_000)
    except (URLError, OSError, ValueError):
        is_ours = False
    if is_ours:
        return Finding(what=what, verdict="ok", why="the service answers there")
    return Finding(
        what=what,
        verdict="warning",
        why=f"the service cannot have it ({refused.strerror}), and does not answer there",
        remedy="End the program that has it, or set ANIMATIZE_SERVE_PORT.",
    )


def check_workplace(workplace: Workplace, *, now: datetime) -> Iterator[Finding]:
    """Look at everything, in the order in which one thing needs the other."""
    yield check_versions()
    yield from check_variables(os.environ)
    yield check_folder(workplace)
    yield from check_disk(workplace)
    databases = check_databases(workplace)
    yield from databases
    if all(finding.verdict == "ok" for finding in databases):  # else asking would change them
        yield from check_budgets(workplace, now=now)
    yield check_gpu()
    yield check_port(workplace.settings)
