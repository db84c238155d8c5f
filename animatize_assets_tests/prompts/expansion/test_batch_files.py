from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.prompts.expansion.batch_files import (
    LineAnswer,
    line_bytes,
    read_answers,
)
from animatize_assets.prompts.expansion.batch_outcomes import MAX_SUBMISSIONS, outcome_of
from animatize_assets.prompts.expansion.text_models import (
    TextModel,
    TextUsage,
    cost_usd,
    most_usd,
    usage_of,
)

MODEL = TextModel("gpt-6-luna", 0.10, 0.01, 0.125, 0.50)
BODY = {"model": MODEL.name, "temperature": 0, "seed": 3}
USAGE = {"prompt_tokens": 100, "completion_tokens": 20}
NAMES = st.integers(0, 8).map(lambda number: f"line-{number}")
KINDS = st.sampled_from(["good", "server", "expired", "garbage", "list", "empty"])


def completion(text: str = "said\u2028twice") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {"id": "chatcmpl-1", "choices": choices, "usage": USAGE}


def line(name: str, kind: str) -> bytes:
    said: Any = {"id": "x", "custom_id": name, "response": None, "error": None}
    if kind == "good":
        said["response"] = {"status_code": 200, "request_id": "r", "body": completion()}
    elif kind == "server":
        said["response"] = {"status_code": 500, "request_id": "r", "body": {"error": {}}}
    elif kind == "expired":
        said["error"] = {"code": "batch_expired", "message": "It expired."}
    elif kind == "garbage":
        return b'{"custom_id": "' + name.encode()
    elif kind == "list":
        said = [name]
    elif kind == "empty":
        return b"  "
    # As servers may send it: separators of other alphabets stand unescaped in strings.
    return json.dumps(said, ensure_ascii=False).encode()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NAMES, KINDS), max_size=30), st.integers(), st.booleans())
def test_any_file_is_read(lines: list[tuple[str, str]], seed: int, split: bool) -> None:
    contents = [line(name, kind) for name, kind in lines]
    random.Random(seed).shuffle(contents)
    middle = len(contents) // 2 if split else 0
    files = [b"\n".join(contents[:middle]), b"\n".join(contents[middle:]) + b"\n"]

    found = read_answers(files)

    told = {name for name, kind in lines if kind in ("good", "server", "expired")}
    good = {name for name, kind in lines if kind == "good"}
    assert found.answers.keys() == told
    assert {name for name, each in found.answers.items() if each.completion is not None} == good
    assert found.damaged == sum(kind in ("garbage", "list") for _, kind in lines)
    answers = sum(kind in ("good", "server", "expired") for _, kind in lines)
    assert found.duplicates == answers - len(told)
    for name in told | {"line-nobody-answered"}:
        outcome = outcome_of(
            found.answers.get(name), BODY, lambda _: MODEL, submissions=1, unanswered="missing"
        )
        assert outcome.state == ("done" if name in good else "waiting")
        assert (outcome.answer is not None) == (name in good)


@given(st.sampled_from(["expired", "server", "missing"]), st.integers(1, 10), st.booleans())
def test_a_line_waits_until_it_was_submitted_often_enough(
    kind: str, submissions: int, give_up: bool
) -> None:
    said = read_answers([line("a", kind)]).answers["a"] if kind != "missing" else None
    outcome = outcome_of(
        said,
        BODY,
        lambda _: MODEL,
        submissions=submissions,
        unanswered="missing",
        give_up=give_up,
    )
    final = give_up or submissions >= MAX_SUBMISSIONS
    assert outcome.state == ("failed" if final else "waiting")
    assert outcome.failure == {"expired": "batch_expired", "server": "transient"}.get(
        kind, "missing"
    )


def test_a_request_that_can_never_succeed_fails_at_once() -> None:
    for error, failure in (
        ({"code": "model_not_found"}, "invalid_request"),
        ({"code": "content_policy_violation"}, "refused_content"),
        ({"param": "messages"}, "invalid_request"),
    ):
        said = LineAnswer("a", status=400, error=error)
        outcome = outcome_of(said, BODY, lambda _: MODEL, submissions=1, unanswered="missing")
        assert (outcome.state, outcome.failure) == ("failed", failure)


def test_a_refused_parameter_is_named_and_the_line_waits() -> None:
    said = LineAnswer("a", status=400, error={"param": "temperature"})
    outcome = outcome_of(said, BODY, lambda _: MODEL, submissions=1, unanswered="missing")
    assert (outcome.state, outcome.refused_parameter) == ("waiting", "temperature")


def test_a_batch_line_costs_half() -> None:
    said = read_answers([line("a", "good")]).answers["a"]
    outcome = outcome_of(said, BODY, lambda _: MODEL, submissions=1, unanswered="missing")
    assert outcome.answer is not None
    assert outcome.answer.cost_usd == cost_usd(MODEL, usage_of(USAGE), share=0.5)
    assert outcome.answer.cost_usd == (100 * 0.10 + 20 * 0.50) / 2 / 1e6


COUNTS = st.integers(0, 100_000)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_cached_and_written_tokens_are_paid_at_their_own_price(
    fresh: int, cached: int, written: int, out: int
) -> None:
    usage = TextUsage(
        input_tokens=fresh + cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=out,
    )
    cost = cost_usd(MODEL, usage)
    assert cost is not None
    exact = (fresh * 0.10 + cached * 0.01 + written * 0.125 + out * 0.50) / 1e6
    assert abs(cost - exact) <= 1e-12 + exact * 1e-9
    if written:
        assert cost_usd(TextModel("m", 0.1, 0.01, None, 0.5), usage) is None
    # A request of that many bytes, whose tokens are bytes at the shortest, costs no more.
    most = most_usd(MODEL, {"max_completion_tokens": out}, usage.input_tokens or 0)
    assert most is not None
    assert most >= cost - 1e-12


def test_without_a_bound_of_the_answer_nobody_knows_what_it_may_cost() -> None:
    assert most_usd(MODEL, {}, 100) is None
    assert usage_of({"prompt_tokens": True, "completion_tokens": 1}) is None
    assert usage_of("no usage") is None


def test_a_line_is_one_line_and_the_same_every_time() -> None:
    body = {"b": "two\nlines\u2028", "a": 1}
    made = line_bytes("name", body)
    assert made.count(b"\n") == 1
    assert made == line_bytes("name", dict(reversed(body.items())))
    assert json.loads(made)["body"] == body
