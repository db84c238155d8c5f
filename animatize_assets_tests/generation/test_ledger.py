"""A row before each call and its outcome after it, whatever becomes of the process."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from animatize_assets.database.engine import open_engine
from animatize_assets.database.tables import generation_calls
from animatize_assets.errors import BudgetExceeded, StorageFailed
from animatize_assets.generation.accounting import Ledger
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.models import Usage
from animatize_assets.generation.spending import CallHistory, call_history
from animatize_assets_tests.generation.ledgers import Clock, database, ledger_of, planned

RESUME = {"polling_url": "https://api.example/v1/get_result?id=7"}


def rows_of(ledger: SqlLedger) -> list[Any]:
    with ledger._engine.connect() as connection:
        return list(connection.execute(select(generation_calls).order_by(generation_calls.c.id)))


def test_it_is_the_ledger_that_the_router_asks_for(tmp_path: Path) -> None:
    with ledger_of(tmp_path) as ledger:
        asked: Ledger = ledger
        asked.open_call(planned())
        (row,) = rows_of(ledger)
    assert (row.state, row.provider, row.model) == ("open", "flux", "flux-2-pro")
    assert (row.expected_nanousd, row.cost_nanousd) == (45_000_000, None)
    assert (row.image_key, row.run_id) == ("test-0123456789abcdef", "run-1")
    assert (row.purpose, row.closed_at) == ("picture", None)


def test_a_delivered_call_keeps_its_cost_and_usage() -> None:
    clock = Clock()
    with ledger_of(clock=clock) as ledger:
        call_id = ledger.open_call(planned())
        clock.advance(seconds=9)
        ledger.settle(call_id, cost_usd=0.03, usage=Usage(megapixels=1.0, images=1))
        (row,) = rows_of(ledger)
        assert ledger.open_rows() == ()
    assert (row.state, row.cost_nanousd) == ("settled", 30_000_000)
    assert Usage.model_validate_json(row.usage) == Usage(megapixels=1.0, images=1)
    assert row.closed_at - row.opened_at == timedelta(seconds=9)


def test_a_price_that_is_not_known_stays_unknown() -> None:
    with ledger_of() as ledger:
        ledger.settle(ledger.open_call(planned(expected_usd=None)), cost_usd=None, usage=None)
        (row,) = rows_of(ledger)
        (totals,) = ledger.totals()
    assert row.cost_nanousd is None
    assert (totals.billed_usd, totals.possible_usd, totals.unknown) == (0.0, 0.0, 1)


def test_what_was_submitted_can_be_fetched_later() -> None:
    with ledger_of() as ledger:
        call_id = ledger.open_call(planned())
        assert ledger.unfinished("f" * 64, "flux") is None
        ledger.note_remote(call_id, "task-7", RESUME)
        found = ledger.unfinished("f" * 64, "flux")
        assert found is not None
        assert (found.call_id, found.remote_id, found.resume) == (call_id, "task-7", RESUME)
        assert ledger.unfinished("f" * 64, "comfyui") is None
        assert ledger.unfinished("0" * 64, "flux") is None
        ledger.settle(call_id, cost_usd=0.045, usage=None)
        assert ledger.unfinished("f" * 64, "flux") is None


def test_the_newest_of_several_is_fetched_and_nameless_requests_never_meet() -> None:
    with ledger_of() as ledger:
        for number in range(3):
            ledger.note_remote(ledger.open_call(planned()), f"task-{number}", RESUME)
        nameless = ledger.open_call(planned(fingerprint=""))
        ledger.note_remote(nameless, "task-9", RESUME)
        found = ledger.unfinished("f" * 64, "flux")
        assert found is not None
        assert found.remote_id == "task-2"
        assert ledger.unfinished("", "flux") is None


def test_a_lost_answer_stays_open_until_somebody_knows() -> None:
    with ledger_of() as ledger:
        call_id = ledger.open_call(planned())
        ledger.note_remote(call_id, "task-7", RESUME)
        ledger.fail(call_id, kind="ambiguous", billed_usd=None)
        (row,) = ledger.open_rows()
        assert (row.failure, row.expected_usd, row.purpose) == ("ambiguous", 0.045, "picture")
        assert ledger.unfinished("f" * 64, "flux") is not None
        assert ledger.spent_usd() == 0.045
        ledger.fail(call_id, kind="transient", billed_usd=0.0)
        assert ledger.open_rows() == ()
        assert ledger.spent_usd() == 0.0


def test_a_delivery_is_the_last_word_and_counts_once() -> None:
    with ledger_of() as ledger:
        call_id = ledger.open_call(planned())
        ledger.fail(call_id, kind="transient", billed_usd=0.0)
        ledger.settle(call_id, cost_usd=0.03, usage=None)
        ledger.settle(call_id, cost_usd=0.04, usage=None)
        ledger.fail(call_id, kind="bad_output", billed_usd=0.0)
        (row,) = rows_of(ledger)
    assert (row.state, row.cost_nanousd) == ("settled", 30_000_000)


def test_written_off_is_spent_at_the_bill_or_at_the_most_it_may_cost() -> None:
    with ledger_of() as ledger:
        first, second = (ledger.open_call(planned()) for _ in range(2))
        ledger.write_off(first)
        ledger.write_off(second, cost_usd=0.01)
        assert ledger.open_rows() == ()
        assert ledger.spent_usd() == 0.055
        with pytest.raises(LookupError, match="written_off"):
            ledger.write_off(first)


def test_a_call_that_nobody_opened_is_no_call() -> None:
    with ledger_of() as ledger:
        for action in (
            lambda: ledger.settle("x", cost_usd=0.0, usage=None),
            lambda: ledger.fail("x", kind="transient", billed_usd=0.0),
            lambda: ledger.note_remote("x", "task", {}),
            lambda: ledger.write_off("x"),
        ):
            with pytest.raises(LookupError, match="no call x"):
                action()


def test_sums_by_time_provider_and_run() -> None:
    clock = Clock()
    with ledger_of(clock=clock) as ledger:
        ledger.settle(ledger.open_call(planned()), cost_usd=0.04, usage=None)
        clock.advance(days=1)
        ledger.fail(ledger.open_call(planned()), kind="bad_output", billed_usd=0.01)
        ledger.open_call(planned(provider="openai", run_id="run-2", expected_usd=0.2))
        assert ledger.spent_usd() == 0.25
        assert ledger.spent_usd(since=clock.now) == 0.21
        assert ledger.spent_usd(provider="flux") == 0.05
        assert ledger.spent_usd(run_id="run-2") == 0.2
        flux, openai = ledger.totals()
        assert (flux.calls, flux.settled, flux.failed, flux.billed_usd) == (2, 1, 1, 0.05)
        assert (openai.open, openai.billed_usd, openai.possible_usd) == (1, 0.0, 0.2)
        assert [each.provider for each in ledger.totals(run_id="run-2")] == ["openai"]


def test_what_past_calls_teach() -> None:
    with database() as engine:
        ledger = SqlLedger(engine, Budget(), Clock())
        for cost in (0.01, 0.03):
            ledger.settle(ledger.open_call(planned(expected_usd=0.02)), cost_usd=cost, usage=None)
        ledger.fail(ledger.open_call(planned()), kind="transient", billed_usd=0.0)
        ledger.fail(ledger.open_call(planned()), kind="bad_output", billed_usd=0.045)
        ledger.fail(ledger.open_call(planned()), kind="ambiguous", billed_usd=None)
        ledger.open_call(planned())  # in work
        ledger.open_call(planned(purpose="expansion", provider="openai"))
        assert call_history(engine) == {
            "flux": CallHistory(
                delivered=2, failed=3, billed_failures=2,
                priced=2, cost_ratio=1.0, cost_ratio_sd=0.5,
            )
        }  # fmt: skip


def test_threads_do_not_pass_the_limit_together(tmp_path: Path) -> None:
    with ledger_of(tmp_path, per_run_usd=0.45) as ledger:

        def try_to_open(_: int) -> bool:
            try:
                ledger.open_call(planned())
            except BudgetExceeded:
                return False
            return True

        with ThreadPoolExecutor(12) as threads:
            opened = list(threads.map(try_to_open, range(36)))
        assert sum(opened) == len(ledger.open_rows()) == 10


_CHILD = """
import os, signal, sys
from animatize_assets.database.engine import open_engine
from animatize_assets.errors import BudgetExceeded
from animatize_assets.generation.accounting import PlannedCall
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger

ledger = SqlLedger(open_engine(f"sqlite:///{sys.argv[1]}/animatize.db"), Budget(per_day_usd=0.9))
flux = PlannedCall("flux", "flux-2-pro", "f" * 64, 0.045)
"""

_OPEN_UNTIL_REFUSED = """
opened = 0
try:
    while True:
        ledger.open_call(flux)
        opened += 1
except BudgetExceeded:
    print(opened)
"""

_OPEN_AND_DIE = """
ledger.note_remote(ledger.open_call(flux), "task-7", {"id": "7"})
ledger.settle(ledger.open_call(PlannedCall("openai", "o", "e", 0.1)), cost_usd=0.02, usage=None)
os.kill(os.getpid(), signal.SIGKILL)
"""


def start_child(program: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD + program, str(folder)], stdout=subprocess.PIPE, text=True
    )


def test_processes_do_not_pass_the_limit_together(tmp_path: Path) -> None:
    with ledger_of(tmp_path) as ledger, ExitStack() as children:
        started = [
            children.enter_context(start_child(_OPEN_UNTIL_REFUSED, tmp_path)) for _ in range(3)
        ]
        opened = [int(child.communicate(timeout=60)[0]) for child in started]
        assert sum(opened) == len(ledger.open_rows()) == 20


def test_a_killed_process_leaves_its_rows(tmp_path: Path) -> None:
    with ledger_of(tmp_path) as ledger:
        with start_child(_OPEN_AND_DIE, tmp_path) as child:
            child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL
        assert [(row.provider, row.remote_id) for row in ledger.open_rows()] == [("flux", "task-7")]
        assert ledger.spent_usd() == 0.065


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/without tables.db")
    with pytest.raises(StorageFailed, match="could not be written"):
        SqlLedger(engine, Budget()).open_call(planned())
    engine.dispose()


def test_times_come_back_with_their_zone(tmp_path: Path) -> None:
    clock = Clock()
    with ledger_of(tmp_path, clock=clock) as ledger:
        ledger.open_call(planned())
        (row,) = ledger.open_rows()
    assert row.opened_at == clock.now


def test_the_sum_over_a_long_history_is_quick_to_read() -> None:
    with database() as engine:
        ledger = SqlLedger(engine, Budget(per_day_usd=1_000), Clock())
        ledger.settle(ledger.open_call(planned()), cost_usd=0.01, usage=None)
        (row,) = rows_of(ledger)
        copies = [{**row._mapping, "id": 1_000 + n, "call_id": f"copy-{n}"} for n in range(5_000)]
        with engine.begin() as connection:
            connection.execute(insert(generation_calls), copies)
        assert ledger.spent_usd() == 50.01
        ledger.open_call(planned())
