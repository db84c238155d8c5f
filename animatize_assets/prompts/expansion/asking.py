"""One question to OpenAI's chat completions, and its answer.

Belongs here: the client, the ledger's row around each call, leaving out once what a model turns
down. Does not belong here: retries (whoever joins the rooms hands them in), what is asked.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from animatize_assets.errors import ProviderError, StorageFailed
from animatize_assets.prompts.expansion.accounts import Accounts, Expense
from animatize_assets.prompts.expansion.answers import TextAnswer, read_answer
from animatize_assets.prompts.expansion.failures import provider_error, refused_parameter
from animatize_assets.prompts.expansion.kept_answers import KeptAnswer, KeptAnswers
from animatize_assets.prompts.expansion.parameters import DROPPABLE, RefusedParameters
from animatize_assets.prompts.expansion.schema import as_bytes, fingerprint
from animatize_assets.prompts.expansion.text_models import TextModel, most_usd
from animatize_assets.telemetry import cache_requests
from animatize_assets.telemetry.calls import traced_call
from animatize_assets.telemetry.job_tracking import JobTracker, NoTracking
from animatize_assets.telemetry.metrics import add_cost
from animatize_assets.telemetry.tracing import JOB_ID, describe

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_log = logging.getLogger(__name__)

EXPANSION_CALL = "expansion_call"
"""Job type of a call's record."""

TIMEOUT_S = 60.0
"""500 tokens take a few seconds; a model that has said nothing by then is not going to."""


class ChatClient:
    """Asks. The connection is opened at the first question, in the event loop that asks it.

    ``answers``: where paid answers are kept; None: every question is asked.
    """

    def __init__(
        self,
        api_key: SecretStr,
        base_url: str | None,
        accounts: Accounts,
        refused: RefusedParameters,
        *,
        timeout_s: float = TIMEOUT_S,
        tracker: JobTracker | None = None,
        answers: KeptAnswers | None = None,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._accounts = accounts
        self._refused = refused
        self._timeout_s = timeout_s
        self._tracker = tracker or NoTracking()
        self._answers = answers
        self._client: AsyncOpenAI | None = None

    async def kept(self, body: Mapping[str, Any]) -> TextAnswer | None:
        """Return the answer to this very question that is kept, at no cost; None: there is none.

        Its call is settled, which the process that made it may not have lived to do.

        Raises:
            StorageFailed: what is kept could not be read, or the ledger not be written.

        """
        if self._answers is None:
            return None
        found = await asyncio.to_thread(self._answers.find, fingerprint(body))
        cache_requests.note("expansion", hit=found is not None)
        if found is None:
            return None
        answer = found.answer
        try:
            await asyncio.to_thread(
                self._accounts.settle, found.call_id, cost_usd=answer.cost_usd, usage=answer.usage
            )
        except LookupError:
            _log.warning("An answer is kept of call %s, which is in no ledger.", found.call_id)
        return answer.model_copy(update={"kept": True, "cost_usd": 0.0, "usage": None})

    async def ask(
        self,
        model: TextModel,
        body: Mapping[str, Any],
        *,
        image_key: str | None = None,
        run_id: str | None = None,
    ) -> TextAnswer:
        """Ask once; again without a parameter for each one that the model turns down.

        A parameter that it turned down before, in any process, is not sent at all.

        Raises:
            ProviderError: it was not answered; ``billed_usd`` says what that cost.
            BudgetExceeded: the call could pass a limit.

        """
        refused = await asyncio.to_thread(self._refused.of, model.name)
        dropped = tuple(sorted(refused & body.keys()))
        sent = {name: value for name, value in body.items() if name not in refused}
        key = fingerprint(body)
        while True:
            expense = Expense(
                model=model.name,
                fingerprint=key,
                expected_usd=most_usd(model, sent, len(as_bytes(sent))),
                purpose="expansion",
                image_key=image_key,
                run_id=run_id,
            )
            answer = await self._paid(model, sent, expense, dropped)
            if isinstance(answer, TextAnswer):
                return answer
            await asyncio.to_thread(self._refused.remember, model.name, answer)
            dropped = tuple(sorted({*dropped, answer}))
            sent = {name: value for name, value in sent.items() if name != answer}

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _paid(
        self,
        model: TextModel,
        sent: Mapping[str, Any],
        expense: Expense,
        dropped: tuple[str, ...],
    ) -> TextAnswer | str:
        """Return the answer, or the parameter that must not be sent. The ledger knows of both.

        A cancelled call leaves its row open: nobody knows whether it was billed.
        """
        call_id = await asyncio.to_thread(self._accounts.open_call, expense)
        known = {
            "job_type": EXPANSION_CALL,
            "provider": "openai",
            "model": model.name,
            "partition_key": expense.image_key,
            "run_id": expense.run_id,
        }
        traced = traced_call(
            "chat", "openai", model.name, image_key=expense.image_key, run_id=expense.run_id
        )
        try:
            with traced as call, self._tracker.track(call_id, "image", known) as job:
                describe({JOB_ID: call_id})
                answer = await self._exchange(model, sent)
                if isinstance(answer, TextAnswer):
                    job.note(cost_usd=answer.cost_usd)
                    job.mark_success()
                    call.made(answer.usage)
        except ProviderError as error:
            await asyncio.to_thread(
                self._accounts.fail, call_id, kind=error.kind, billed_usd=error.billed_usd
            )
            add_cost("openai", "expansion", error.billed_usd)
            raise
        if isinstance(answer, str):
            await asyncio.to_thread(
                self._accounts.fail, call_id, kind="invalid_request", billed_usd=0.0
            )
            return answer
        answer = answer.model_copy(update={"dropped_parameters": dropped})
        await asyncio.to_thread(self._keep, expense.fingerprint, KeptAnswer(answer, call_id))
        await asyncio.to_thread(
            self._accounts.settle, call_id, cost_usd=answer.cost_usd, usage=answer.usage
        )
        add_cost("openai", "expansion", answer.cost_usd)
        return answer

    def _keep(self, question: str, kept: KeptAnswer) -> None:
        """Keep a paid answer before its call is settled; a refusal may be another one tomorrow."""
        if self._answers is None or kept.answer.refused:
            return
        try:
            self._answers.keep(question, kept)
        except StorageFailed as error:  # it is here, and of use, all the same
            _log.warning("The answer of call %s is not kept: %s", kept.call_id, error.message)

    async def _exchange(self, model: TextModel, sent: Mapping[str, Any]) -> TextAnswer | str:
        import openai

        what = f"Expanding a prompt with {model.name}"
        try:
            # The raw answer is read here: of a malformed one the SDK makes anything from a string
            # to an error that is not its own.
            raw = await self._opened().chat.completions.with_raw_response.create(
                **{name: sent[name] for name in sorted(sent)}
            )
        except openai.OpenAIError as error:
            parameter = refused_parameter(error)
            if parameter in DROPPABLE and parameter in sent:
                return parameter
            raise provider_error(error, what) from error
        try:
            completion = json.loads(raw.content)
        except ValueError:
            completion = None
        return read_answer(completion, model, sent, share=1.0, batch=False)

    def _opened(self) -> AsyncOpenAI:
        import openai

        if self._client is None:
            self._client = openai.AsyncOpenAI(
                api_key=self._api_key.get_secret_value(),
                base_url=self._base_url,
                timeout=self._timeout_s,
                max_retries=0,
            )
        return self._client
