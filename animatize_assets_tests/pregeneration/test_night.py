"""A night at the loopback server: what is likely is made, half as dear, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from animatize_assets.errors import ProviderError
from animatize_assets.generation.budget import Budget
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.pregeneration.planning import Limits
from animatize_assets.pregeneration.usage import PregenerationUse, use_of_pregenerated
from animatize_assets_tests.generation.ledgers import Clock
from animatize_assets_tests.loopback.openai_batches import BatchPlan
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.pregeneration.studio import KEPT_FOR, Workshop, open_studio

DRAFT = Pattern("generic", "cinematic", "openai", None)
FINAL = Pattern("generic", "cinematic", "openai", (1024, 640))
OWN_DRAFT = Pattern("generic", "cinematic", "comfyui", (512, 512))
OWN_FINAL = Pattern("generic", "cinematic", "comfyui", (256, 256))
START = datetime(2026, 6, 1, 10, tzinfo=UTC)
BROAD = Limits(budget_usd=100.0, window_s=4 * 3600, most=1000, waste=0.5)
"""A few days of requests are no proof yet: so much may be wasted."""


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def studio(tmp_path: Path, server: LoopbackServer, clock: Clock) -> Iterator[Workshop]:
    with open_studio(tmp_path, server, clock=clock) as opened:
        yield opened


def habit(
    studio: Workshop, first: Pattern = DRAFT, second: Pattern = FINAL, *, images: int = 4
) -> list[str]:
    """Some images whose second picture came a day after the first; others that wait for it."""
    for number in range(images):
        studio.store(f"old-{number}")
        studio.ask(f"old-{number}", first)
    studio.clock.advance(days=1)
    for number in range(images):
        studio.ask(f"old-{number}", second)
    new = [f"new-{number}" for number in range(3)]
    for key in new:
        studio.store(key)
        studio.ask(key, first)
    studio.clock.advance(hours=16)  # 02:00 of the next day
    return new


def collected(studio: Workshop) -> int:
    """Let batches end; how many pictures came."""
    came = 0
    for _ in range(4):
        came += studio.night.collect()[0]
    return came


def use(studio: Workshop) -> PregenerationUse:
    studio.rows.note_uses()
    return use_of_pregenerated(
        studio.engine, studio.clock(), kept_for=KEPT_FOR, time_zone=ZoneInfo("UTC")
    )


def test_what_is_likely_is_there_in_the_morning_at_half_the_price(
    studio: Workshop, server: LoopbackServer
) -> None:
    new = habit(studio)
    by_day = len(server.bill)
    report = studio.work(BROAD)
    assert [each.image_key for each in report.plan.pictures] == new
    assert {each.pattern for each in report.plan.pictures} == {FINAL}
    assert (report.sent, report.made, report.remaining, report.stopped) == (3, 0, 0, None)
    assert collected(studio) == 3
    studio.clock.advance(hours=8)
    served = [studio.ask(key, FINAL) for key in new]
    assert all(each.reuse is not None and each.reuse.level == "exact" for each in served)
    charged = [charge.cost_nanousd for charge in server.bill[by_day:]]
    assert len(charged) == 3  # nothing was paid for by day
    told = use(studio)
    assert (told.total.made, told.total.used, told.total.wasted) == (3, 3, 0)
    assert told.total.hit_share == 1
    assert told.total.paid_usd == pytest.approx(sum(charged) / 1e9)
    assert told.total.by_day_usd == pytest.approx(2 * sum(charged) / 1e9)
    assert told.total.saved_usd == pytest.approx(sum(charged) / 1e9)
    assert (told.requests, told.served) == (3, 3)


def test_the_ledger_has_one_row_for_the_batch_and_knows_what_it_cost(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio)
    before = studio.ledger.spent_usd()
    studio.work(BROAD)
    [row] = studio.ledger.open_rows(purpose="batch")
    assert row.expected_usd is not None
    assert row.run_id == "night"
    collected(studio)
    assert not studio.ledger.open_rows()
    spent = studio.ledger.spent_usd() - before
    assert spent == pytest.approx(sum(c.cost_nanousd for c in server.bill[-3:]) / 1e9)
    assert spent <= row.expected_usd


def test_a_source_travels_in_the_batch_as_it_would_by_day(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio)
    studio.lines.with_source = True
    studio.work(BROAD)
    assert {batch["endpoint"] for batch in server.batches.batches.values()} == {"/v1/images/edits"}
    assert collected(studio) == 3


def test_a_dry_run_changes_nothing_and_asks_nobody(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio)
    calls = len(server.calls())
    plan = studio.night.plan(BROAD)
    assert len(plan.pictures) == 3
    assert len(server.calls()) == calls
    assert studio.rows.pictures("planned") == ()
    assert studio.night.plan(BROAD) == plan


def test_nothing_is_made_again_while_it_is_under_way_or_kept(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio)
    studio.work(BROAD)
    again = studio.work(BROAD)
    assert again.sent == 0
    assert again.plan.left_out == {"under_way": 3}
    collected(studio)
    kept = studio.work(BROAD)
    assert kept.sent == 0
    assert kept.plan.left_out == {"kept": 3}
    assert len(server.batches.batches) == 1


def test_a_half_done_plan_is_gone_on_with_the_next_night(
    studio: Workshop, server: LoopbackServer
) -> None:
    new = habit(studio)
    first = studio.work(BROAD, hours=0)
    assert (first.sent, first.remaining, first.stopped) == (0, 3, "The window has ended.")
    assert server.batches.batches == {}
    planned = studio.rows.pictures("planned")
    second = studio.work(BROAD)
    assert (second.sent, second.remaining, second.stopped) == (3, 0, None)
    assert [row.row_id for row in studio.rows.pictures("submitted")] == [
        row.row_id for row in planned
    ]
    assert collected(studio) == len(new)


def test_what_was_asked_for_by_day_meanwhile_is_not_made(
    studio: Workshop, server: LoopbackServer
) -> None:
    new = habit(studio)
    studio.work(BROAD, hours=0)
    studio.ask(new[0], FINAL)
    report = studio.work(BROAD)
    assert report.sent == 2
    assert [row.image_key for row in studio.rows.pictures("dropped")] == [new[0]]


def test_what_a_batch_brings_too_late_is_told_as_waste(studio: Workshop) -> None:
    new = habit(studio)
    studio.work(BROAD)
    made = studio.ask(new[0], FINAL).made
    collected(studio)
    told = use(studio)
    assert (told.total.used, told.total.waiting, told.total.wasted) == (0, 2, 1)
    assert studio.ask(new[0], FINAL).made.content == made.content


def test_what_nobody_asks_for_is_waste_once_it_is_dropped(studio: Workshop) -> None:
    new = habit(studio)
    studio.work(BROAD)
    collected(studio)
    studio.ask(new[0], FINAL)
    studio.clock.advance(days=8)
    told = use(studio)
    assert (told.total.used, told.total.waiting, told.total.wasted) == (1, 0, 2)
    assert told.total.hit_share == pytest.approx(1 / 3)
    assert told.total.saved_usd is not None
    assert told.total.saved_usd < 0


def test_free_hardware_comes_first_and_stops_with_the_window(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio, OWN_DRAFT, OWN_FINAL)
    two_minutes = Limits(budget_usd=0.0, window_s=61, most=1000, waste=0.5)
    report = studio.work(two_minutes)  # a minute each, two at once
    assert (report.made, report.sent) == (2, 0)
    assert report.plan.seconds == 60
    assert report.plan.left_out == {"no_time": 1}
    told = use(studio)
    assert (told.total.made, told.total.paid_usd) == (2, 0)
    assert not server.batches.batches


def test_hardware_that_does_not_answer_leaves_the_plan_for_another_night(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio, OWN_DRAFT, OWN_FINAL)
    server.script("comfyui.prompt", *["server_error"] * 40)
    report = studio.work(BROAD)
    assert (report.made, report.remaining) == (0, 3)
    assert report.stopped is not None
    assert "comfyui" in report.stopped


def test_the_budget_of_the_night_is_kept(studio: Workshop) -> None:
    habit(studio)
    one = studio.night.plan(BROAD).pictures[0].cost_usd
    report = studio.work(Limits(budget_usd=2.5 * one, window_s=1e4, most=1000, waste=0.5))
    assert report.sent == 2
    assert report.plan.left_out == {"over_budget": 1}


def test_the_budget_of_the_day_holds_at_night(
    tmp_path: Path, server: LoopbackServer, clock: Clock
) -> None:
    with open_studio(tmp_path, server, clock=clock) as studio:
        habit(studio)
    with open_studio(tmp_path, server, clock=clock, budget=Budget(per_day_usd=0.001)) as studio:
        report = studio.work(BROAD)
        assert (report.sent, report.remaining) == (0, 3)
        assert report.stopped is not None
        assert "budget of the day" in report.stopped
        assert not studio.ledger.open_rows()
    assert server.batches.batches == {}


def test_lines_that_fail_cost_nothing_and_are_not_tried_the_next_night(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio)
    server.batches.plan = BatchPlan(failed=1.0)
    studio.work(BROAD)
    assert collected(studio) == 0
    told = use(studio)
    assert (told.total.failed, told.total.paid_usd) == (3, 0)
    assert studio.work(BROAD).plan.left_out == {"failed_before": 3}


def test_what_a_batch_had_no_time_for_is_planned_again(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio)
    server.batches.plan = BatchPlan(outcome="expired", unexecuted=1.0)
    studio.work(BROAD)
    assert collected(studio) == 0
    assert not studio.ledger.open_rows()
    server.batches.plan = BatchPlan()
    assert studio.work(BROAD).sent == 3
    assert collected(studio) == 3


def test_an_odd_file_of_answers_loses_no_picture(studio: Workshop, server: LoopbackServer) -> None:
    habit(studio)
    server.batches.plan = BatchPlan(duplicated=1.0, unknown=2, garbage=2)
    studio.work(BROAD)
    assert collected(studio) == 3
    assert not studio.ledger.open_rows()


def test_a_picture_that_was_billed_and_never_came_has_no_known_cost(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio)
    server.batches.plan = BatchPlan(missing=1.0)
    studio.work(BROAD)
    assert collected(studio) == 0
    assert use(studio).total.paid_usd is None


def test_a_batch_that_is_turned_down_costs_nothing(
    studio: Workshop, server: LoopbackServer
) -> None:
    habit(studio)
    server.batches.plan = BatchPlan(outcome="failed")
    before = studio.ledger.spent_usd()
    studio.work(BROAD)
    collected(studio)
    assert studio.ledger.spent_usd() == before
    assert not studio.ledger.open_rows()


@pytest.mark.parametrize("fault", ["drop_after", "truncated", "drop_before", "server_error"])
def test_a_lost_answer_is_no_reason_to_send_a_batch_twice(
    studio: Workshop, server: LoopbackServer, fault: str
) -> None:
    habit(studio)
    server.script("openai.batches", fault)
    report = studio.work(BROAD)
    assert report.stopped is not None
    assert studio.work(BROAD).sent == 0  # nobody knows yet
    studio.clock.advance(minutes=11)
    studio.work(BROAD)
    collected(studio)
    assert len(server.batches.batches) == 1
    assert len(studio.rows.pictures("ready")) == 3
    assert not studio.ledger.open_rows()


def test_a_process_that_dies_before_it_sends_frees_its_pictures(
    studio: Workshop, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    habit(studio)

    def die(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(studio.rows, "note_batch", die)  # the ledger's row is open, not yet noted
        with pytest.raises(KeyboardInterrupt):
            studio.work(BROAD)
    assert len(studio.ledger.open_rows(purpose="batch")) == 1
    studio.clock.advance(minutes=11)
    assert studio.work(BROAD).sent == 3
    assert len(server.batches.batches) == 1
    collected(studio)
    assert not studio.ledger.open_rows()


def test_one_night_is_at_work_at_a_time(studio: Workshop) -> None:
    with studio.night.claimed(), pytest.raises((TimeoutError, RuntimeError)):
        studio.work(BROAD)


def test_an_outage_while_collecting_loses_nothing(studio: Workshop, server: LoopbackServer) -> None:
    habit(studio)
    studio.work(BROAD)
    server.script("openai.batches.get", "server_error")
    with pytest.raises(ProviderError):
        studio.night.collect()
    assert collected(studio) == 3


def test_probabilities_that_did_not_hold_are_believed_less(studio: Workshop) -> None:
    habit(studio)
    studio.work(BROAD)
    collected(studio)
    assert studio.rows.doubt(studio.clock() - timedelta(days=7)) == 1
    studio.clock.advance(days=8)
    expected = sum(1 - row.probability for row in studio.rows.pictures("ready"))
    doubt = studio.rows.doubt(studio.clock() - timedelta(days=7))
    assert doubt == pytest.approx((3 + 2) / (expected + 2))
    assert doubt > 1
