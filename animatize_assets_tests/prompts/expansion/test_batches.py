from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from animatize_assets.prompts.expansion.batch_outcomes import MAX_SUBMISSIONS
from animatize_assets.prompts.expansion.batch_rows import Line, NewLine
from animatize_assets.prompts.expansion.batches import BatchDesk
from animatize_assets.prompts.expansion.expander import Question
from animatize_assets.prompts.expansion.parameters import SqlRefusedParameters
from animatize_assets.prompts.expansion.text_models import TextModel
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.openai_batches import BatchPlan
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.prompts.expansion.cases import (
    DRAFT,
    PRIMARY,
    Books,
    Clock,
    database,
    desk_at,
    expander_at,
    follows_rules,
    questions,
)
from animatize_assets_tests.telemetry.reading import sums

BATCH_COST = frozenset({("provider", "openai"), ("purpose", "batch")})


class Place:
    """A desk with everything around it."""

    def __init__(self, server: LoopbackServer, engine: Engine, desk: BatchDesk) -> None:
        self.server = server
        self.engine = engine
        self.desk = desk
        self.books = Books()
        self.clock = Clock()

    def bill_usd(self) -> float:
        return self.server.world.bill.total_usd("openai")

    def finish(self, rounds: int = 30) -> None:
        """Step until nothing waits and nothing is under way."""
        for _ in range(rounds):
            self.desk.submit_waiting()
            self.desk.poll()
            self.clock.advance(minutes=15)
            if not {"waiting", "submitted"} & set(self.desk.counts()):
                return
        raise AssertionError(f"Not finished: {self.desk.counts()}")


@contextmanager
def a_place(folder: Path, plan: BatchPlan | None = None, **options: Any) -> Iterator[Place]:
    with ExitStack() as stack:
        server = stack.enter_context(loopback_server(hang_s=1.0))
        server.openai.reply = follows_rules
        if plan is not None:
            server.batches.plan = plan
        engine = stack.enter_context(database(folder))
        books, clock = Books(), Clock()
        desk = stack.enter_context(desk_at(server, engine, books, clock, **options))
        place = Place(server, engine, desk)
        place.books, place.clock = books, clock
        yield place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as made:
        yield made


def lines_of(asked: list[Question]) -> list[NewLine]:
    return [
        NewLine(question.fingerprint, f"image-{number}", question.body)
        for number, question in enumerate(asked)
    ]


def line_at(desk: BatchDesk, question: Question) -> Line:
    line = desk.results(question.fingerprint)
    assert line is not None
    return line


def test_many_questions_become_one_batch_at_half_the_price(place: Place) -> None:
    asked = questions(12)
    assert place.desk.enqueue(lines_of(asked)) == 12

    (batch,) = place.desk.submit_waiting()
    assert (batch.state, batch.model) == ("submitted", DRAFT.name)
    before = sums("animatize.cost").get(BATCH_COST, 0.0)
    first = place.desk.poll()
    assert (first.finished, first.open_batches) == ((), (batch.batch_key,))
    found = place.desk.poll()

    assert len(found.finished) == 12
    assert found.open_batches == ()
    assert {line.custom_id for line in found.finished} == {each.fingerprint for each in asked}
    for number, question in enumerate(asked):
        line = line_at(place.desk, question)
        assert (line.state, line.image_key) == ("done", f"image-{number}")
        assert line.answer is not None
        assert line.answer.batch
        assert "quiet lake" in (line.answer.content or "")
    (row,) = place.books.rows.values()
    assert row.state == "settled"
    assert row.cost_usd == pytest.approx(place.bill_usd(), abs=1e-9)
    assert sums("animatize.cost")[BATCH_COST] - before == pytest.approx(row.cost_usd)
    assert row.expense.expected_usd is not None
    assert row.cost_usd is not None
    assert row.cost_usd <= row.expense.expected_usd
    assert row.remote_id == batch.remote_id
    assert len(place.server.calls("openai.batches")) == 1


def test_the_same_question_is_never_asked_twice(place: Place) -> None:
    asked = lines_of(questions(3))
    assert place.desk.enqueue([*asked, asked[0]]) == 3
    assert place.desk.enqueue(asked) == 0
    place.finish()
    assert place.desk.enqueue(asked) == 0
    assert place.desk.submit_waiting() == []
    assert len(place.server.bill) == 3


def test_one_model_and_a_bounded_number_of_lines_for_each_file(tmp_path: Path) -> None:
    with a_place(tmp_path, max_lines=4) as place:
        place.desk.enqueue(lines_of([*questions(6), *questions(3, model=PRIMARY)]))
        batches = place.desk.submit_waiting()
        assert [batch.model for batch in batches] == [DRAFT.name, DRAFT.name, PRIMARY.name]
        place.finish()
        assert place.desk.counts() == {"done": 9}


def test_a_file_is_bounded_in_bytes(tmp_path: Path) -> None:
    with a_place(tmp_path, max_bytes=5_000) as place:
        place.desk.enqueue(lines_of(questions(5)))
        place.finish()
        files = place.server.batches.files.values()
        sent = [len(file.content) for file in files if file.purpose == "batch"]
        assert len(sent) > 1
        assert max(sent) <= 5_000


def test_half_executed_batches_are_resubmitted_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    with a_place(tmp_path, BatchPlan(outcome="completed")) as place:
        place.server.plan_batch(
            BatchPlan(outcome="expired", unexecuted=0.5, duplicated=0.3, unknown=2, garbage=2)
        )
        asked = questions(20)
        place.desk.enqueue(lines_of(asked))
        place.desk.submit_waiting()
        place.desk.poll()
        found = place.desk.poll()
        assert 0 < len(found.finished) < 20
        assert any("nobody sent" in note for note in found.notes)
        assert any("not to be read" in note for note in found.notes)
        place.finish()
        assert place.desk.counts() == {"done": 20}
        assert len(place.server.bill) == 20
        assert place.books.settled_usd() == pytest.approx(place.bill_usd(), abs=1e-9)
        assert set(place.books.states()) == {"settled"}


def test_a_batch_that_is_turned_down_is_sent_again_without_the_bad_line(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        place.server.plan_batch(BatchPlan(outcome="failed"))
        asked = questions(4)
        place.desk.enqueue(lines_of(asked))
        place.finish()
        # The server's complaint is about the first line of the file.
        assert [line_at(place.desk, each).state for each in asked] == ["failed"] + ["done"] * 3
        assert line_at(place.desk, asked[0]).failure == "invalid_request"
        assert place.books.states() == ["failed", "settled"]
        assert place.desk.retry_failed([asked[0].fingerprint]) == 1
        place.finish()
        assert place.desk.counts() == {"done": 4}


def test_a_line_that_no_batch_answers_is_given_up(tmp_path: Path) -> None:
    with a_place(tmp_path, BatchPlan(outcome="expired", unexecuted=1.0)) as place:
        asked = questions(3)
        place.desk.enqueue(lines_of(asked))
        place.finish()
        assert place.desk.counts() == {"failed": 3}
        assert {line_at(place.desk, each).failure for each in asked} == {"batch_expired"}
        assert len(place.server.calls("openai.batches")) == MAX_SUBMISSIONS
        assert place.server.bill == []
        assert place.books.settled_usd() == 0


def test_answers_that_are_missing_make_the_cost_unknown(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        place.server.plan_batch(BatchPlan(missing=1.0))
        place.desk.enqueue(lines_of(questions(3)))
        place.finish()
        assert place.desk.counts() == {"done": 3}
        costs = [row.cost_usd for row in place.books.rows.values()]
        assert costs[0] is None
        assert costs[1] == pytest.approx(place.bill_usd() / 2, rel=0.01)


def test_lines_that_fail_on_the_server_go_into_another_batch(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        place.server.plan_batch(BatchPlan(failed=0.6), BatchPlan(failed=0.6))
        place.desk.enqueue(lines_of(questions(10)))
        place.finish()
        assert place.desk.counts() == {"done": 10}
        assert len(place.server.bill) == 10


def test_all_lines_failing_leaves_no_output_file(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        place.server.plan_batch(BatchPlan(failed=1.0))
        place.desk.enqueue(lines_of(questions(3)))
        place.finish()
        assert place.desk.counts() == {"done": 3}


def test_a_parameter_that_the_model_refuses_is_left_out_of_the_next_batch(place: Place) -> None:
    # It reasons then, and takes no temperature.
    model = TextModel(DRAFT.name, 0.1, 0.01, 0.125, 0.5, reasoning_effort=None)
    asked = questions(3, model=model)
    place.desk.enqueue(lines_of(asked))
    place.finish()
    assert place.desk.counts() == {"done": 3}
    assert SqlRefusedParameters(place.engine).of(DRAFT.name) == {"temperature"}
    answer = line_at(place.desk, asked[0]).answer
    assert answer is not None
    assert answer.dropped_parameters == ("temperature",)
    assert answer.temperature is None
    assert len(place.server.bill) == 3


def test_cancelling_keeps_what_was_answered_and_asks_for_no_more(tmp_path: Path) -> None:
    with a_place(tmp_path, BatchPlan(polls=5, unexecuted=0.5)) as place:
        place.desk.enqueue(lines_of(questions(10)))
        (batch,) = place.desk.submit_waiting()
        place.desk.cancel(batch.batch_key)
        place.finish()
        counts = place.desk.counts()
        assert counts["done"] + counts["failed"] == 10
        assert counts["done"] == len(place.server.bill)
        assert place.desk.submit_waiting() == []
        assert place.books.settled_usd() == pytest.approx(place.bill_usd(), abs=1e-9)
        assert place.desk.cancel(batch.batch_key).state == "cancelled"


def test_a_batch_that_was_not_sent_is_cancelled_here(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        place.server.script("openai.files", "server_error")
        place.desk.enqueue(lines_of(questions(2)))
        (batch,) = place.desk.submit_waiting()
        assert batch.state == "writing"
        assert "HTTP 5" in (batch.error or "")
        assert place.desk.cancel(batch.batch_key).state == "cancelled"
        assert place.desk.counts() == {"failed": 2}
        assert place.server.calls("openai.batches") == []


FAULTS = {
    "openai.files": ("server_error", "drop_after", "html", "empty_json"),
    "openai.batches": (
        "server_error", "rate_limited", "quota", "drop_before", "drop_after", "html", "empty_json",
        "null", "not_json",
    ),
    "openai.batches.get": ("server_error", "drop_after", "html", "empty_json", "null", "not_json"),
    "openai.files.get": ("rate_limited", "html", "empty_json"),
    "openai.files.content": ("server_error", "drop_before", "html", "empty_json", "not_json"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("route", "fault"), [(route, fault) for route, faults in FAULTS.items() for fault in faults]
)
def test_any_exchange_may_fail(place: Place, route: str, fault: str) -> None:
    place.desk.enqueue(lines_of(questions(3)))
    place.server.script(route, fault)
    place.finish()
    assert place.desk.counts() == {"done": 3}
    assert len(place.server.bill) == 3
    assert len(place.server.batches.batches) == 1
    assert place.books.states() == ["settled"]
    # A batch whose answer was lost is found in the list, everything else is done again.
    found = (route, fault) == ("openai.batches", "drop_after")
    assert len(place.server.calls("openai.batches.list" if found else route)) >= (1 if found else 2)


@pytest.mark.parametrize("fault", ["html", "empty_json", "null", "not_json", "server_error"])
def test_a_list_that_cannot_be_read_does_not_mean_that_there_is_no_batch(
    place: Place, fault: str
) -> None:
    place.desk.enqueue(lines_of(questions(3)))
    place.server.script("openai.batches", "drop_after")  # made, and its answer lost
    place.server.script("openai.batches.list", fault, fault)
    place.finish()
    assert len(place.server.calls("openai.batches.list")) >= 3
    assert len(place.server.batches.batches) == 1
    assert len(place.server.bill) == 3


def test_a_lost_batch_is_found_on_a_later_page(place: Place) -> None:
    place.desk.enqueue(lines_of(questions(3)))
    place.server.script("openai.batches", "drop_after")
    place.desk.submit_waiting()
    (made,) = place.server.batches.batches.values()
    for number in range(230):  # of others, and newer
        name = f"batch_other_{number}"
        place.server.batches.batches[name] = {**made, "id": name, "metadata": None}
    place.clock.advance(minutes=11)
    (batch,) = place.desk.submit_waiting()
    assert batch.remote_id == made["id"]
    assert len(place.server.calls("openai.batches.list")) == 3


def test_a_model_that_takes_no_batches_fails_its_lines(place: Place) -> None:
    body = '{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"x"}}'
    place.server.script("openai.batches", Fault("status", status=400, body=body))
    place.desk.enqueue(lines_of(questions(2)))
    (batch,) = place.desk.submit_waiting()
    assert batch.state == "failed"
    assert place.desk.counts() == {"failed": 2}
    assert place.books.states() == ["failed"]


def test_a_file_that_is_gone_is_uploaded_again(place: Place) -> None:
    place.server.script("openai.batches", Fault("status", status=404, body="{}"))
    place.desk.enqueue(lines_of(questions(2)))
    place.finish()
    assert place.desk.counts() == {"done": 2}
    assert len(place.server.calls("openai.files")) == 2


def test_without_budget_a_batch_waits_and_says_so(place: Place) -> None:
    place.books.allowed = 0
    place.desk.enqueue(lines_of(questions(2)))
    (batch,) = place.desk.submit_waiting()
    assert batch.state == "uploaded"
    assert "spend no more" in (batch.error or "")
    assert place.server.calls("openai.batches") == []
    place.books.allowed = 5
    place.finish()
    assert place.desk.counts() == {"done": 2}


def test_desks_of_several_processes_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    with a_place(tmp_path) as place, ExitStack() as stack:
        desks = [place.desk] + [
            stack.enter_context(desk_at(place.server, place.engine, place.books, place.clock))
            for _ in range(3)
        ]
        place.desk.enqueue(lines_of(questions(8)))
        for step in ("submit_waiting", "poll", "poll", "poll"):
            threads = [threading.Thread(target=getattr(desk, step)) for desk in desks]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        place.finish()
        assert place.desk.counts() == {"done": 8}
        assert len(place.server.bill) == 8
        assert len(place.server.batches.batches) == 1
        assert place.books.states() == ["settled"]


def test_the_same_poll_twice_changes_nothing(place: Place) -> None:
    place.desk.enqueue(lines_of(questions(2)))
    (batch,) = place.desk.submit_waiting()
    remote_id = batch.remote_id or ""
    place.desk.poll_one(remote_id)
    assert len(place.desk.poll_one(remote_id).finished) == 2
    before = len(place.server.calls())
    assert place.desk.poll_one(remote_id).finished == ()
    assert place.desk.poll().finished == ()
    assert len(place.server.calls()) == before
    assert "none of ours" in place.desk.poll_one("batch_unknown").notes[0]


def test_an_answer_of_a_batch_becomes_a_prompt_as_one_of_a_call_does(place: Place) -> None:
    good, bad = questions(2)
    place.desk.enqueue(lines_of([good, bad]))
    answers = {good.fingerprint: follows_rules(good.body), bad.fingerprint: "no JSON"}
    by_seed = {good.body["seed"]: good.fingerprint, bad.body["seed"]: bad.fingerprint}
    place.server.openai.reply = lambda body: answers[by_seed[body["seed"]]]
    place.finish()
    place.server.openai.reply = follows_rules

    async def accepted(question: Question) -> MotionPrompt:
        key = place.server.keys["openai"]
        expander = expander_at(place.server.openai_url, key, place.books)
        try:
            answer = line_at(place.desk, question).answer
            assert answer is not None
            return await expander.accept(question, answer)
        finally:
            await expander.close()

    first, second = (asyncio.run(accepted(each)) for each in (good, bad))
    assert first.expansion is not None
    assert second.expansion is not None
    assert (first.compiler, first.expansion.batch, first.expansion.calls) == ("llm", True, 1)
    assert (second.compiler, second.expansion.repaired) == ("llm", True)
    costs = [first.expansion.cost_usd, second.expansion.cost_usd]
    assert sum(cost or 0 for cost in costs) == pytest.approx(place.bill_usd(), rel=1e-4)
