"""Whether a newly trained estimator replaces the one in use.

Belongs here: the rule. Does not belong here: scores (``scoring``), the exchange (``registry``).
"""

from __future__ import annotations

from pydantic import Field

from animatize_assets.performance.scoring import Score
from animatize_assets.records import Record


class Promotion(Record):
    """The decision and its reason, one sentence for people."""

    promote: bool
    reason: str = Field(min_length=1)


def decide(candidate: Score, *, baseline: Score | None, champion: Score | None) -> Promotion:
    """Promote a candidate that beats both on the newest window of jobs.

    ``baseline``: the mean of the last two like jobs; None: there were none, so it told nothing.
    ``champion``: the estimator in use, None where there is none or it learned from that window.
    """
    told = f"{_share(candidate)} of the newest {candidate.jobs} jobs within 20 %"
    if baseline is not None and not candidate.is_better_than(baseline):
        reason = f"It puts {told}; the mean of the last two like jobs puts {_share(baseline)}."
        return Promotion(promote=False, reason=reason)
    if champion is not None and not candidate.is_better_than(champion):
        reason = f"It puts {told}; the estimator in use puts {_share(champion)}."
        return Promotion(promote=False, reason=reason)
    against = [f"the mean of the last two like jobs {_share(baseline)}"] if baseline else []
    against += [f"the estimator in use {_share(champion)}"] if champion else []
    beaten = f", {' and '.join(against)}" if against else ""
    return Promotion(promote=True, reason=f"It puts {told}{beaten}.")


def _share(score: Score) -> str:
    return f"{100 * score.within_20:.1f} % (MAE {score.mean_absolute_error:.3g} s)"
