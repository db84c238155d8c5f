"""Processes that make pictures are killed at random moments; nothing is lost or paid twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image
from sqlalchemy import Row, select

from animatize_assets.database.engine import open_engine
from animatize_assets.database.tables import generation_calls
from animatize_assets.generation.flux import RESULTS_KEPT
from animatize_assets.generation.reconciliation import FORGETTING_MARGIN
from animatize_assets_tests.integration.generating import migrated, number_in
from animatize_assets_tests.integration.generation_worker import Task, provider_for, reconcile_all
from animatize_assets_tests.loopback.billing import Charge, read_bill
from animatize_assets_tests.loopback.process import PROJECT, loopback_process
from animatize_assets_tests.loopback.world import KEYS, Delay

T = TypeVar("T")

DELAYS = {
    **dict.fromkeys(("openai", "flux", "gemini"), Delay(median_s=0.8, sigma=0.6)),
    "comfyui": Delay(median_s=0.2, sigma=0.5),
}
LIVES_S = (0.05, 1.0)
"""A worker is killed after a time between these: while it starts, asks, waits, keeps."""


class Worker:
    """The process that forks a child for each life."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def live(self, for_s: float | None) -> int:
        """Let a child work and kill it after a while, or let it end; returns its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        if for_s is not None:
            time.sleep(for_s)
            with suppress(ProcessLookupError):  # it may have made everything
                os.kill(child, signal.SIGKILL)
        return int(self._process.stdout.readline())


@contextmanager
def worker(task: Task) -> Iterator[Worker]:
    told = {
        "folder": str(task.folder),
        "database": task.database,
        "images": task.images,
        "urls": dict(task.server.urls),
        "keys": dict(task.server.keys),
    }
    command = [sys.executable, "-m", "animatize_assets_tests.integration.generation_worker"]
    log = task.folder / "worker.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*command, json.dumps(told)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        yield Worker(process)
        assert process.stdin is not None
        process.stdin.close()


def rows_of(database_url: str) -> list[Row[Any]]:
    engine = open_engine(database_url)
    with engine.connect() as connection:
        rows = list(connection.execute(select(generation_calls)))
    engine.dispose()
    return rows


@pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)],
    indirect=True,
)
def test_killed_at_random_moments_nothing_is_lost_and_the_bill_is_accounted_for(
    sizes: dict[str, Any], database_url: str, tmp_path: Path
) -> None:
    images, kills = (sizes["generation_killed"][name] for name in ("images", "kills"))
    dice = random.Random(11)
    migrated(database_url).dispose()
    (tmp_path / "pictures").mkdir()
    bill_file = tmp_path / "bill.jsonl"
    with loopback_process(delays=DELAYS, state_file=bill_file, seed=2) as server:
        task = Task(tmp_path, database_url, images, server)
        with worker(task) as alive:
            killed = [alive.live(dice.uniform(*LIVES_S)) for _ in range(kills)]
            assert alive.live(None) == 0, (tmp_path / "worker.log").read_text()
        now = datetime.now(UTC)
        asyncio.run(reconcile_all(task, now=now))
        check_money(rows_of(database_url), read_bill(bill_file))
        check_only_nameless_work_is_open(rows_of(database_url))
        later = now + RESULTS_KEPT + FORGETTING_MARGIN
        asyncio.run(reconcile_all(task, now=later))
        assert server.state()["leaks"] == []
    assert killed.count(-signal.SIGKILL) >= 0.9 * kills, "lives must have ended by a kill"

    for number in range(images):
        content = (tmp_path / "pictures" / f"{number:05d}").read_bytes()
        with Image.open(BytesIO(content)) as picture:
            picture.load()
    rows, bill = rows_of(database_url), read_bill(bill_file)
    check_money(rows, bill)
    check_fetched(rows, bill)
    check_no_key_in(tmp_path)
    states = Counter(f"{row.provider} {row.state}" for row in rows)
    assert states["openai open"] + states["imagen open"] > 0, "kills must have cut calls off"


def check_money(rows: list[Row[Any]], bill: list[Charge]) -> None:
    """Every charge is a settled row of the same amount, or one row that may have been billed."""
    charges = by_number((number_in(one.about), one) for one in bill if one.provider != "comfyui")
    settled = by_number((number_of(row), row) for row in rows if row.state == "settled")
    possible = [row for row in rows if row.state in ("open", "written_off")]
    may_be_billed = by_number((number_of(row), row) for row in possible)
    for number, billed in charges.items():
        amounts = {charge.cost_nanousd for charge in billed}
        assert len(amounts) == 1, "equal requests cost the same"
        assert {row.cost_nanousd for row in settled[number]} <= amounts
        # settled <= bill <= settled + open + written off, call by call
        most = len(settled[number]) + len(may_be_billed[number])
        assert len(settled[number]) <= len(billed) <= most
    total_settled = sum(row.cost_nanousd or 0 for row in rows if row.state == "settled")
    total_possible = sum(row.expected_nanousd or 0 for row in possible)
    total = sum(charge.cost_nanousd for charge in bill)
    assert total_settled <= total <= total_settled + total_possible


def check_only_nameless_work_is_open(rows: list[Row[Any]]) -> None:
    """What has an id is fetched, and what ran on own hardware cost nothing."""
    for row in rows:
        if row.state == "open" and row.provider in {"flux", "comfyui"}:
            assert (row.provider, row.resume) == ("flux", None)


def check_fetched(rows: list[Row[Any]], bill: list[Charge]) -> None:
    """Work whose id was noted is settled at its price, once; nothing at all stays open.

    A process that dies while it submits leaves a row without an id: what it may have cost at Black
    Forest Labs is written off when it is forgotten there; on own hardware it cost nothing.
    """
    billed = {charge.remote_id: charge for charge in bill}
    fetchable = [row for row in rows if row.provider in {"flux", "comfyui"}]
    assert not [row for row in fetchable if row.state == "open"]
    written_off = [row for row in fetchable if row.state == "written_off"]
    assert all((row.provider, row.resume) == ("flux", None) for row in written_off)
    assert not any(row.expected_nanousd for row in fetchable if row.provider == "comfyui")
    settled = [row for row in fetchable if row.state == "settled"]
    assert len({row.remote_id for row in settled}) == len(settled)
    assert all(row.cost_nanousd == billed[row.remote_id].cost_nanousd for row in settled)
    tasks = Counter(number_in(one.about) for one in bill if one.provider == "flux")
    nameless = Counter(
        number_of(row) for row in rows if row.provider == "flux" and row.resume is None
    )
    for number, count in tasks.items():
        assert count - 1 <= nameless[number], "a second task only where the first's id was lost"


def by_number(pairs: Iterable[tuple[int, T]]) -> dict[int, list[T]]:
    found: dict[int, list[T]] = defaultdict(list)
    for number, one in pairs:
        found[number].append(one)
    return found


def number_of(row: Row[Any]) -> int:
    number = int(row.image_key.rpartition("-")[2], 16)
    assert row.provider == provider_for(number)
    return number


def check_no_key_in(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [name for name, key in KEYS.items() if key.encode() in content], path
