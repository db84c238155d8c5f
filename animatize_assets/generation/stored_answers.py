"""Answers of language models in the result store, under what was asked.

Belongs here: from an answer to a stored result and back. Does not belong here: when an answer is
kept and taken (``prompts.expansion.asking``), age and size limits (``result_store``).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from animatize_assets.generation.result_index import About
from animatize_assets.generation.result_store import ResultStore
from animatize_assets.prompts.expansion.answers import TextAnswer
from animatize_assets.prompts.expansion.kept_answers import KeptAnswer
from animatize_assets.records import Record


class _PaidBy(Record):
    call_id: str


@dataclass(frozen=True)
class StoredAnswers:
    """``prompts.expansion.kept_answers.KeptAnswers`` on the result store."""

    results: ResultStore

    def find(self, fingerprint: str) -> KeptAnswer | None:
        """Return the answer to the question of that fingerprint; None when none is kept.

        One that another version of this code wrote, and this one cannot read, is none.

        Raises:
            StorageFailed: what is kept could not be read.
        """
        found = self.results.get(fingerprint)
        if found is None:
            return None
        try:
            paid_by = _PaidBy.model_validate_json(found.result.record)
            return KeptAnswer(TextAnswer.model_validate_json(found.content), paid_by.call_id)
        except ValidationError:
            return None

    def keep(self, fingerprint: str, kept: KeptAnswer) -> None:
        """Keep an answer; durable when it returns.

        Raises:
            StorageFailed: it could not be kept.
        """
        about = About(
            kind="expansion",
            structured_key=fingerprint,
            canonical_key="",  # no other question may be answered by it
            text="",
            record=_PaidBy(call_id=kept.call_id).model_dump_json(),
        )
        self.results.put(fingerprint, kept.answer.model_dump_json().encode(), about)
