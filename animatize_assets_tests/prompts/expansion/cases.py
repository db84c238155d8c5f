"""Prompts to expand, models to ask and accounts to look into, for the tests of this room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine, event

from animatize_assets.database.engine import open_engine
from animatize_assets.database.tables import metadata
from animatize_assets.errors import BudgetExceeded
from animatize_assets.prompts.compiler import compile_prompt
from animatize_assets.prompts.expansion.accounts import Expense, OpenExpense
from animatize_assets.prompts.expansion.asking import ChatClient
from animatize_assets.prompts.expansion.batches import BatchDesk, open_client
from animatize_assets.prompts.expansion.expander import PromptExpander, Question, Retrying, once
from animatize_assets.prompts.expansion.parameters import RefusedParameters, RememberedHere
from animatize_assets.prompts.expansion.text_models import TextModel, TextUsage
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets_tests.loopback.server import LoopbackServer
from animatize_assets_tests.prompts import scenes

PRIMARY = TextModel("gpt-6.1-sol", 2.00, 0.10, 2.50, 10.00)
DRAFT = TextModel("gpt-6-luna", 0.10, 0.01, 0.125, 0.50)
MODELS = {model.name: model for model in (PRIMARY, DRAFT)}
TIMEOUT_S = 0.5


@dataclass
class Row:
    """What the accounts hold of one call."""

    expense: Expense
    state: str = "open"
    cost_usd: float | None = None
    usage: TextUsage | None = None
    failure: str | None = None
    remote_id: str | None = None


@dataclass
class Books:
    """Accounts in memory that allow ``allowed`` calls."""

    allowed: int = 1_000_000
    rows: dict[str, Row] = field(default_factory=dict)

    def open_call(self, expense: Expense) -> str:
        if len(self.rows) >= self.allowed:
            raise BudgetExceeded("The run may spend no more.")
        name = f"call-{len(self.rows)}"
        self.rows[name] = Row(expense)
        return name

    def note_remote(self, call_id: str, remote_id: str, resume: Mapping[str, str]) -> None:
        assert remote_id in resume.values()
        self.rows[call_id].remote_id = remote_id

    def settle(self, call_id: str, *, cost_usd: float | None, usage: TextUsage | None) -> None:
        row = self.rows[call_id]
        row.state, row.cost_usd, row.usage = "settled", cost_usd, usage

    def fail(self, call_id: str, *, kind: str, billed_usd: float | None) -> None:
        row = self.rows[call_id]
        row.failure = kind
        if billed_usd is not None:
            row.state, row.cost_usd = "failed", billed_usd

    def open_rows(self, *, purpose: str) -> list[OpenExpense]:
        return [
            OpenExpense(name, row.expense.fingerprint)
            for name, row in self.rows.items()
            if row.state == "open" and row.expense.purpose == purpose
        ]

    def states(self) -> list[str]:
        return [row.state for row in self.rows.values()]

    def settled_usd(self) -> float:
        return sum(row.cost_usd or 0.0 for row in self.rows.values() if row.state == "settled")


def compiled(target: str = "generic", move: str = "push_in", **changes: Any) -> MotionPrompt:
    direction = changes.pop("direction", None)
    prediction = scenes.prediction(scenes.camera_path(move, direction))
    return compile_prompt(scenes.analysis(), prediction, target=target, **changes)


def question_of(expander: PromptExpander, prompt: MotionPrompt, seed: int = 7) -> Question:
    path = scenes.camera_path(prompt.camera_move, prompt.camera_direction)
    return expander.question(
        prompt, scenes.analysis(), scenes.prediction(path), draft=True, seed=seed
    )


def good_text(prompt: MotionPrompt, more: str = "") -> str:
    """What a model that follows the rules answers."""
    said = {"prompt": f"{prompt.camera_phrase} over a quiet lake at dusk{more}."}
    if prompt.target == "wan":
        said["negative"] = "blur, text"
    return json.dumps(said)


def follows_rules(body: Mapping[str, Any]) -> str:
    """The reply of a server whose model follows the rules, whatever is asked."""
    facts = json.loads(body["messages"][1]["content"])
    said = {"prompt": f"{facts['camera_phrase']} over a quiet lake at dusk."}
    if "negative" in body["response_format"]["json_schema"]["schema"]["properties"]:
        said["negative"] = "blur, text"
    return json.dumps(said)


def expander_at(
    url: str,
    key: str,
    books: Books,
    *,
    refused: RefusedParameters | None = None,
    retrying: Retrying = once,
    primary: TextModel = PRIMARY,
    draft: TextModel = DRAFT,
) -> PromptExpander:
    client = ChatClient(
        SecretStr(key), url, books, refused or RememberedHere(), timeout_s=TIMEOUT_S
    )
    return PromptExpander(client, primary=primary, draft=draft, retrying=retrying)


def expanded(
    server: LoopbackServer,
    prompt: MotionPrompt,
    books: Books | None = None,
    *,
    times: int = 1,
    draft: bool = False,
    seed: int = 7,
    **options: Any,
) -> MotionPrompt:
    """Expand ``prompt`` ``times`` times with one client; return the last."""

    async def work() -> MotionPrompt:
        key = options.pop("key", server.keys["openai"])
        url = options.pop("url", server.openai_url)
        expander = expander_at(url, key, books if books is not None else Books(), **options)
        path = scenes.camera_path(prompt.camera_move, prompt.camera_direction)
        try:
            for _ in range(times):
                last = await expander.expand(
                    prompt, scenes.analysis(), scenes.prediction(path), draft=draft, seed=seed
                )
        finally:
            await expander.close()
        return last

    return asyncio.run(work())


@dataclass
class Clock:
    """Tells the time that a test sets."""

    now: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@contextmanager
def database(folder: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{folder}/animatize.db")
    # No test takes the power away, and waiting for the disk is most of their time.
    event.listen(engine, "connect", lambda made, _: made.execute("PRAGMA synchronous = OFF"))
    metadata.create_all(engine)  # equal to the migrations, which a test of theirs shows
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def desk_at(
    server: LoopbackServer, engine: Engine, books: Books, clock: Clock, **options: Any
) -> Iterator[BatchDesk]:
    with open_client(SecretStr(server.keys["openai"]), server.openai_url) as client:
        yield BatchDesk(
            engine, options.pop("client", client), books, clock, models=MODELS, **options
        )


def questions(count: int, *, model: TextModel = DRAFT) -> list[Question]:
    """Different questions of one prompt: their seeds differ."""
    client = ChatClient(SecretStr("unused"), None, Books(), RememberedHere())
    expander = PromptExpander(client, primary=model, draft=model)
    prompt = compiled()
    return [question_of(expander, prompt, seed=seed) for seed in range(count)]
