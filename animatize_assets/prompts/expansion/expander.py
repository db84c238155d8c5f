"""From a compiled prompt to one that a language model wrote, or back to the compiled one.

Belongs here: which model is asked, the one repair, and when the template's prompt stands. Does not
belong here: what is asked (``schema``), judging (``checking``), transport (``asking``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from animatize_assets.errors import AnimatizeError, BudgetExceeded, NotConfigured, ProviderError
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.prompts.dialects import Dialect, Dialects, load_dialects
from animatize_assets.prompts.expansion.answers import TextAnswer
from animatize_assets.prompts.expansion.asking import ChatClient
from animatize_assets.prompts.expansion.checking import CheckedText, checked
from animatize_assets.prompts.expansion.schema import (
    Instructions,
    fingerprint,
    load_instructions,
    messages_for,
    request_body,
)
from animatize_assets.prompts.expansion.text_models import TextModel
from animatize_assets.prompts.models import ExpansionRecord, MotionPrompt
from animatize_assets.scene.models import SceneAnalysis

Ask = Callable[[], Awaitable[TextAnswer]]
Retrying = Callable[[Ask], Awaitable[TextAnswer]]
"""Calls what it is given, again as often as the failure's kind and its policy allow."""

_NOT_DELIVERED = (ProviderError, BudgetExceeded, NotConfigured)


async def once(ask: Ask) -> TextAnswer:
    """Ask without any retry."""
    return await ask()


@dataclass(frozen=True)
class Question:
    """What is asked for one prompt. The same input gives the same question."""

    prompt: MotionPrompt
    dialect: Dialect
    model: TextModel
    body: dict[str, Any]
    fingerprint: str
    """Of everything that was asked; equal questions have equal ones."""


@dataclass(frozen=True)
class _Said:
    """The answers so far: what they cost counts even when none of them is used."""

    answers: tuple[TextAnswer, ...]
    problems: tuple[str, ...] = ()
    repaired: bool = False
    extra_calls: int = 0
    """Calls that failed and may have been billed."""


class PromptExpander:
    """Expands prompts with ``primary``, or with ``draft`` for drafts and pre-generation.

    ``retrying`` says how often a failed call is made again. Never used without a key: then the
    template's prompts stand as they are.
    """

    def __init__(
        self,
        client: ChatClient,
        *,
        primary: TextModel,
        draft: TextModel,
        retrying: Retrying = once,
        instructions: Instructions | None = None,
        dialects: Dialects | None = None,
    ) -> None:
        self._client = client
        self._primary = primary
        self._draft = draft
        self._retrying = retrying
        self._instructions = instructions or load_instructions()
        self._dialects = dialects or load_dialects()

    @property
    def instructions_version(self) -> str:
        """Stated version + hash of the instructions' content."""
        return self._instructions.version

    def question(
        self,
        prompt: MotionPrompt,
        analysis: SceneAnalysis,
        prediction: MovementPrediction,
        *,
        draft: bool,
        seed: int,
    ) -> Question:
        """Return what would be asked, for a batch or a cache. ``prompt`` is a compiled one.

        Raises:
            InvalidSetting: the prompt's target or style is not known.

        """
        dialect = self._dialects.of(prompt.target)
        model = self._draft if draft else self._primary
        messages = messages_for(prompt, analysis, prediction, dialect, self._instructions)
        body = request_body(model, messages, dialect, seed=seed)
        return Question(prompt, dialect, model, body, fingerprint(body))

    async def expand(
        self,
        prompt: MotionPrompt,
        analysis: SceneAnalysis,
        prediction: MovementPrediction,
        *,
        draft: bool,
        seed: int,
        image_key: str | None = None,
        run_id: str | None = None,
    ) -> MotionPrompt:
        """Return the model's prompt, or ``prompt`` itself; its ``expansion`` says which and why.

        A model that does not deliver, or not within the budget, never costs the prompt.

        Raises:
            InvalidSetting: the prompt's target or style is not known.

        """
        question = self.question(prompt, analysis, prediction, draft=draft, seed=seed)
        said = _Said(())
        try:
            answer = await self._ask(question, question.body, image_key, run_id)
        except _NOT_DELIVERED as error:
            return self._fallen_back(question, _after(said, error), _reason(error))
        return await self.accept(question, answer, image_key=image_key, run_id=run_id)

    async def accept(
        self,
        question: Question,
        answer: TextAnswer,
        *,
        image_key: str | None = None,
        run_id: str | None = None,
    ) -> MotionPrompt:
        """Return the prompt of an answer, from a batch too; a bad one is repaired at most once."""
        said = _Said((answer,))
        if answer.refused:
            return self._fallen_back(question, said, "refused_content")
        text = self._judged(question, answer)
        if not text.problems:
            return self._accepted(question, said, text)
        said = _Said(said.answers, text.problems)
        body = self._repair(question, answer, text.problems)
        try:
            second = await self._ask(question, body, image_key, run_id)
        except _NOT_DELIVERED as error:
            return self._fallen_back(question, _after(said, error), _reason(error))
        said = _Said((answer, second), text.problems, repaired=True)
        if second.refused:
            return self._fallen_back(question, said, "refused_content")
        again = self._judged(question, second)
        if again.problems:
            said = _Said(said.answers, (*text.problems, *again.problems))
            return self._fallen_back(question, said, "unusable_answer")
        return self._accepted(question, said, again)

    def fallback(self, question: Question, reason: str) -> MotionPrompt:
        """Return the template's prompt for a question that nobody answered, marked as such."""
        return self._fallen_back(question, _Said(()), reason)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def _ask(
        self, question: Question, body: dict[str, Any], image_key: str | None, run_id: str | None
    ) -> TextAnswer:
        kept = await self._client.kept(body)
        if kept is not None:
            return kept
        return await self._retrying(
            lambda: self._client.ask(question.model, body, image_key=image_key, run_id=run_id)
        )

    def _judged(self, question: Question, answer: TextAnswer) -> CheckedText:
        if answer.cut:
            return CheckedText("", None, ("it did not end within its bound of tokens",))
        return checked(answer.content or "", question.prompt, question.dialect, self._instructions)

    def _repair(
        self, question: Question, answer: TextAnswer, problems: Sequence[str]
    ) -> dict[str, Any]:
        told = self._instructions.file.repair.format(problems="; ".join(problems)).strip()
        messages = [
            *question.body["messages"],
            {"role": "assistant", "content": answer.content or ""},
            {"role": "user", "content": told},
        ]
        return {**question.body, "messages": messages}

    def _accepted(self, question: Question, said: _Said, text: CheckedText) -> MotionPrompt:
        update = {
            "positive": text.positive,
            "negative": text.negative,
            "length": question.dialect.limit.length_of(text.positive),
            "compiler": "llm",
            "dropped": (),
            "expansion": self._record(question, said, None),
        }
        return MotionPrompt.model_validate({**dict(question.prompt), **update})

    def _fallen_back(self, question: Question, said: _Said, reason: str) -> MotionPrompt:
        record = self._record(question, said, reason)
        return MotionPrompt.model_validate({**dict(question.prompt), "expansion": record})

    def _record(self, question: Question, said: _Said, fallback: str | None) -> ExpansionRecord:
        last = said.answers[-1] if said.answers else None
        costs = [answer.cost_usd for answer in said.answers]
        known = not said.extra_calls and None not in costs
        usages = [answer.usage for answer in said.answers if answer.usage is not None]
        dropped = {name for answer in said.answers for name in answer.dropped_parameters}
        return ExpansionRecord(
            model=question.model.name,
            instructions_version=self._instructions.version,
            batch=bool(said.answers) and said.answers[0].batch,
            kept=any(answer.kept for answer in said.answers),
            calls=sum(not answer.kept for answer in said.answers) + said.extra_calls,
            input_tokens=sum(usage.input_tokens or 0 for usage in usages) if usages else None,
            output_tokens=sum(usage.output_tokens or 0 for usage in usages) if usages else None,
            cost_usd=sum(cost for cost in costs if cost is not None) if known else None,
            temperature=last.temperature if last else None,
            seed=last.seed if last else None,
            system_fingerprint=last.system_fingerprint if last else None,
            dropped_parameters=tuple(sorted(dropped)),
            repaired=said.repaired,
            problems=said.problems,
            fallback=fallback,
        )


def _after(said: _Said, error: AnimatizeError) -> _Said:
    """Count a failed call that may have been billed: what it cost is not known."""
    lost = isinstance(error, ProviderError) and error.billed_usd != 0.0
    return _Said(said.answers, said.problems, said.repaired, int(lost))


def _reason(error: AnimatizeError) -> str:
    return error.kind if isinstance(error, ProviderError) else error.code
