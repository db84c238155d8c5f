"""No call starts that could pass a limit, and the refusal says what to do."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.errors import BudgetExceeded, InvalidSetting
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.money import in_dollars, to_nanousd, to_usd
from animatize_assets_tests.generation.ledgers import Clock, ledger_of, planned

AMOUNTS = st.floats(min_value=0, max_value=1_000_000, allow_nan=False)


@given(AMOUNTS)
def test_an_amount_is_kept_to_a_billionth(usd: float) -> None:
    assert abs(to_usd(to_nanousd(usd)) - usd) <= 0.5e-9 + usd * 1e-15


def test_sums_are_exact_where_floats_are_not() -> None:
    assert sum([0.1] * 3) != 0.3
    assert sum([to_nanousd(0.1)] * 3) == to_nanousd(0.3)


@pytest.mark.parametrize("usd", [-0.01, math.nan, math.inf])
def test_what_is_no_amount_is_refused(usd: float) -> None:
    with pytest.raises(ValueError, match="amount must be"):
        to_nanousd(usd)


@pytest.mark.parametrize(
    ("usd", "written"),
    [(0, "$0.00"), (10, "$10.00"), (0.045, "$0.045"), (1.5, "$1.50"), (2e-9, "$0.000000002")],
)
def test_amounts_are_written_for_people(usd: float, written: str) -> None:
    assert in_dollars(to_nanousd(usd)) == written


@pytest.mark.parametrize(
    "limits",
    [{"per_run_usd": -1}, {"per_day_usd": math.nan}, {"per_provider_day_usd": {"flux": -0.5}}],
)
def test_a_limit_must_be_an_amount(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting, match="ANIMATIZE_BUDGET_"):
        Budget(**limits)


@pytest.mark.parametrize(
    ("limits", "setting", "of_what"),
    [
        ({"per_run_usd": 0.1}, "ANIMATIZE_BUDGET_RUN_USD", "the run"),
        ({"per_day_usd": 0.1}, "ANIMATIZE_BUDGET_DAY_USD", "the day (UTC)"),
        (
            {"per_provider_day_usd": {"flux": 0.1}},
            "ANIMATIZE_BUDGET_PROVIDER_DAY_USD",
            "the day (UTC) for flux",
        ),
    ],
)
def test_the_refusal_names_limit_spending_price_and_setting(
    limits: dict[str, Any], setting: str, of_what: str
) -> None:
    with ledger_of(**limits) as ledger:
        for _ in range(2):
            ledger.open_call(planned())
        with pytest.raises(BudgetExceeded) as refusal:
            ledger.open_call(planned())
        assert len(ledger.open_rows()) == 2
    message = refusal.value.message
    assert f"budget of {of_what}" in message
    assert setting in message
    assert re.findall(r"\$[\d.]*\d", message) == ["$0.045", "$0.09", "$0.10"]


def test_a_call_may_reach_the_limit_exactly() -> None:
    with ledger_of(per_run_usd=0.09) as ledger:
        ledger.open_call(planned())
        ledger.open_call(planned())
        with pytest.raises(BudgetExceeded):
            ledger.open_call(planned())


def test_other_runs_days_and_providers_have_their_own_limit() -> None:
    clock = Clock()
    with ledger_of(per_run_usd=0.05, clock=clock) as ledger:
        ledger.open_call(planned())
        ledger.open_call(planned(run_id="run-2"))
    with ledger_of(per_day_usd=0.05, clock=clock) as ledger:
        ledger.open_call(planned())
        clock.advance(hours=11.99)
        with pytest.raises(BudgetExceeded):
            ledger.open_call(planned(run_id="run-2"))
        clock.advance(hours=0.02)
        ledger.open_call(planned(run_id="run-2"))
    with ledger_of(per_provider_day_usd={"flux": 0.05}, clock=clock) as ledger:
        ledger.open_call(planned())
        ledger.open_call(planned(provider="openai"))
        with pytest.raises(BudgetExceeded):
            ledger.open_call(planned())


def test_a_call_outside_of_any_run_is_a_run_of_its_own() -> None:
    with ledger_of(per_run_usd=0.05) as ledger:
        ledger.open_call(planned(run_id=None))
        ledger.open_call(planned(run_id=None))
        with pytest.raises(BudgetExceeded):
            ledger.open_call(planned(run_id=None, expected_usd=0.06))


def test_without_a_price_nothing_starts_under_a_limit() -> None:
    with ledger_of(per_day_usd=1000) as ledger:
        with pytest.raises(BudgetExceeded, match="no known price"):
            ledger.open_call(planned(expected_usd=None))
        assert ledger.open_rows() == ()
    with ledger_of(per_provider_day_usd={"openai": 1}) as ledger:
        ledger.open_call(planned(expected_usd=None))


def test_free_work_is_never_refused() -> None:
    with ledger_of(per_day_usd=0, per_run_usd=0) as ledger:
        ledger.open_call(planned(provider="comfyui", expected_usd=0.0))
        with pytest.raises(BudgetExceeded):
            ledger.open_call(planned(expected_usd=1e-9))


def test_what_a_call_really_cost_replaces_what_it_may_cost(tmp_path: Path) -> None:
    with ledger_of(tmp_path, per_run_usd=0.1) as ledger:
        settled, failed, billed, lost = (
            ledger.open_call(planned(expected_usd=0.025)) for _ in range(4)
        )
        with pytest.raises(BudgetExceeded):
            ledger.open_call(planned(expected_usd=0.001))
        ledger.settle(settled, cost_usd=0.01, usage=None)
        ledger.fail(failed, kind="transient", billed_usd=0.0)
        ledger.fail(billed, kind="bad_output", billed_usd=0.02)
        ledger.fail(lost, kind="ambiguous", billed_usd=None)
        assert ledger.spent_usd(run_id="run-1") == 0.055
        ledger.open_call(planned(expected_usd=0.045))
        with pytest.raises(BudgetExceeded):
            ledger.open_call(planned(expected_usd=0.0001))


STEPS = st.lists(
    st.tuples(
        st.floats(min_value=0, max_value=0.4, allow_nan=False),  # expected
        st.sampled_from(["leave", "settle", "fail", "billed", "lost", "write off"]),
        st.floats(min_value=0, max_value=1),  # share of the expected cost that is billed
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)  # each example makes a database
@given(STEPS)
def test_whatever_happens_the_limit_is_kept(steps: list[tuple[float, str, float]]) -> None:
    limit = to_nanousd(1.0)
    spent = 0
    with ledger_of(per_day_usd=1.0) as ledger:
        for expected_usd, outcome, share in steps:
            expected = to_nanousd(expected_usd)
            if expected and spent + expected > limit:
                with pytest.raises(BudgetExceeded):
                    ledger.open_call(planned(expected_usd=expected_usd))
                continue
            call_id = ledger.open_call(planned(expected_usd=expected_usd))
            billed_usd = expected_usd * share
            known = to_nanousd(billed_usd)
            if outcome == "settle":
                ledger.settle(call_id, cost_usd=billed_usd, usage=None)
            elif outcome == "billed":
                ledger.fail(call_id, kind="bad_output", billed_usd=billed_usd)
            elif outcome == "fail":
                ledger.fail(call_id, kind="transient", billed_usd=0.0)
                known = 0
            else:
                known = expected
                if outcome == "lost":
                    ledger.fail(call_id, kind="ambiguous", billed_usd=None)
                elif outcome == "write off":
                    ledger.write_off(call_id)
            spent += known
            assert spent <= limit
            assert to_nanousd(ledger.spent_usd()) == spent
