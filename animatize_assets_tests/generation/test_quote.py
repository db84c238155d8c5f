"""What pictures would cost: relations, limits, and how often the interval holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.quote import History, Planned, Quote, quote
from animatize_assets.generation.request_log import Repeats, RequestLog
from animatize_assets.generation.spending import CallHistory
from animatize_assets_tests.generation.ledgers import Clock, database, planned
from animatize_assets_tests.generation.test_request_log import logged


def pictures(number: int, **changes: Any) -> list[Planned]:
    values: dict[str, Any] = {"provider": "flux", "image_key": "a", "price_usd": 0.045, **changes}
    return [Planned(**values) for _ in range(number)]


def numbers(told: Quote) -> tuple[float, float, float]:
    assert told.low_usd is not None
    assert told.expected_usd is not None
    assert told.high_usd is not None
    return told.low_usd, told.expected_usd, told.high_usd


def measured(**changes: Any) -> CallHistory:
    values: dict[str, Any] = {"delivered": 200, "failed": 20, "billed_failures": 6, **changes}
    return CallHistory(**values)


COUNTS = st.integers(min_value=0, max_value=60)


@st.composite
def histories(draw: st.DrawFn) -> History:
    delivered = draw(st.integers(0, 500))
    failed = draw(st.integers(0, 200))
    repeats = draw(st.integers(0, 200))
    return History(
        calls={
            "flux": CallHistory(
                delivered=delivered,
                failed=failed,
                billed_failures=draw(st.integers(0, failed)),
                priced=draw(st.integers(0, delivered)),
                cost_ratio=draw(st.floats(0.1, 1.5)),
                cost_ratio_sd=draw(st.floats(0, 1)),
            )
        },
        repeats={"flux": Repeats(repeats, draw(st.integers(0, repeats)))},
        seen={"flux": frozenset({"seen"})},
    )


def a_list(new: int, seen: int, dear: int) -> list[Planned]:
    return (
        pictures(new)
        + pictures(seen, image_key="seen")
        + pictures(dear, price_usd=0.2)
        + pictures(new, provider="openai", price_usd=0.01)
    )


@settings(deadline=None, max_examples=30)
@given(histories(), COUNTS, COUNTS, COUNTS)
def test_the_mean_lies_in_the_interval(history: History, new: int, seen: int, dear: int) -> None:
    low, expected, high = numbers(quote(a_list(new, seen, dear), history, draws=100))
    assert 0 <= low <= expected <= high


@settings(deadline=None, max_examples=30)
@given(histories(), COUNTS, COUNTS, COUNTS, st.integers(0, 2))
def test_one_more_picture_is_never_cheaper(
    history: History, new: int, seen: int, dear: int, which: int
) -> None:
    counts = [new, seen, dear]
    before = numbers(quote(a_list(*counts), history, draws=100))
    counts[which] += 1
    after = numbers(quote(a_list(*counts), history, draws=100))
    assert all(more >= less for less, more in zip(before, after, strict=True))


@settings(deadline=None, max_examples=30)
@given(histories(), COUNTS)
def test_the_same_question_has_the_same_answer(history: History, number: int) -> None:
    asked = a_list(number, 1, 1)
    assert quote(asked, history, draws=100) == quote(asked, history, draws=100)


def test_nothing_costs_nothing_and_so_does_free_work() -> None:
    assert numbers(quote([], History())) == (0.0, 0.0, 0.0)
    told = quote(pictures(100, provider="local", price_usd=0.0), History())
    assert numbers(told) == (0.0, 0.0, 0.0)
    assert told.pictures == 100


def test_without_a_history_the_stated_prior_speaks() -> None:
    told = quote(pictures(100), History())
    low, expected, high = numbers(told)
    assert expected == pytest.approx(100 * 0.045 * (1 + 0.5 / 9), rel=1e-5)
    assert low == pytest.approx(4.5)
    assert expected < high < 1.3 * 4.5
    assert told.providers[0].deliveries_measured == 0


def test_measured_failures_raise_the_cost_and_experience_narrows_it() -> None:
    def told(history: CallHistory) -> tuple[float, float, float]:
        return numbers(quote(pictures(1_000), History(calls={"flux": history})))

    calm = told(measured(billed_failures=0))
    rough = told(measured(billed_failures=60))
    assert all(more > less for less, more in zip(calm[1:], rough[1:], strict=True))
    little = told(measured(delivered=20, billed_failures=2))
    much = told(measured(delivered=2_000, billed_failures=200))
    assert (much[2] - much[0]) < 0.6 * (little[2] - little[0])


def test_the_bill_of_past_calls_corrects_the_price() -> None:
    paid_half = measured(billed_failures=0, priced=200, cost_ratio=0.5)
    low, expected, high = numbers(quote(pictures(100), History(calls={"flux": paid_half})))
    assert expected == pytest.approx(0.5 * 4.5 * (1 + 0.5 / 209), rel=1e-5)
    assert high - low < 0.2
    spread = measured(billed_failures=0, priced=200, cost_ratio=0.5, cost_ratio_sd=0.25)
    wider = numbers(quote(pictures(100), History(calls={"flux": spread})))
    assert wider[2] - wider[0] > high - low
    too_few = measured(billed_failures=0, priced=9, cost_ratio=0.5)
    believed = numbers(quote(pictures(100), History(calls={"flux": too_few})))
    assert believed[1] == pytest.approx(2 * expected, rel=1e-5)


def test_what_a_cache_has_is_not_paid_for() -> None:
    told = quote(pictures(3, is_kept=True) + pictures(1, is_kept=False), History())
    (part,) = told.providers
    assert (part.kept, part.expected_served, told.pictures) == (3, 3.0, 4)
    assert numbers(told)[0] == pytest.approx(0.045)
    assert numbers(told)[1] == pytest.approx(0.045 * (1 + 0.5 / 9), rel=1e-5)


def test_equal_requests_in_a_list_are_made_once() -> None:
    (part,) = quote(pictures(5, fingerprint="f") + pictures(2), History()).providers
    assert part.kept == 4


def test_only_images_that_were_seen_before_are_expected_from_a_cache() -> None:
    history = History(repeats={"flux": Repeats(198, 149)}, seen={"flux": frozenset({"seen"})})
    new = quote(pictures(100), history)
    seen = quote(pictures(100, image_key="seen"), history)
    looked_up = quote(pictures(100, image_key="seen", is_kept=False), history)
    assert new.expected_served == looked_up.expected_served == 0
    assert seen.expected_served == pytest.approx(75)
    assert numbers(seen)[1] == pytest.approx(numbers(new)[1] / 4, rel=1e-5)
    assert numbers(looked_up) == numbers(new)


def test_a_price_that_is_not_known_makes_the_total_unknown() -> None:
    told = quote(pictures(2) + pictures(1, provider="imagen", price_usd=None), History())
    assert (told.expected_usd, told.low_usd, told.high_usd) == (None, None, None)
    assert told.why_unknown is not None
    assert "imagen" in told.why_unknown
    flux, imagen = told.providers
    assert flux.expected_usd is not None
    assert imagen.expected_usd is None
    assert imagen.expected_calls == pytest.approx(1.05, abs=0.01)


def test_an_unknown_price_does_not_matter_when_a_cache_serves() -> None:
    told = quote(pictures(2, price_usd=None, is_kept=True), History())
    assert numbers(told) == (0.0, 0.0, 0.0)


def test_calls_count_every_retry() -> None:
    (part,) = quote(pictures(100), History(calls={"flux": measured(failed=74)})).providers
    assert part.expected_calls == pytest.approx(100 * (1 + 75 / 219), rel=1e-5)


def test_the_history_is_read_from_the_database() -> None:
    clock = Clock()
    with database() as engine:
        ledger, log = SqlLedger(engine, Budget(), clock), RequestLog(engine, clock)
        ledger.settle(ledger.open_call(planned()), cost_usd=0.045, usage=None)
        log.write(logged())
        clock.advance(days=8)
        ledger.settle(ledger.open_call(planned()), cost_usd=0.045, usage=None)
        log.write(logged(image_key="b"))
        log.write(logged(image_key="b", outcome="exact"))
        history = History.read(engine, ["flux"], since=clock.now - timedelta(days=7))
    assert history.calls["flux"].delivered == 1
    assert history.repeats == {"flux": Repeats(1, 1)}
    assert history.seen == {"flux": {"b"}}


@dataclass(frozen=True)
class World:
    """How a provider really behaves; a quote must do without knowing it."""

    billed_failure: float
    served: float
    spread: float

    def bills(self, deliveries: int, random: np.random.Generator) -> tuple[np.ndarray, int]:
        """What each call cost over its price, and how many of the calls had failed."""
        failures = int(random.negative_binomial(deliveries, 1 - self.billed_failure))
        calls = deliveries + failures
        if not self.spread:
            return np.full(calls, 0.8), failures
        return random.lognormal(np.log(0.8), self.spread, calls), failures

    def history(self, deliveries: int, random: np.random.Generator) -> History:
        bills, failures = self.bills(deliveries, random)
        ratios = bills[failures:]
        return History(
            calls={
                "flux": CallHistory(
                    delivered=deliveries, failed=failures, billed_failures=failures,
                    priced=deliveries, cost_ratio=float(ratios.mean()),
                    cost_ratio_sd=float(ratios.std()),
                )
            },
            repeats={"flux": Repeats(deliveries, int(random.binomial(deliveries, self.served)))},
            seen={"flux": frozenset({"seen"})},
        )  # fmt: skip

    def bill(self, new: int, seen: int, random: np.random.Generator) -> float:
        made = new + int(random.binomial(seen, 1 - self.served))
        return 0.045 * float(self.bills(made, random)[0].sum()) if made else 0.0


@pytest.mark.parametrize(
    "world", [World(0.02, 0.5, 0.2), World(0.15, 0.2, 0.0), World(0, 0.9, 0.4)]
)
@pytest.mark.parametrize(("new", "seen"), [(10, 0), (0, 40), (300, 100)])
def test_the_interval_holds_in_at_least_85_of_100_quotes(
    world: World, new: int, seen: int, sizes: dict[str, Any]
) -> None:
    random = np.random.default_rng(new + seen)
    runs = sizes["quote"]["runs"]
    held = 0
    asked = pictures(new) + pictures(seen, image_key="seen")
    for _ in range(runs):
        history = world.history(int(random.integers(20, 400)), random)
        low, _, high = numbers(quote(asked, history, draws=1_000))
        held += low * (1 - 1e-9) <= world.bill(new, seen, random) <= high * (1 + 1e-9)
    assert held / runs >= 0.85
