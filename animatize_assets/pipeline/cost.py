"""What the stages of a run cost.

Belongs here: adding up what records say. Does not belong here: the ledger, which knows of calls
that made nothing, too (``generation.ledger``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

from animatize_assets.generation.models import PictureRecord
from animatize_assets.pipeline.stages import StageOutcome
from animatize_assets.prompts.models import MotionPrompt


@dataclass(frozen=True)
class Cost:
    """US dollars. ``unknown``: results that cost something nobody could tell."""

    usd: float = 0.0
    unknown: int = 0

    def plus(self, outcome: StageOutcome) -> Cost:
        """Add a stage's cost, when it was made in this run."""
        amounts = _amounts(outcome) if outcome.status == "done" else []
        known = [amount for amount in amounts if amount is not None]
        return Cost(fsum([self.usd, *known]), self.unknown + len(amounts) - len(known))

    def __bool__(self) -> bool:
        return bool(self.usd or self.unknown)

    def __str__(self) -> str:
        more = f" and {self.unknown} of unknown cost" if self.unknown else ""
        return f"{self.usd:.4f}{more}"


def _amounts(outcome: StageOutcome) -> list[float | None]:
    record = outcome.record
    if isinstance(record, PictureRecord):
        # of a reused one there is none, unless it was made in the shadow as well
        return [attempt.cost_usd for attempt in record.attempts]
    if isinstance(record, MotionPrompt) and record.expansion is not None:
        return [record.expansion.cost_usd]
    return []
