"""What Dagster tells of an image that failed: why, what was tried, what to do, and its trace.

Belongs here: phrasing. Does not belong here: reasons and remedies themselves
(``pipeline.stage_failures``), raising the step's failure (``assets``).
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from animatize_assets.pipeline.stages import StageOutcome

FAILED_IMAGES = "failed_images"
"""Metadata of the step's failure: image key -> {asset, code, reason, attempts, remedy, trace}."""


def why(outcome: StageOutcome) -> dict[str, str]:
    """Return what is known of a failed stage; ``attempts`` and ``trace`` only where there are."""
    error = outcome.error
    if error is None:
        return {"asset": outcome.stage, "code": "unknown", "reason": ""}
    told = {
        "asset": outcome.stage,
        "code": error.code,
        "reason": error.reason,
        "attempts": "; ".join(error.attempts),
        "remedy": error.remedy,
        "trace": outcome.trace_id or "",
    }
    return {name: text for name, text in told.items() if text}


def report(log: dg.DagsterLogManager, outcome: StageOutcome) -> None:
    """Write a failed stage into the log of its run."""
    told = why(outcome)
    log.error(
        "%s: %s failed (%s): %s",
        outcome.image_key,
        told["asset"],
        told["code"],
        _sentences(told),
    )
    if outcome.error and outcome.error.traceback:
        log.error("%s", outcome.error.traceback)


def summary(failed: Mapping[str, Mapping[str, str]], total: int) -> str:
    """Return the description of the step's failure: a line for each image."""
    lines = [f"{key}: {told['asset']}: {_sentences(told)}" for key, told in failed.items()]
    return f"{len(failed)} of {total} images failed; the others are complete.\n" + "\n".join(lines)


def _sentences(told: Mapping[str, str]) -> str:
    parts = [told["reason"]]
    for name, text in (("attempts", "Attempts: {}."), ("remedy", "{}"), ("trace", "Trace {}.")):
        if name in told:
            parts.append(text.format(told[name]))
    return " ".join(parts)
