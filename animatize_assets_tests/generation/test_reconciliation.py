"""What a killed process left open is fetched, closed, or listed as possible spend."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from animatize_assets.errors import FAILURE_KINDS, ProviderError, StorageFailed
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.models import MadePicture, Resume
from animatize_assets.generation.reconciliation import (
    FINAL_KINDS,
    FORGETTING_MARGIN,
    Claim,
    Reconciled,
    claims_of,
    reconcile,
)
from animatize_assets.generation.single_flight import SingleFlight
from animatize_assets_tests.generation.ledgers import Clock, ledger_of, planned

KEPT_FOR = timedelta(minutes=10)


class Remote:
    """A provider that remembers what it made."""

    def __init__(self, **answers: MadePicture | ProviderError | None) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def fetch(self, resume: Resume) -> MadePicture | None:
        await asyncio.sleep(0)
        self.asked.append(resume["id"])
        answer = self._answers.get(resume["id"])
        if isinstance(answer, ProviderError):
            raise answer
        return answer


class Shelf:
    """Where fetched pictures are kept."""

    def __init__(self, *, full: bool = False) -> None:
        self.kept: dict[str, bytes] = {}
        self._full = full

    def keep(self, fingerprint: str, made: MadePicture) -> None:
        if self._full:
            raise StorageFailed("The disk is full.")
        self.kept[fingerprint] = made.content


@contextmanager
def always(fingerprint: str) -> Iterator[bool]:
    yield True


def a_picture(cost_usd: float | None = 0.03) -> MadePicture:
    return MadePicture(
        content=b"picture", media_type="image/png", width=64, height=64,
        provider="flux", model="flux-2-pro", seed=3, cost_usd=cost_usd,
    )  # fmt: skip


def submitted(ledger: SqlLedger, task: str, *, fingerprint: str = "f" * 64) -> str:
    call_id = ledger.open_call(planned(fingerprint=fingerprint))
    ledger.note_remote(call_id, task, {"id": task})
    return call_id


def run(
    ledger: SqlLedger,
    remote: Remote,
    keep: Callable[[str, MadePicture], None] | None = None,
    claim: Claim = always,
) -> Sequence[Reconciled]:
    return asyncio.run(reconcile(ledger, {"flux": remote}, keep or Shelf().keep, claim))


def test_what_was_paid_for_is_fetched_kept_and_settled() -> None:
    with ledger_of() as ledger:
        submitted(ledger, "task-1")
        shelf = Shelf()
        (found,) = run(ledger, Remote(**{"task-1": a_picture()}), shelf.keep)
        assert (found.found, found.cost_usd, found.is_open) == ("fetched", 0.03, False)
        assert shelf.kept == {"f" * 64: b"picture"}
        assert ledger.open_rows() == ()
        assert ledger.spent_usd() == 0.03


def test_what_the_provider_never_knew_cost_nothing() -> None:
    with ledger_of() as ledger:
        submitted(ledger, "task-1")
        (found,) = run(ledger, Remote())
        assert (found.found, found.cost_usd) == ("never_known", 0.0)
        assert ledger.open_rows() == ()
        assert ledger.spent_usd() == 0.0


def test_what_was_never_named_stays_possible_spend() -> None:
    with ledger_of() as ledger:
        ledger.open_call(planned())
        remote = Remote()
        (found,) = run(ledger, remote)
        assert (found.found, found.is_open, remote.asked) == ("unknown", True, [])
        assert ledger.spent_usd() == 0.045


@pytest.mark.parametrize("kind", sorted(FAILURE_KINDS))
def test_only_an_answer_about_the_work_closes_a_row(kind: str) -> None:
    with ledger_of() as ledger:
        submitted(ledger, "task-1")
        failure = ProviderError("It did not.", kind=kind, billed_usd=0.01)
        (found,) = run(ledger, Remote(**{"task-1": failure}))
        assert found.is_open == (kind not in FINAL_KINDS) == bool(ledger.open_rows())
        assert ledger.spent_usd() == (0.01 if kind in FINAL_KINDS else 0.045)
        assert found.why == "It did not."


def test_a_refusal_with_an_unknown_bill_stays_open() -> None:
    with ledger_of() as ledger:
        submitted(ledger, "task-1")
        failure = ProviderError("Refused.", kind="refused_content", billed_usd=None)
        (found,) = run(ledger, Remote(**{"task-1": failure}))
        assert found.found == "unknown"
        assert len(ledger.open_rows()) == 1


def test_a_picture_that_cannot_be_kept_can_be_fetched_again() -> None:
    with ledger_of() as ledger:
        submitted(ledger, "task-1")
        remote = Remote(**{"task-1": a_picture()})
        (found,) = run(ledger, remote, Shelf(full=True).keep)
        assert (found.found, found.why) == ("unknown", "The disk is full.")
        (found,) = run(ledger, remote)
        assert found.found == "fetched"


def test_a_provider_without_a_key_leaves_its_rows_open() -> None:
    with ledger_of() as ledger:
        call_id = ledger.open_call(planned(provider="imagen"))
        ledger.note_remote(call_id, "task-1", {"id": "task-1"})
        (found,) = run(ledger, Remote())
        assert found.found == "unknown"
        assert "imagen" in found.why


def test_expansions_are_none_of_its_business() -> None:
    with ledger_of() as ledger:
        ledger.open_call(planned(purpose="batch"))
        assert run(ledger, Remote()) == []


def test_what_a_process_works_on_is_left_to_it(tmp_path: Path) -> None:
    flights = SingleFlight(tmp_path)
    with ledger_of(tmp_path) as ledger:
        submitted(ledger, "busy", fingerprint="a" * 64)
        submitted(ledger, "dead", fingerprint="b" * 64)
        remote = Remote(busy=a_picture(), dead=a_picture())
        # A lock belongs to its thread, so another thread stands for another process here.
        with SingleFlight(tmp_path).hold("a" * 64, 0), ThreadPoolExecutor(1) as other:
            asked = other.submit(run, ledger, remote, claim=claims_of(flights))
            found = asked.result(timeout=30)
        assert [each.found for each in found] == ["in_work", "fetched"]
        assert remote.asked == ["dead"]
        (found_later,) = run(ledger, remote, claim=claims_of(flights))
        assert found_later.found == "fetched"


def test_a_row_that_was_closed_before_it_was_claimed_is_not_touched() -> None:
    with ledger_of() as ledger:
        call_id = submitted(ledger, "task-1")

        @contextmanager
        def claim(fingerprint: str) -> Iterator[bool]:
            ledger.settle(call_id, cost_usd=0.02, usage=None)
            yield True

        remote = Remote()
        (found,) = run(ledger, remote, claim=claim)
        assert (found.found, found.is_open, remote.asked) == ("closed", False, [])
        assert ledger.spent_usd() == 0.02


def forgetting(
    ledger: SqlLedger, clock: Clock, remote: Remote | None = None, claim: Claim = always
) -> Sequence[Reconciled]:
    """Reconcile with a provider that keeps results for :data:`KEPT_FOR`."""
    asked = {"flux": remote or Remote()}
    return asyncio.run(
        reconcile(ledger, asked, Shelf().keep, claim, kept_for={"flux": KEPT_FOR}, now=clock)
    )


@settings(max_examples=25, deadline=None)  # a database for each example
@given(st.floats(0, 7200))
@example(1799.999)
@example(1800)
def test_what_was_never_named_is_written_off_when_it_is_forgotten(age_s: float) -> None:
    clock = Clock()
    with ledger_of(clock=clock) as ledger:
        ledger.open_call(planned())
        clock.advance(seconds=age_s)
        (found,) = forgetting(ledger, clock)
        is_over = timedelta(seconds=age_s) >= KEPT_FOR + FORGETTING_MARGIN
        assert found.found == ("written_off" if is_over else "unknown")
        assert found.is_open == bool(ledger.open_rows()) == (not is_over)
        assert ledger.spent_usd() == 0.045, "it counts at its most, before and after"


def test_a_person_is_told_what_was_written_off_and_when_it_will_be() -> None:
    clock = Clock()
    with ledger_of(clock=clock) as ledger:
        ledger.open_call(planned())
        ledger.open_call(planned(fingerprint="e" * 64, expected_usd=None))
        lost = ledger.open_call(planned(fingerprint="d" * 64))
        ledger.fail(lost, kind="ambiguous", billed_usd=None)
        when = "it is written off from 12:30 UTC on."
        assert [each.why for each in forgetting(ledger, clock)] == [
            f"The process ended before the provider named its work; {when}",
            f"The process ended before the provider named its work; {when}",
            f"The answer in which the provider names its work was lost; {when}",
        ]
        clock.advance(minutes=30)
        priced, unpriced, _ = forgetting(ledger, clock)
        assert "10 minutes" in priced.why
        assert "0.0450 $" in priced.why
        assert "price that is not known" in unpriced.why
        assert forgetting(ledger, clock) == []


def test_what_can_be_asked_after_is_never_written_off() -> None:
    clock = Clock()
    with ledger_of(clock=clock) as ledger:
        submitted(ledger, "task-1")
        clock.advance(days=9)
        silent = Remote(**{"task-1": ProviderError("No answer.", kind="ambiguous")})
        (found,) = forgetting(ledger, clock, silent)
        assert (found.found, found.why) == ("unknown", "No answer.")
        (found,) = forgetting(ledger, clock, Remote(**{"task-1": a_picture()}))
        assert found.found == "fetched"


def test_a_provider_that_does_not_say_how_long_it_keeps_results_forgets_nothing() -> None:
    clock = Clock()
    with ledger_of(clock=clock) as ledger:
        ledger.open_call(planned(provider="openai"))
        clock.advance(days=9)
        (found,) = forgetting(ledger, clock)
        assert (found.found, len(ledger.open_rows())) == ("unknown", 1)


def test_what_a_process_works_on_is_not_written_off() -> None:
    clock = Clock()

    @contextmanager
    def never(fingerprint: str) -> Iterator[bool]:
        yield False

    with ledger_of(clock=clock) as ledger:
        ledger.open_call(planned())
        clock.advance(hours=2)
        (found,) = forgetting(ledger, clock, claim=never)
        assert (found.found, len(ledger.open_rows())) == ("in_work", 1)


def test_a_second_time_finds_nothing_new() -> None:
    with ledger_of() as ledger:
        for number in range(3):
            submitted(ledger, f"task-{number}", fingerprint=str(number) * 64)
        ledger.open_call(planned())
        remote = Remote(**{"task-0": a_picture(), "task-1": a_picture(cost_usd=None)})
        first = [each.found for each in run(ledger, remote)]
        assert first == ["fetched", "fetched", "never_known", "unknown"]
        spent = ledger.spent_usd()
        assert [each.found for each in run(ledger, remote)] == ["unknown"]
        assert ledger.spent_usd() == spent == 0.03 + 0.045 + 0.045
