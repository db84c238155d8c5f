from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from animatize_assets.errors import ProviderError
from animatize_assets.prompts.compiler import compile_prompt
from animatize_assets.prompts.dialects import TARGETS, load_dialects
from animatize_assets.prompts.expansion.answers import TextAnswer
from animatize_assets.prompts.expansion.expander import Ask
from animatize_assets.prompts.expansion.parameters import SqlRefusedParameters
from animatize_assets.prompts.expansion.schema import as_bytes
from animatize_assets.prompts.expansion.text_models import TextModel
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.prompts import scenes
from animatize_assets_tests.prompts.expansion.cases import (
    DRAFT,
    PRIMARY,
    Books,
    compiled,
    database,
    expanded,
    expander_at,
    follows_rules,
    good_text,
    questions,
)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server(hang_s=2.0) as running:
        running.openai.reply = follows_rules
        yield running


def choice(message: dict[str, Any], finish_reason: str = "stop") -> dict[str, Any]:
    whole = {"role": "assistant", "content": None, "refusal": None, **message}
    return {"index": 0, "message": whole, "finish_reason": finish_reason, "logprobs": None}


def record_of(prompt: MotionPrompt) -> Any:
    assert prompt.expansion is not None
    return prompt.expansion


@pytest.mark.parametrize("target", TARGETS)
def test_a_good_answer_becomes_the_prompt_of_every_target(
    server: LoopbackServer, target: str
) -> None:
    books = Books()
    template = compiled(target)

    prompt = expanded(server, template, books)

    dialect = load_dialects().of(target)
    assert prompt.compiler == "llm"
    assert prompt.camera_phrase in prompt.positive
    assert "quiet lake" in prompt.positive
    assert prompt.length == dialect.limit.length_of(prompt.positive) <= prompt.length_limit
    assert (prompt.negative is None) == (dialect.negative.how == "none")
    if dialect.negative.how == "in_text":
        assert prompt.positive.endswith(f"Avoid {prompt.negative}.")
    if dialect.negative.how == "parameter":
        assert prompt.negative == "blur, text"
    record = record_of(prompt)
    assert (record.fallback, record.repaired, record.calls) == (None, False, 1)
    assert (record.temperature, record.seed, record.model) == (0, 7, PRIMARY.name)
    assert record.cost_usd == pytest.approx(server.world.bill.total_usd("openai"))
    assert books.settled_usd() == pytest.approx(server.world.bill.total_usd("openai"), abs=1e-9)
    assert record.input_tokens > 0
    assert record.output_tokens > 0
    assert prompt == MotionPrompt.model_validate_json(prompt.model_dump_json())


def test_a_draft_goes_to_the_cheaper_model(server: LoopbackServer) -> None:
    assert record_of(expanded(server, compiled(), draft=True)).model == DRAFT.name


def test_the_same_input_sends_the_same_bytes(server: LoopbackServer) -> None:
    expanded(server, compiled(), times=2)
    expanded(server, compiled())
    first, second, third = (call.body for call in server.calls("openai.chat"))
    assert first == second == third


def test_the_ledger_has_room_for_what_a_call_may_cost(server: LoopbackServer) -> None:
    books = Books()
    expanded(server, compiled(), books)
    (row,) = books.rows.values()
    assert row.expense.expected_usd is not None
    assert row.cost_usd is not None
    assert row.cost_usd <= row.expense.expected_usd < 0.02


def test_an_unknown_price_makes_the_cost_unknown(server: LoopbackServer) -> None:
    books = Books()
    model = TextModel(PRIMARY.name)
    assert record_of(expanded(server, compiled(), books, primary=model)).cost_usd is None
    assert [row.cost_usd for row in books.rows.values()] == [None]
    assert [row.expense.expected_usd for row in books.rows.values()] == [None]


def test_a_refused_parameter_is_dropped_once_and_remembered_by_every_process(
    server: LoopbackServer, tmp_path: Path
) -> None:
    # Without an effort this model reasons, and takes no temperature then.
    model = TextModel(PRIMARY.name, 2.0, 0.1, 2.5, 10.0, reasoning_effort=None)
    books = Books()
    with database(tmp_path) as engine:
        first = expanded(
            server, compiled(), books, times=2, primary=model, refused=SqlRefusedParameters(engine)
        )
        again = SqlRefusedParameters(engine)
        expanded(server, compiled(), books, primary=model, refused=again)
        assert again.of(model.name) == {"temperature"}
        again.remember(model.name, "temperature")
        assert again.of(model.name) == {"temperature"}

    bodies = [json.loads(call.body) for call in server.calls("openai.chat")]
    assert ["temperature" in body for body in bodies] == [True, False, False, False]
    assert all(body["seed"] == 7 for body in bodies)
    record = record_of(first)
    assert record.dropped_parameters == ("temperature",)
    assert record.temperature is None
    assert books.states() == ["failed", "settled", "settled", "settled"]


@pytest.mark.parametrize(("takes", "effort", "sent"), [
    (True, None, True), (False, None, False), (False, "none", True), (False, "low", False),
])  # fmt: skip
def test_a_temperature_is_sent_where_the_model_takes_it(
    takes: bool, effort: str | None, sent: bool
) -> None:
    model = TextModel("m", takes_temperature=takes, reasoning_effort=effort)
    (question,) = questions(1, model=model)
    assert ("temperature" in question.body) == sent


def test_every_parameter_may_be_refused_one_after_the_other(server: LoopbackServer) -> None:
    def refusing(name: str) -> Fault:
        error = {"message": "no", "type": "invalid_request_error", "param": name, "code": "x"}
        return Fault("status", status=400, body=json.dumps({"error": error}))

    server.script("openai.chat", *(refusing(name) for name in ("seed", "max_completion_tokens")))
    prompt = expanded(server, compiled())
    assert prompt.compiler == "llm"
    assert record_of(prompt).dropped_parameters == ("max_completion_tokens", "seed")


def test_what_cannot_be_left_out_is_a_failure(server: LoopbackServer) -> None:
    error = {"message": "no", "type": "invalid_request_error", "param": "model", "code": "x"}
    server.script("openai.chat", Fault("status", status=400, body=json.dumps({"error": error})))
    assert record_of(expanded(server, compiled())).fallback == "invalid_request"
    assert len(server.calls("openai.chat")) == 1


BAD = {
    "no JSON": "The camera pushes in.",
    "another form": json.dumps({"text": "x"}),
    "no move": json.dumps({"prompt": "A quiet lake at dusk."}),
    "the move twice": json.dumps({"prompt": "The camera pushes in. The camera pushes in."}),
    "another move": json.dumps({"prompt": "The camera pushes in, then pans left over a lake."}),
    "a zoom": json.dumps({"prompt": "The camera pushes in over a lake. A slow zoom follows."}),
    "too long": json.dumps({"prompt": "The camera pushes in over a lake. " + "Water. " * 300}),
    "not ASCII": json.dumps({"prompt": "The camera pushes in over a caf\u00e9."}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_answer_is_repaired_once(server: LoopbackServer, bad: str) -> None:
    books = Books()
    server.openai.replies.append(bad)

    prompt = expanded(server, compiled(), books)

    record = record_of(prompt)
    assert (prompt.compiler, record.repaired, record.calls) == ("llm", True, 2)
    assert record.problems
    said = json.loads(server.calls("openai.chat")[1].body)["messages"]
    assert said[2] == {"role": "assistant", "content": bad}
    assert record.problems[0] in said[3]["content"]
    assert record.cost_usd == pytest.approx(server.world.bill.total_usd("openai"))
    assert books.states() == ["settled", "settled"]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_two_bad_answers_leave_the_template(server: LoopbackServer, bad: str) -> None:
    server.openai.replies.extend([bad, bad])
    template = compiled()

    prompt = expanded(server, template)

    assert prompt.model_copy(update={"expansion": None}) == template
    record = record_of(prompt)
    assert (record.fallback, record.calls, prompt.compiler) == ("unusable_answer", 2, "template")
    assert record.cost_usd == pytest.approx(server.world.bill.total_usd("openai"))


def test_an_answer_that_is_cut_off_is_repaired(server: LoopbackServer) -> None:
    server.openai.replies.append(choice({"content": good_text(compiled())[:20]}, "length"))
    record = record_of(expanded(server, compiled()))
    assert record.repaired
    assert "bound of tokens" in record.problems[0]


@pytest.mark.parametrize(
    "refusal", [choice({"refusal": "no"}), choice({"content": ""}, "content_filter")]
)
def test_refused_content_is_not_asked_again(server: LoopbackServer, refusal: Any) -> None:
    server.openai.replies.append(refusal)
    books = Books()
    record = record_of(expanded(server, compiled(), books))
    assert (record.fallback, record.calls) == ("refused_content", 1)
    assert books.states() == ["settled"]


FAULTS = {
    "rate_limited": ("rate_limited", "failed"),
    "quota": ("quota", "failed"),
    "server_error": ("transient", "failed"),
    "html_error": ("transient", "failed"),
    "html": ("bad_output", "open"),
    "empty_json": ("bad_output", "open"),
    "null": ("bad_output", "open"),
    "not_json": ("bad_output", "open"),
    "drop_before": ("ambiguous", "open"),
    "hang_before": ("ambiguous", "open"),
    "drop_after": ("ambiguous", "open"),
    "truncated": ("ambiguous", "open"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_leaves_the_template_and_the_right_row(
    server: LoopbackServer, fault: str
) -> None:
    kind, state = FAULTS[fault]
    server.script("openai.chat", fault)
    books = Books()
    template = compiled()

    prompt = expanded(server, template, books)

    assert prompt.model_copy(update={"expansion": None}) == template
    record = record_of(prompt)
    assert record.fallback == kind
    assert record.calls == (1 if state == "open" else 0)
    assert record.cost_usd == (None if state == "open" else 0.0)
    assert [row.failure for row in books.rows.values()] == [kind]
    assert books.states() == [state]
    assert len(server.calls("openai.chat")) == 1  # the SDK does not retry


def test_a_wrong_key_and_a_retired_model_and_a_closed_port_are_told_apart(
    server: LoopbackServer,
) -> None:
    wrong = expanded(server, compiled(), key="sk-wrong")
    retired = expanded(server, compiled(), primary=TextModel("gpt-3.5-turbo", 1, 1, 1, 1))
    url = server.openai_url
    server.down("openai", "refused")
    nobody = expanded(server, compiled(), url=url)
    kinds = [record_of(prompt).fallback for prompt in (wrong, retired, nobody)]
    assert kinds == ["not_configured", "invalid_request", "transient"]


def test_without_budget_nothing_is_sent(server: LoopbackServer) -> None:
    record = record_of(expanded(server, compiled(), Books(allowed=0)))
    assert (record.fallback, record.calls, record.cost_usd) == ("budget_exceeded", 0, 0.0)
    assert server.calls("openai.chat") == []


def test_retries_are_the_callers(server: LoopbackServer) -> None:
    seen: list[ProviderError] = []

    async def three_times(ask: Ask) -> TextAnswer:
        for _ in range(2):
            try:
                return await ask()
            except ProviderError as error:
                seen.append(error)
        return await ask()

    wait = {"retry-after-ms": "1500"}
    server.script("openai.chat", Fault("rate_limited", headers=wait), "server_error")
    books = Books()
    prompt = expanded(server, compiled(), books, retrying=three_times)
    assert prompt.compiler == "llm"
    assert [error.kind for error in seen] == ["rate_limited", "transient"]
    assert seen[0].retry_after_s == pytest.approx(1.5)
    assert books.states() == ["failed", "failed", "settled"]


def test_no_key_is_in_any_error_or_record(server: LoopbackServer, caplog: Any) -> None:
    key = "sk-secret-of-the-test"
    caplog.set_level("DEBUG")
    prompt = expanded(server, compiled(), key=key)
    assert record_of(prompt).fallback == "not_configured"
    assert key not in prompt.model_dump_json()
    assert key not in caplog.text


def test_a_cancelled_call_leaves_its_row_open(server: LoopbackServer) -> None:
    server.script("openai.chat", "hang_before")
    books = Books()

    def arrived() -> bool:
        return any(server.calls("openai.chat") or time.sleep(0.01) for _ in range(500))

    async def work() -> None:
        expander = expander_at(server.openai_url, server.keys["openai"], books)
        path = scenes.camera_path()
        task = asyncio.ensure_future(
            expander.expand(
                compiled(), scenes.analysis(), scenes.prediction(path), draft=False, seed=1
            )
        )
        assert await asyncio.to_thread(arrived)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await expander.close()

    asyncio.run(work())
    assert books.states() == ["open"]


def test_questions_differ_by_what_they_ask_and_by_nothing_else() -> None:
    first, second, third = questions(3)
    assert len({first.fingerprint, second.fingerprint, third.fingerprint}) == 3
    assert questions(1)[0].fingerprint == first.fingerprint
    assert as_bytes(questions(1)[0].body) == as_bytes(first.body)
    assert json.loads(as_bytes(first.body)) == first.body


def test_a_prompt_that_no_model_saw_reads_as_before() -> None:
    prompt = compile_prompt(scenes.analysis(), scenes.prediction())
    stored = json.loads(prompt.model_dump_json())
    del stored["expansion"]
    assert MotionPrompt.model_validate(stored) == prompt
