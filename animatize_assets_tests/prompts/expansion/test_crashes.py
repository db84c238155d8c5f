"""A process that ends between any two steps of a batch: nothing is lost and nothing is paid twice.

A step is an exchange with OpenAI (its request not sent, or its answer not read) or a transaction.
The ledger is the real one, in the same database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import event

from animatize_assets.generation.budget import Budget
from animatize_assets.generation.expansion_accounts import LedgerAccounts
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.prompts.expansion.batch_rows import NewLine
from animatize_assets.prompts.expansion.batches import BatchDesk
from animatize_assets_tests.loopback.openai_batches import BatchPlan
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.prompts.expansion.cases import (
    MODELS,
    Clock,
    database,
    follows_rules,
    questions,
)

LINES = 4
PLAN = BatchPlan(outcome="expired", unexecuted=0.5, duplicated=0.5, unknown=1, garbage=1)


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Fuse:
    """Ends the process at a step, counted from 1; never when it is None."""

    at: int | None
    steps: int = 0

    def step(self, *_: Any) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Crash


class Transport(httpx2.HTTPTransport):
    """Steps before each request is sent, and before its answer is read."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.fuse.step()
        response = super().handle_request(request)
        response.read()
        self.fuse.step()
        return response


@contextmanager
def a_process(
    server: LoopbackServer, folder: Path, clock: Clock, fuse: Fuse
) -> Iterator[tuple[BatchDesk, SqlLedger]]:
    from openai import OpenAI

    with database(folder) as engine:
        event.listen(engine, "commit", fuse.step)
        client = OpenAI(
            api_key=server.keys["openai"],
            base_url=server.openai_url,
            max_retries=0,
            http_client=httpx2.Client(transport=Transport(fuse)),
        )
        ledger = SqlLedger(engine, Budget(), clock)
        with client:
            yield BatchDesk(engine, client, LedgerAccounts(ledger), clock, models=MODELS), ledger


def drive(desk: BatchDesk, clock: Clock) -> None:
    lines = [NewLine(each.fingerprint, "image", each.body) for each in questions(LINES)]
    desk.enqueue(lines)
    for _ in range(20):
        desk.submit_waiting()
        desk.poll()
        clock.advance(minutes=15)
        if desk.counts() == {"done": LINES}:
            return
    raise AssertionError(f"Not finished: {desk.counts()}")


def run_through(server: LoopbackServer, folder: Path, crashes: Sequence[int]) -> int:
    """Run processes that end at the given steps, then one that does not; return its steps."""
    clock = Clock()
    folder.mkdir()
    before, billed = len(server.bill), server.world.bill.total_nanousd("openai")
    batches = len(server.batches.batches)
    server.batches.plans.clear()
    server.plan_batch(PLAN)
    for at in crashes:
        fuse = Fuse(at)
        with a_process(server, folder, clock, fuse) as (desk, _):
            try:
                drive(desk, clock)
            except Crash:
                clock.advance(hours=1)
    fuse = Fuse(None)
    with a_process(server, folder, clock, fuse) as (desk, ledger):
        drive(desk, clock)
        assert desk.counts() == {"done": LINES}
        assert len(server.bill) - before == LINES  # each line paid once
        assert ledger.open_rows() == ()
        spent = round(ledger.spent_usd(since=datetime.min.replace(tzinfo=clock.now.tzinfo)) * 1e9)
        assert spent == pytest.approx(server.world.bill.total_nanousd("openai") - billed, abs=LINES)
        listed = list(server.batches.batches.values())[batches:]
        keys = [batch["metadata"]["animatize_batch"] for batch in listed]
        assert len(set(keys)) == len(keys)  # no batch was created twice
    return fuse.steps


def test_a_crash_at_any_step(tmp_path: Path, sizes: dict[str, Any]) -> None:
    with loopback_server(seed=3) as server:
        server.openai.reply = follows_rules
        steps = run_through(server, tmp_path / "whole", ())
        assert steps > 25
        for at in range(1, steps + 1, sizes["batch_crashes"]["every"]):
            run_through(server, tmp_path / f"at-{at}", (at,))


def test_crash_after_crash(tmp_path: Path, sizes: dict[str, Any]) -> None:
    with loopback_server(seed=4) as server:
        server.openai.reply = follows_rules
        for step in range(2, 14, sizes["batch_crashes"]["every"]):
            run_through(server, tmp_path / f"run-{step}", (step, step, 3, step))


def test_a_claim_of_a_process_that_lives_is_respected(tmp_path: Path) -> None:
    clock = Clock()
    with loopback_server() as server:
        server.openai.reply = follows_rules
        lines = [NewLine(each.fingerprint, "image", each.body) for each in questions(2)]
        # The process ends between creating the batch and remembering its id.
        steps = iter(range(1, 60))
        while not server.batches.batches:
            folder = tmp_path / str(next(steps))
            folder.mkdir()
            with a_process(server, folder, clock, Fuse(int(folder.name))) as (desk, _):
                try:
                    desk.enqueue(lines)
                    desk.submit_waiting()
                except Crash:
                    pass
        with a_process(server, folder, clock, Fuse(None)) as (desk, _):
            (batch,) = desk.submit_waiting()
            assert batch.state == "creating"
            clock.now += timedelta(minutes=11)
            (batch,) = desk.submit_waiting()
            assert batch.state == "submitted"
        assert len(server.batches.batches) == 1
        assert batch.remote_id in server.batches.batches
