"""Answers that were paid for, kept until nobody can lose them any more.

An answer is kept before its call is settled: a process that ends between the two, or before the
prompt is stored, leaves an answer to find instead of a question to pay for again.

Belongs here: the protocol. Does not belong here: where they lie (``generation.stored_answers``
keeps them, and whoever joins the rooms hands it in), answers of batches (``batch_store``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from animatize_assets.prompts.expansion.answers import TextAnswer


@dataclass(frozen=True)
class KeptAnswer:
    """An answer, and the call that paid for it."""

    answer: TextAnswer
    call_id: str


class KeptAnswers(Protocol):
    """Safe to use from several threads and processes at once."""

    def find(self, fingerprint: str) -> KeptAnswer | None:
        """Return the answer to the question of that fingerprint; None when none is kept.

        Raises:
            StorageFailed: what is kept could not be read.
        """

    def keep(self, fingerprint: str, kept: KeptAnswer) -> None:
        """Keep an answer; durable when it returns.

        Raises:
            StorageFailed: it could not be kept.
        """
