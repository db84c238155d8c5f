"""What a run's tags tell of its time: said before it starts, and compared when it has ended.

Belongs here: the names of the tags and how numbers are phrased in them. Does not belong here: the
estimate (``run_estimates``), Dagster itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from animatize_assets.performance.models import PredictionMethod
    from animatize_assets.workplace.run_estimates import RunEstimate

ESTIMATED_TAG = "animatize/estimated_seconds"
RANGE_TAG = "animatize/estimated_range"
METHOD_TAG = "animatize/estimated_by"
SECONDS_TAG = "animatize/seconds"
ERROR_TAG = "animatize/estimate_error"

LEARNED: PredictionMethod = "ml_model"


def promised(estimate: RunEstimate) -> dict[str, str]:
    """Return the tags of a run that has not started."""
    tags = {
        ESTIMATED_TAG: f"{estimate.seconds:.3g}",
        METHOD_TAG: f"{estimate.prediction_method}, {estimate.learned_from} jobs",
    }
    if estimate.interval_80 is not None:
        low, high = estimate.interval_80
        tags[RANGE_TAG] = f"{low:.3g} to {high:.3g} (80 %)"
    return tags


def is_better(tags: Mapping[str, str], before: Mapping[str, str]) -> bool:
    """Whether the estimate in ``tags`` should replace the one that a run may have ``before``.

    What was said first is what a run is held to. Only what was learned replaces the formula's word:
    a sensor has no time to load an estimator.
    """
    if ESTIMATED_TAG not in tags or ESTIMATED_TAG not in before:
        return ESTIMATED_TAG in tags
    return _is_learned(tags) and not _is_learned(before)


def _is_learned(tags: Mapping[str, str]) -> bool:
    return tags.get(METHOD_TAG, "").startswith(LEARNED)


def kept(before: Mapping[str, str], seconds: float, *, made_everything: bool) -> dict[str, str]:
    """Return the tags of a run that has ended, which took ``seconds``.

    ``made_everything``: nothing was found from before, nothing failed; only then can the estimate,
    which counts everything, be held against it.
    """
    tags = {SECONDS_TAG: f"{seconds:.3g}"}
    if made_everything and ESTIMATED_TAG in before and seconds > 0:
        estimated = float(before[ESTIMATED_TAG])
        tags[ERROR_TAG] = f"{100 * (estimated - seconds) / seconds:+.0f} %"
    return tags
