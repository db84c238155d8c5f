from __future__ import annotations

import asyncio
import pickle
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.errors import (
    BudgetExceeded,
    NotConfigured,
    ProviderError,
    StorageFailed,
)
from animatize_assets.generation.attempts import NothingDelivered
from animatize_assets.generation.breaker import BreakerState
from animatize_assets.generation.journey import Keep
from animatize_assets.generation.local import LocalProvider
from animatize_assets.generation.models import Delivery
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.router import Configured, Router
from animatize_assets.generation.station import OnChange
from animatize_assets_tests.generation.scripted import (
    NO_KEY,
    PRICE_USD,
    Hangs,
    MemoryLedger,
    ScriptedProvider,
    always,
    at_random,
    failing,
    png,
    request_for,
    scripted,
)
from animatize_assets_tests.generation.virtual_time import in_virtual_time, now_s

ISSUE_RATES = {"rate_limited": 0.20, "transient": 0.05, "hang": 0.02}


class House:
    """A router with scripted providers, and everything to look at afterwards."""

    def __init__(self, *providers: ScriptedProvider, concurrency: int = 24, **options: Any) -> None:
        self.providers = {provider.name: provider for provider in providers}
        self.ledger = MemoryLedger(budget_usd=options.pop("budget_usd", 1e9))
        self.changes: list[BreakerState] = []
        self.note: OnChange = self.changes.append
        self.keep: Keep = lambda delivery: None  # noqa: ARG005 - kept nowhere
        self._concurrency = concurrency
        self._per_minute: float | None = options.pop("requests_per_min", None)
        self._policy = Policy(**options)

    def router(self) -> Router:
        configured = {
            name: Configured(provider, self._concurrency, self._per_minute)
            for name, provider in self.providers.items()
        }
        configured["local"] = Configured(LocalProvider(), concurrency=2, in_house=True)
        return Router(
            configured,
            self._policy,
            self.ledger,
            on_change=self.note,
            clock=now_s,
            random=random.Random(1).random,
        )

    def deliver(self, order: list[str], fingerprint: str = "f", run_id: str = "run") -> Delivery:
        async def work() -> Delivery:
            return await self.router().deliver(
                request_for(fingerprint), order, run_id=run_id, keep=self.keep
            )

        return in_virtual_time(work)

    def deliver_all(
        self, count: int, order: list[str], fingerprint: str | None = None
    ) -> list[Delivery | BaseException]:
        async def work() -> list[Delivery | BaseException]:
            router = self.router()
            asked = (
                router.deliver(request_for(str(n) if fingerprint is None else fingerprint), order)
                for n in range(count)
            )
            return await asyncio.gather(*asked, return_exceptions=True)

        return in_virtual_time(work)

    def failed(self, order: list[str]) -> NothingDelivered:
        with pytest.raises(NothingDelivered) as raised:
            self.deliver(order)
        return raised.value


def reasons(delivery: Delivery | NothingDelivered) -> list[tuple[str, str | None]]:
    return [(attempt.provider, attempt.reason) for attempt in delivery.attempts]


# -- one provider -------------------------------------------------------------------------------


def test_a_picture_is_kept_before_its_row_is_closed() -> None:
    house = House(ScriptedProvider())
    states = []
    house.keep = lambda delivery: states.append(dict(house.ledger.states))  # noqa: ARG005
    delivery = house.deliver(["flux", "local"])
    assert states == [{"open": 1}]
    assert house.ledger.states == {"settled": 1}
    assert delivery.made.cost_usd == PRICE_USD
    (attempt,) = delivery.attempts
    assert (attempt.outcome, attempt.seconds, attempt.cost_usd) == ("made", 5.0, PRICE_USD)
    (row,) = house.ledger.rows.values()
    assert (row.planned.run_id, row.planned.image_key) == ("run", "test-0123456789abcdef")


def test_a_picture_that_cannot_be_kept_stays_an_open_row() -> None:
    kept: list[Delivery] = []
    house = House(ScriptedProvider(remote=True))

    def full(delivery: Delivery) -> None:
        raise StorageFailed(f"The disk is full; free {len(delivery.made.content)} bytes.")

    house.keep = full
    with pytest.raises(StorageFailed):
        house.deliver(["flux"])
    assert house.ledger.states == {"open": 1}
    house.keep = kept.append
    assert house.deliver(["flux"]).attempts[0].outcome == "resumed"
    assert house.providers["flux"].submitted == 1
    assert house.ledger.states == {"settled": 1}
    assert len(kept) == 1


def test_what_passes_is_tried_again_and_every_attempt_is_told() -> None:
    flux = ScriptedProvider(outcome=scripted(failing("transient"), failing("rate_limited")))
    house = House(flux)
    delivery = house.deliver(["flux", "local"])
    assert reasons(delivery) == [("flux", "transient"), ("flux", "rate_limited"), ("flux", None)]
    assert [attempt.cost_usd for attempt in delivery.attempts] == [0.0, 0.0, PRICE_USD]
    assert house.ledger.states == {"failed": 2, "settled": 1}


def test_a_hang_is_cut_off_and_counts_as_possible_spend() -> None:
    flux = ScriptedProvider(outcome=scripted(Hangs))
    house = House(flux, call_timeout_s=100)
    delivery = house.deliver(["flux"])
    assert reasons(delivery) == [("flux", "ambiguous"), ("flux", None)]
    assert 100 <= delivery.attempts[0].seconds <= 106
    assert delivery.attempts[0].cost_usd is None
    assert house.ledger.states == {"open": 1, "settled": 1}
    assert [row.failure for row in house.ledger.rows.values()] == ["ambiguous", None]


def test_work_with_an_id_is_fetched_and_billed_once() -> None:
    flux = ScriptedProvider(outcome=scripted(Hangs), remote=True)
    house = House(flux)
    delivery = house.deliver(["flux"])
    assert flux.submitted == 1
    assert [attempt.outcome for attempt in delivery.attempts] == ["failed", "resumed"]
    assert [attempt.cost_usd for attempt in delivery.attempts] == [0.0, PRICE_USD]
    assert delivery.attempts[0].remote_id == delivery.attempts[1].remote_id == "flux-1"
    assert house.ledger.states == {"settled": 1}


def test_work_of_a_killed_process_is_fetched() -> None:
    flux = ScriptedProvider(remote=True)
    house = House(flux)

    async def killed() -> None:
        work = asyncio.create_task(house.router().deliver(request_for("f"), ["flux"]))
        await asyncio.sleep(2)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    in_virtual_time(killed)
    assert house.ledger.states == {"open": 1}
    assert house.deliver(["flux"]).attempts[0].outcome == "resumed"
    assert flux.submitted == 1
    assert house.ledger.states == {"settled": 1}


def test_work_that_is_gone_is_submitted_again() -> None:
    lost = failing("transient", billed_usd=0.0)
    flux = ScriptedProvider(outcome=scripted(Hangs, lost), remote=True)
    house = House(flux)
    delivery = house.deliver(["flux"])
    assert reasons(delivery) == [("flux", "ambiguous"), ("flux", "transient"), ("flux", None)]
    assert flux.submitted == 2
    assert house.ledger.states == {"failed": 1, "settled": 1}


def test_a_picture_that_is_no_good_is_billed_and_made_anew() -> None:
    flux = ScriptedProvider(content=png(value=9), remote=True, price=None)
    error = House(flux).failed(["flux"])
    assert reasons(error) == [("flux", "bad_output")] * 2
    assert "it is blank" in error.message
    assert flux.submitted == 2, "the blank picture is not fetched again"
    assert error.billed_usd is None


def test_a_row_that_cannot_be_closed_does_not_cost_the_picture(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(ScriptedProvider())

    def busy(*_: Any, **__: Any) -> None:
        raise StorageFailed("The database is locked; try again.")

    house.ledger.settle = busy  # type: ignore[method-assign]  # a ledger that cannot write
    assert house.deliver(["flux"]).made.provider == "flux"
    assert "stays open" in caplog.text
    assert house.ledger.states == {"open": 1}


def test_a_bug_of_a_provider_comes_through_and_leaves_its_row_open() -> None:
    house = House(ScriptedProvider(outcome=lambda: KeyError("b64_json")))
    with pytest.raises(KeyError):
        house.deliver(["flux", "local"])
    assert house.ledger.states == {"open": 1}


# -- the next provider --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "calls"),
    [("transient", 3), ("rate_limited", 3), ("ambiguous", 3), ("bad_output", 2), ("quota", 1)],
)
def test_the_next_one_is_asked_and_the_delivery_tells_of_the_first(kind: str, calls: int) -> None:
    flux, openai = ScriptedProvider(outcome=always(kind)), ScriptedProvider("openai")
    delivery = House(flux, openai, max_attempts=3).deliver(["flux", "openai", "local"])
    assert delivery.made.provider == "openai"
    assert reasons(delivery) == [("flux", kind)] * calls + [("openai", None)]


def test_one_that_asks_to_wait_long_is_left_at_once() -> None:
    flux = ScriptedProvider(outcome=always("rate_limited", retry_after_s=600.0))
    delivery = House(flux, ScriptedProvider("openai")).deliver(["flux", "openai"])
    assert reasons(delivery) == [("flux", "rate_limited"), ("openai", None)]


def test_refused_content_goes_to_nobody_else_but_to_ourselves() -> None:
    flux, openai = ScriptedProvider(outcome=always("refused_content")), ScriptedProvider("openai")
    delivery = House(flux, openai).deliver(["flux", "openai", "local"])
    assert reasons(delivery) == [("flux", "refused_content"), ("local", None)]
    assert openai.calls == []


def test_refused_content_is_shared_when_the_user_says_so() -> None:
    flux, openai = ScriptedProvider(outcome=always("refused_content")), ScriptedProvider("openai")
    delivery = House(flux, openai, share_refused=True).deliver(["flux", "openai", "local"])
    assert delivery.made.provider == "openai"


def test_a_refusal_without_anyone_left_is_told_as_such() -> None:
    flux, openai = ScriptedProvider(outcome=always("refused_content")), ScriptedProvider("openai")
    error = House(flux, openai).failed(["flux", "openai"])
    assert error.kind == "refused_content"
    assert openai.calls == []


def test_a_request_that_cannot_succeed_stops_all_of_it() -> None:
    flux = ScriptedProvider(outcome=always("invalid_request"))
    error = House(flux).failed(["flux", "local"])
    assert error.kind == "invalid_request"
    assert len(flux.calls) == 1


def test_a_wrong_key_and_a_missing_provider_are_told_and_the_next_is_asked() -> None:
    house = House(ScriptedProvider(outcome=lambda: NO_KEY))
    delivery = house.deliver(["imagen", "flux", "local"])
    assert reasons(delivery) == [
        ("imagen", "not_configured"),
        ("flux", "not_configured"),
        ("local", None),
    ]
    assert house.changes[0].reason == "not_configured"


def test_local_is_not_in_the_ledger() -> None:
    house = House()
    assert house.deliver(["local"]).made.cost_usd == 0.0
    assert house.ledger.rows == {}


def test_when_nobody_delivers_every_attempt_is_named() -> None:
    flux = ScriptedProvider(outcome=always("transient"))
    openai = ScriptedProvider("openai", outcome=scripted(failing("quota", billed_usd=None)))
    error = House(flux, openai, max_attempts=2).failed(["flux", "openai"])
    assert error.message == (
        "No provider delivered the picture of test-0123456789abcdef: "
        "flux (model-1): transient 2x: It failed (transient); "
        "openai (model-1): quota: It failed (quota)."
    )
    assert error.kind == "transient"
    assert error.billed_usd is None
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, NothingDelivered)
    assert (copy.message, copy.attempts, copy.kind) == (error.message, error.attempts, error.kind)
    assert isinstance(error.__cause__, ProviderError)


def test_an_empty_order_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="empty"):
        House().deliver([])


# -- limits -------------------------------------------------------------------------------------


def test_the_deadline_ends_the_asking_but_not_what_is_ours() -> None:
    flux = ScriptedProvider(outcome=lambda: Hangs)
    openai = ScriptedProvider("openai")
    house = House(flux, openai, deadline_s=300, call_timeout_s=295)
    delivery = house.deliver(["flux", "openai", "local"])
    assert reasons(delivery) == [("flux", "ambiguous"), ("local", None)]
    assert openai.calls == []
    error = House(flux, openai, deadline_s=300, call_timeout_s=295).failed(["flux", "openai"])
    assert error.message.endswith("Its deadline of 300 s is over.")


def test_a_call_gets_no_more_time_than_is_left() -> None:
    flux = ScriptedProvider(outcome=lambda: Hangs)
    House(flux, deadline_s=300, call_timeout_s=200).failed(["flux"])
    assert flux.calls[0][1].timeout_s == 200
    assert 90 < flux.calls[1][1].timeout_s < 100


def test_a_queue_of_any_length_keeps_the_limits_and_its_deadline() -> None:
    flux = ScriptedProvider(seconds=100)
    house = House(flux, concurrency=4, deadline_s=150, call_timeout_s=120)
    results = house.deliver_all(40, ["flux"])
    assert all(isinstance(result, Delivery) for result in results)
    assert flux.most_in_flight == 4


def test_a_queue_for_a_provider_that_goes_down_has_its_whole_time_for_the_next() -> None:
    flux = ScriptedProvider(outcome=always("transient"), seconds=20)
    openai = ScriptedProvider("openai", seconds=100)
    house = House(flux, openai, concurrency=1, deadline_s=150, max_attempts=1)
    results = house.deliver_all(40, ["flux", "openai"])
    assert all(isinstance(result, Delivery) for result in results)


def test_a_provider_is_not_left_alone_for_our_own_haste() -> None:
    flux = ScriptedProvider(seconds=100)
    house = House(flux, deadline_s=60)
    results = house.deliver_all(30, ["flux"])
    assert all(isinstance(result, NothingDelivered) for result in results)
    assert house.changes == []


def test_lost_work_is_fetched_before_new_work_is_begun() -> None:
    flux = ScriptedProvider(outcome=scripted(Hangs), remote=True, seconds=100)
    house = House(flux, concurrency=1, call_timeout_s=120)
    house.deliver_all(20, ["flux"])
    assert [call.resume is not None for _, call in flux.calls][:3] == [False, False, True]
    assert flux.submitted == 20


def test_the_rate_is_kept_over_retries_too() -> None:
    flux = ScriptedProvider(outcome=at_random({"transient": 0.3}, 1), seconds=0.1)
    house = House(flux, requests_per_min=60)
    times = []

    async def work() -> None:
        router = house.router()
        await asyncio.gather(*(router.deliver(request_for(str(n)), ["flux"]) for n in range(60)))
        times.append(now_s())

    in_virtual_time(work)
    assert times[0] >= len(flux.calls) - 3


def test_the_budget_ends_the_request_with_its_own_error() -> None:
    house = House(ScriptedProvider(), budget_usd=0.03)
    with pytest.raises(BudgetExceeded, match="budget"):
        house.deliver(["flux", "local"])
    assert house.providers["flux"].calls == []


def test_the_budget_may_be_a_reason_to_fall_back() -> None:
    house = House(ScriptedProvider(), budget_usd=0.03, fall_back_over_budget=True)
    assert reasons(house.deliver(["flux", "local"])) == [
        ("flux", "budget_exceeded"),
        ("local", None),
    ]


def test_lost_answers_count_against_what_one_picture_may_cost() -> None:
    flux = ScriptedProvider(outcome=scripted(Hangs))
    house = House(flux, picture_usd=0.07)
    with pytest.raises(BudgetExceeded, match=r"\$0.04 of which may be spent"):
        house.deliver(["flux"])
    assert len(flux.calls) == 1
    unpriced = House(ScriptedProvider(price=None), picture_usd=1.0)
    with pytest.raises(BudgetExceeded, match="no known price"):
        unpriced.deliver(["flux"])


kinds = st.sampled_from(["transient", "rate_limited", "quota", "ambiguous", "refused_content"])
outcomes = st.lists(st.one_of(st.none(), st.just(Hangs), kinds.map(failing)), max_size=8)


@settings(max_examples=60, deadline=None)
@given(outcomes, outcomes, st.booleans(), st.integers(1, 6), st.booleans())
def test_every_call_is_an_attempt_and_a_row_whatever_happens(
    first: list[Any], second: list[Any], remote: bool, most: int, share: bool
) -> None:
    flux = ScriptedProvider(outcome=scripted(*first), remote=remote)
    openai = ScriptedProvider("openai", outcome=scripted(*second))
    house = House(flux, openai, max_attempts=most, share_refused=share)
    attempts = house.deliver(["flux", "openai", "local"]).attempts
    maker = attempts[-1].provider
    for provider in (flux, openai):
        own = [each for each in attempts if each.provider == provider.name]
        rows = [r for r in house.ledger.rows.values() if r.planned.provider == provider.name]
        settled = [row for row in rows if row.state == "settled"]
        unknown = [each for each in own if each.cost_usd is None]
        assert len(provider.calls) == len(own) <= most
        assert len(rows) == provider.submitted
        assert len(settled) == (maker == provider.name)
        assert sum(row.state == "open" for row in rows) == len(unknown)
    assert [each.outcome for each in attempts].count("failed") == len(attempts) - 1
    was_refused = any(each.reason == "refused_content" for each in attempts[:-1])
    if was_refused and not share:
        refused_by = next(each for each in attempts if each.reason == "refused_content").provider
        assert {each.provider for each in attempts[1:]} <= {"flux", refused_by, "local"}


# -- equal requests -----------------------------------------------------------------------------


def test_equal_requests_in_flight_make_one_call() -> None:
    flux = ScriptedProvider()
    house = House(flux)
    results = house.deliver_all(10, ["flux"], fingerprint="same")
    assert len(flux.calls) == 1
    assert all(result is results[0] for result in results)
    house.deliver(["flux"], "same")
    assert len(flux.calls) == 2, "only in flight: what is done is the result store's"


def test_requests_without_a_fingerprint_are_never_equal() -> None:
    flux = ScriptedProvider()
    House(flux).deliver_all(3, ["flux"], fingerprint="")
    assert len(flux.calls) == 3


def test_a_failure_is_shared_too() -> None:
    flux = ScriptedProvider(outcome=always("invalid_request"))
    results = House(flux).deliver_all(5, ["flux"], fingerprint="same")
    assert all(isinstance(result, NothingDelivered) for result in results)
    assert len(flux.calls) == 1


def test_whoever_stops_waiting_does_not_take_it_from_the_others() -> None:
    flux = ScriptedProvider()
    house = House(flux)

    async def work() -> Delivery:
        router = house.router()
        first, second = (
            asyncio.create_task(router.deliver(request_for("same"), ["flux"])) for _ in range(2)
        )
        await asyncio.sleep(1)
        first.cancel()
        return await second

    assert in_virtual_time(work).made.provider == "flux"
    assert len(flux.calls) == 1


def test_work_that_nobody_waits_for_ends() -> None:
    flux = ScriptedProvider(seconds=1000)
    house = House(flux)

    async def work() -> int:
        router = house.router()
        waiting = [
            asyncio.create_task(router.deliver(request_for("same"), ["flux"])) for _ in range(2)
        ]
        await asyncio.sleep(1)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0.1)
        assert router.state("flux").load.in_flight == 0
        flux.seconds = 1
        again = await router.deliver(request_for("same"), ["flux"])
        return len(again.attempts)

    assert in_virtual_time(work) == 1


# -- many requests ------------------------------------------------------------------------------


def test_random_faults_cost_few_calls_and_hardly_any_picture() -> None:
    """The issue's figure, at its full size: theory is 1 / (1 - 0.27) = 1.37 calls."""
    flux = ScriptedProvider(outcome=at_random(ISSUE_RATES, 7))
    house = House(flux)
    results = house.deliver_all(500, ["flux"])
    made = sum(isinstance(result, Delivery) for result in results)
    assert made >= 0.995 * 500
    assert len(flux.calls) <= 1.45 * 500
    assert house.changes == [], "the breaker stays closed"


def test_with_a_second_provider_no_picture_is_lost_to_random_faults() -> None:
    flux = ScriptedProvider(outcome=at_random(ISSUE_RATES, 8))
    openai = ScriptedProvider("openai", outcome=at_random(ISSUE_RATES, 9))
    house = House(flux, openai, max_attempts=3)
    results = house.deliver_all(500, ["flux", "openai"])
    assert sum(isinstance(result, Delivery) for result in results) >= 499
    assert len(flux.calls) + len(openai.calls) <= 1.45 * 500


def test_at_five_per_cent_transient_errors_hardly_a_picture_in_a_thousand_is_lost(
    sizes: dict[str, Any],
) -> None:
    count = sizes["generation_faults"]["transient_requests"]
    flux = ScriptedProvider(outcome=at_random({"transient": 0.05}, 3))
    results = House(flux).deliver_all(count, ["flux"])
    assert sum(isinstance(result, Delivery) for result in results) >= 0.999 * count


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_a_provider_that_is_down_is_left_alone_and_the_other_serves(seconds: float) -> None:
    flux = ScriptedProvider(outcome=always("transient"), seconds=seconds)
    openai = ScriptedProvider("openai", seconds=0.1)
    house = House(flux, openai, concurrency=8)
    results = house.deliver_all(200, ["flux", "openai", "local"])
    assert all(isinstance(each, Delivery) and each.made.provider == "openai" for each in results)
    assert len(flux.calls) <= 10 + 8
    skipped = [each for each in results if isinstance(each, Delivery) and len(each.attempts) == 2]
    assert skipped
    assert "Not asked after" in (skipped[-1].attempts[0].message or "")
    assert [state.state for state in house.changes] == ["open"]


def test_a_provider_that_comes_back_is_found_by_one_probe() -> None:
    flux = ScriptedProvider(outcome=scripted(*[failing("transient")] * 10), seconds=1)
    house = House(flux, max_attempts=1)

    async def work() -> list[str]:
        router = house.router()
        makers = []
        for number in range(60):
            delivery = await router.deliver(request_for(str(number)), ["flux", "local"])
            makers.append(delivery.made.provider)
            await asyncio.sleep(1)
        return makers

    makers = in_virtual_time(work)
    assert makers[9:30] == ["local"] * 21
    assert set(makers[-10:]) == {"flux"}
    assert [state.state for state in house.changes] == ["open", "closed"]


def test_a_state_that_cannot_be_noted_costs_no_picture(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(ScriptedProvider(outcome=always("quota")))

    def full(state: BreakerState) -> None:
        raise StorageFailed(f"The disk is full; {state.provider} is {state.state}.")

    house.note = full
    assert house.deliver(["flux", "local"]).made.provider == "local"
    assert "flux is open" in caplog.text


def test_a_cancelled_probe_does_not_block_the_next() -> None:
    flux = ScriptedProvider(outcome=scripted(NotConfigured("No.")), seconds=1)
    house = House(flux)

    async def work() -> str:
        router = house.router()
        await router.deliver(request_for("a"), ["flux", "local"])
        await asyncio.sleep(300)
        probe = asyncio.create_task(router.deliver(request_for("b"), ["flux"]))
        await asyncio.sleep(0.5)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        return (await router.deliver(request_for("c"), ["flux"])).made.provider

    assert in_virtual_time(work) == "flux"


def test_closing_ends_what_is_in_flight_and_closes_the_providers() -> None:
    flux = ScriptedProvider(seconds=1000)
    house = House(flux)

    async def work() -> Any:
        router = house.router()
        waiting = asyncio.create_task(router.deliver(request_for("f"), ["flux"]))
        await asyncio.sleep(1)
        await router.close()
        return (await asyncio.gather(waiting, return_exceptions=True))[0]

    assert isinstance(in_virtual_time(work), asyncio.CancelledError)
    assert flux.is_closed
    assert flux.in_flight == 0
