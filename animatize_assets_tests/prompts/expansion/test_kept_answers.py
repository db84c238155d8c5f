"""An answer that was paid for is never paid again, whenever the process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.generation.result_store import ResultStore
from animatize_assets.generation.stored_answers import StoredAnswers
from animatize_assets.prompts.expansion.answers import TextAnswer
from animatize_assets.prompts.expansion.asking import ChatClient
from animatize_assets.prompts.expansion.expander import PromptExpander
from animatize_assets.prompts.expansion.kept_answers import KeptAnswer
from animatize_assets.prompts.expansion.parameters import RememberedHere
from animatize_assets.prompts.expansion.text_models import TextUsage
from animatize_assets.prompts.models import ExpansionRecord
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.prompts import scenes
from animatize_assets_tests.prompts.expansion.cases import (
    DRAFT,
    PRIMARY,
    Books,
    compiled,
    database,
    follows_rules,
)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class KilledBeforeSettling(Books):
    """Accounts of a process that ends when it wants to settle for the ``lives``-th time."""

    lives: int = 1

    def settle(self, call_id: str, *, cost_usd: float | None, usage: TextUsage | None) -> None:
        self.lives -= 1
        if self.lives == 0:
            raise Killed
        super().settle(call_id, cost_usd=cost_usd, usage=usage)


@dataclass
class Shelf:
    """Answers kept in memory, unless the disk is full."""

    is_full: bool = False
    kept: dict[str, KeptAnswer] = field(default_factory=dict)

    def find(self, fingerprint: str) -> KeptAnswer | None:
        return self.kept.get(fingerprint)

    def keep(self, fingerprint: str, kept: KeptAnswer) -> None:
        if self.is_full:
            raise StorageFailed("The disk is full.")
        self.kept[fingerprint] = kept


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        running.openai.reply = follows_rules
        yield running


def life(
    server: LoopbackServer, books: Books, shelf: Shelf | StoredAnswers, *, seed: int = 7
) -> ExpansionRecord:
    """One process: it expands one prompt, and says how."""

    async def work() -> ExpansionRecord:
        client = ChatClient(
            SecretStr(server.keys["openai"]), server.openai_url, books, RememberedHere(),
            answers=shelf,
        )  # fmt: skip
        expander = PromptExpander(client, primary=PRIMARY, draft=DRAFT)
        prompt = compiled()
        path = scenes.camera_path(prompt.camera_move, prompt.camera_direction)
        try:
            made = await expander.expand(
                prompt, scenes.analysis(), scenes.prediction(path), draft=True, seed=seed
            )
        finally:
            await expander.close()
        assert made.expansion is not None
        return made.expansion

    return asyncio.run(work())


def test_an_answer_outlives_the_process_that_could_not_settle_it(server: LoopbackServer) -> None:
    books, shelf = KilledBeforeSettling(), Shelf()
    with pytest.raises(Killed):
        life(server, books, shelf)
    assert books.states() == ["open"]
    found = life(server, books, shelf)
    assert (found.kept, found.calls, found.cost_usd, found.fallback) == (True, 0, 0.0, None)
    assert books.states() == ["settled"]
    billed = sum(charge.cost_nanousd for charge in server.bill)
    assert round(books.settled_usd() * 1e9) == billed > 0
    assert len(server.calls("openai.chat")) == 1


def test_an_answer_outlives_the_process_that_could_not_store_its_prompt(
    server: LoopbackServer,
) -> None:
    books, shelf = Books(), Shelf()
    first, second = life(server, books, shelf), life(server, books, shelf)
    assert (first.kept, first.calls) == (False, 1)
    assert first.cost_usd == pytest.approx(books.settled_usd(), rel=1e-3)
    assert (second.kept, second.calls, second.cost_usd) == (True, 0, 0.0)
    assert (second.temperature, second.seed) == (first.temperature, first.seed)
    assert len(server.calls("openai.chat")) == len(server.bill) == 1


def test_another_question_is_another_call(server: LoopbackServer) -> None:
    books, shelf = Books(), Shelf()
    for seed in (1, 2):
        assert not life(server, books, shelf, seed=seed).kept
    assert len(server.bill) == len(shelf.kept) == 2


def test_the_first_answer_of_a_repair_is_not_paid_again(server: LoopbackServer) -> None:
    bad = iter(["no JSON at all"])
    server.openai.reply = lambda body: next(bad, None) or follows_rules(body)
    books, shelf = KilledBeforeSettling(lives=2), Shelf()
    with pytest.raises(Killed):  # the repair was answered, and not settled
        life(server, books, shelf)
    found = life(server, books, shelf)
    assert (found.repaired, found.kept, found.calls) == (True, True, 0)
    assert books.states() == ["settled", "settled"]
    assert len(server.bill) == 2


def test_a_refusal_is_not_kept(server: LoopbackServer) -> None:
    books, shelf = Books(), Shelf()
    server.script("openai.chat", "refused")
    assert life(server, books, shelf).fallback == "refused_content"
    assert shelf.kept == {}
    assert life(server, books, shelf).fallback is None


def test_an_answer_that_cannot_be_kept_serves_all_the_same(server: LoopbackServer) -> None:
    books, shelf = Books(), Shelf(is_full=True)
    assert life(server, books, shelf).fallback is None
    assert books.states() == ["settled"]


def test_an_answer_whose_call_is_in_no_ledger_serves_all_the_same(server: LoopbackServer) -> None:
    shelf = Shelf()
    life(server, Books(), shelf)
    assert life(server, Books(), shelf).kept


ANSWERS = st.builds(
    TextAnswer,
    content=st.none() | st.text(),
    refused=st.booleans(),
    cut=st.booleans(),
    usage=st.none() | st.builds(TextUsage),
    cost_usd=st.none() | st.floats(0, 10),
    remote_id=st.none() | st.text(max_size=40),
    seed=st.none() | st.integers(0, 2**31),
    dropped_parameters=st.just(()) | st.just(("temperature", "seed")),
)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoredAnswers]:
    with database(tmp_path) as engine:
        yield StoredAnswers(ResultStore(UPath(tmp_path), engine))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(answer=ANSWERS, question=st.text("0123456789abcdef", min_size=64, max_size=64))
def test_the_result_store_gives_back_what_it_was_given(
    stored: StoredAnswers, answer: TextAnswer, question: str
) -> None:
    kept = KeptAnswer(answer, "6f8c1f2e-0000-4000-8000-000000000000")
    stored.keep(question, kept)
    assert stored.find(question) == kept
    assert stored.find("f" * 63 + "g") is None


def test_what_this_version_cannot_read_is_no_answer(stored: StoredAnswers) -> None:
    answer = TextAnswer(content="x", refused=False, usage=None, cost_usd=None, remote_id=None)
    stored.keep("a" * 64, KeptAnswer(answer, "call-1"))
    found = stored.results.get("a" * 64)
    assert found is not None
    stored.results.put("b" * 64, b'{"content": "of another version"}', found.result)
    assert stored.find("b" * 64) is None


def test_a_real_store_serves_the_next_process(server: LoopbackServer, tmp_path: Path) -> None:
    books = Books()
    for life_number in range(2):
        with database(tmp_path) as engine:
            shelf = StoredAnswers(ResultStore(UPath(tmp_path), engine))
            assert life(server, books, shelf).kept == (life_number == 1)
    assert len(server.bill) == 1
