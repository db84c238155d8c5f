"""A compiled prompt, expanded by a language model: from a batch when one answered, else at once.

Belongs here: joining the expander to the ledger, the retries and the batches. Does not belong
here: what is asked and what counts as an answer (``prompts.expansion``).
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr

from animatize_assets.errors import NotConfigured, ProviderError
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.expansion_accounts import LedgerAccounts
from animatize_assets.generation.picture_call import address_of, key_of
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.prices import PerToken
from animatize_assets.generation.retrying import with_retries
from animatize_assets.generation.station import BreakerOpen
from animatize_assets.generation.text_station import TextStation
from animatize_assets.pipeline.generation_setup import GenerationSetup, missing
from animatize_assets.prompts.expansion.asking import ChatClient
from animatize_assets.prompts.expansion.batch_rows import NewLine
from animatize_assets.prompts.expansion.batch_store import BatchStore
from animatize_assets.prompts.expansion.batches import BatchDesk, open_client
from animatize_assets.prompts.expansion.expander import Ask, PromptExpander, Question
from animatize_assets.prompts.expansion.kept_answers import KeptAnswers
from animatize_assets.prompts.expansion.parameters import SqlRefusedParameters
from animatize_assets.prompts.expansion.text_models import TextModel
from animatize_assets.telemetry import cache_requests
from animatize_assets.telemetry.job_tracking import JobTracker, NoTracking
from animatize_assets.telemetry.tracing import current_traceparent, link_to

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from animatize_assets.generation.across_runs import AcrossRuns
    from animatize_assets.generation.ledger import SqlLedger
    from animatize_assets.movement.models import MovementPrediction
    from animatize_assets.prompts.expansion.answers import TextAnswer
    from animatize_assets.prompts.models import MotionPrompt
    from animatize_assets.scene.models import SceneAnalysis

Expansion = Literal["draft", "final"]
EXPANSION_DEADLINE_S = 180.0
"""For one prompt, retries included; then the template's prompt stands."""


@dataclass(frozen=True)
class Expansions:
    """Expands prompts with the models that are set. Safe to use from several threads."""

    setup: GenerationSetup
    engine: Engine
    ledger: SqlLedger
    station: TextStation
    """The limits that all prompts of this process keep together."""
    tracker: JobTracker = field(default_factory=NoTracking)
    """Records every call."""
    answers: KeptAnswers | None = None
    """Where paid answers are kept; None: they are not."""
    use_kept: bool = True
    """Whether an answer that is there, kept or brought by a batch, is taken instead of asking."""

    def without_caches(self) -> Expansions:
        """Return one that asks for every prompt."""
        return replace(self, answers=None, use_kept=False)

    def determinants(self, expand: Expansion) -> dict[str, object]:
        """Return what decides on the text beside the compiled prompt.

        Raises:
            NotConfigured: there is no key.
        """
        self._check()
        expander = self._expander()
        model = (
            self.setup.expansion_draft_model if expand == "draft" else self.setup.expansion_model
        )
        return {"expand": model, "instructions": expander.instructions_version}

    def expand(
        self,
        prompt: MotionPrompt,
        analysis: SceneAnalysis,
        prediction: MovementPrediction,
        *,
        expand: Expansion,
        seed: int,
        image_key: str,
        run_id: str | None,
        across_runs: AcrossRuns | None = None,
    ) -> MotionPrompt:
        """Return the model's prompt, or ``prompt`` marked with why it stands.

        ``across_runs`` counts the places that OpenAI has for all runs together.

        Raises:
            NotConfigured: there is no key, or the text model is retired or unknown.
        """
        self._check()

        async def work() -> MotionPrompt:
            expander = self._expander(across_runs)
            try:
                question = expander.question(
                    prompt, analysis, prediction, draft=expand == "draft", seed=seed
                )
                if (answer := self._of_a_batch(question)) is not None:
                    return await expander.accept(
                        question, answer, image_key=image_key, run_id=run_id
                    )
                return await expander.expand(
                    prompt,
                    analysis,
                    prediction,
                    draft=expand == "draft",
                    seed=seed,
                    image_key=image_key,
                    run_id=run_id,
                )
            finally:
                await expander.close()

        # A loop of its own for each prompt: its connection costs a tenth of a second of a call that
        # takes several, and no thread waits for another's.
        with self.station.place():
            return asyncio.run(work())

    def line(
        self,
        prompt: MotionPrompt,
        analysis: SceneAnalysis,
        prediction: MovementPrediction,
        *,
        seed: int,
        image_key: str,
    ) -> NewLine:
        """Return the same question for a batch, which asks the cheaper model."""
        question = self._expander().question(prompt, analysis, prediction, draft=True, seed=seed)
        return NewLine(question.fingerprint, image_key, question.body, current_traceparent())

    def desk(self) -> BatchDesk:
        """Open the desk for batches.

        Raises:
            NotConfigured: there is no key.
        """
        self._check()
        api_key, base_url = self._access()
        models = [self._model(self.setup.expansion_draft_model)]
        models.append(self._model(self.setup.expansion_model))
        return BatchDesk(
            self.engine,
            open_client(api_key, base_url),
            LedgerAccounts(self.ledger),
            models={model.name: model for model in models},
        )

    def _of_a_batch(self, question: Question) -> TextAnswer | None:
        if not self.use_kept:
            return None
        line = BatchStore(self.engine, lambda: datetime.now(UTC)).line(question.fingerprint)
        if line is not None:
            link_to(line.traceparent)
        answer = None if line is None else line.answer
        if answer is not None:  # else it is looked for among the kept ones, which count it
            cache_requests.note("expansion", hit=True)
        return answer

    def _check(self) -> None:
        openai = self.setup.providers.get("openai")
        lacks = "set ANIMATIZE_OPENAI_API_KEY" if openai is None else missing("openai", openai)
        if lacks:
            raise NotConfigured(f"Prompts cannot be expanded: {lacks}.")

    def _expander(self, across_runs: AcrossRuns | None = None) -> PromptExpander:
        api_key, base_url = self._access()
        client = ChatClient(
            api_key,
            base_url,
            LedgerAccounts(self.ledger),
            SqlRefusedParameters(self.engine),
            tracker=self.tracker,
            answers=self.answers,
        )
        return PromptExpander(
            client,
            primary=self._model(self.setup.expansion_model),
            draft=self._model(self.setup.expansion_draft_model),
            retrying=lambda ask: self._retried(ask, across_runs),
        )

    async def _retried(self, ask: Ask, across_runs: AcrossRuns | None) -> TextAnswer:
        """Ask as often as the one table of failures allows, while the models are not left alone.

        Raises:
            ProviderError: there is no answer.
            BudgetExceeded: the next call could pass a limit.
        """
        ends = time.monotonic() + EXPANSION_DEADLINE_S
        try:
            return await with_retries(
                lambda: self.station.call(ask, across_runs=across_runs),
                Policy(deadline_s=EXPANSION_DEADLINE_S),
                provider="openai",
                left_s=lambda: ends - time.monotonic(),
                random=random.random,
            )
        except BreakerOpen as error:
            kind = error.state.reason or "transient"
            raise ProviderError(str(error), kind=kind, billed_usd=0.0) from error

    def _access(self) -> tuple[SecretStr, str | None]:
        """Return OpenAI's key and address, judged as for its pictures.

        Raises:
            NotConfigured: a key that cannot be one, or an address without encryption.
        """
        openai = self.setup.providers["openai"]
        assert openai.api_key is not None  # noqa: S101  # checked before
        base_url = address_of(openai.base_url, "openai") if openai.base_url else None
        return SecretStr(key_of(openai.api_key, "openai")), base_url

    @staticmethod
    def _model(name: str) -> TextModel:
        found = load_catalogue().get("openai", name, datetime.now(UTC).date())
        price = found.price if isinstance(found.price, PerToken) else None
        return TextModel(
            name,
            input_usd=price.input_usd if price else None,
            cached_usd=price.cached_usd if price else None,
            cache_write_usd=price.cache_write_usd if price else None,
            output_usd=price.output_usd if price else None,
            takes_temperature=found.takes.temperature,
            takes_seed=found.takes.seed,
        )
