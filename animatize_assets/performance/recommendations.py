"""What would make a job shorter, and the answer in which a person is told of it.

Nothing is recommended by heart: each sentence is what the estimator says of the same job with one
parameter changed.

Belongs here: which changes are tried, which are worth telling, the answer's shape, which clients
of the predecessor know. Does not belong here: the estimates (``time_estimator``), what past jobs
show to be wasted (``bottlenecks``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from animatize_assets.performance.models import Estimate, JobParameters, Submission

EstimateMany = Callable[[Sequence[Submission]], Sequence[Estimate]]

LEAST_SAVED = 0.15
"""Share of the seconds; who waits would hardly notice less."""

PARTS = (0.8, 0.6, 0.5)
"""Of a parameter that are tried, mildest first: the first that saves enough is told."""

SIDE_STEP_PX = 8
"""Sides are kept multiples of it: one cell of the latent image of Stable Diffusion (Rombach et al.,
2022) and of its successors."""

LEAST_SIDE_PX = 256
"""Below, what models of 512 px and more make falls apart."""

LEAST_STEPS = 10
"""Fewer are for models distilled to few steps, which have few already; DPM-Solver++ needs 10 to 15
(Lu et al., 2022)."""


@dataclass(frozen=True)
class _Change:
    parameter: str
    sentence: str
    """Of the change, up to the seconds."""
    submission: Submission


def estimate_and_recommend(
    submission: Submission, estimate_many: EstimateMany
) -> tuple[Estimate, tuple[str, ...]]:
    """Return the estimate, and what would save at least 15 % of it, the largest saving first.

    Only parameters that are given are changed, one at a time, each by the mildest change that
    saves enough. ``estimate_many`` is called once.
    """
    changes = list(_changes(submission))
    asked, *changed = estimate_many([submission, *(change.submission for change in changes)])
    now = asked.predicted_time_seconds
    told: dict[str, tuple[float, str]] = {}
    for change, estimate in zip(changes, changed, strict=True):
        then = estimate.predicted_time_seconds
        saved = 1 - then / now if now > 0 else 0.0
        if saved >= LEAST_SAVED and change.parameter not in told:
            gain = f"about {_seconds(then)} instead of {_seconds(now)} ({100 * saved:.0f} % less)."
            told[change.parameter] = then, f"{change.sentence}: {gain}"
    return asked, tuple(sentence for _, sentence in sorted(told.values()))


def estimate_body(estimate: Estimate, recommendations: Sequence[str]) -> dict[str, Any]:
    """Return an estimate as JSON values, with the predecessor's names first."""
    content = estimate.model_dump(mode="json")
    return {
        "predicted_time_seconds": content["predicted_time_seconds"],
        "confidence": content["confidence"],
        "prediction_method": content["prediction_method"],
        "model_used": content["model_used"],
        "uncertainty_range": content["uncertainty_range"],
        "recommendations": list(recommendations),
        "interval_90": content["interval_90"],
        "model_version": content["model_version"],
        "learned_from": content["learned_from"],
        "notes": content["notes"],
    }


def _changes(submission: Submission) -> Iterator[_Change]:
    given = submission.parameters
    for part in PARTS:
        if given.steps is not None and (fewer := round(given.steps * part)) >= LEAST_STEPS:
            sentence = f"{fewer} steps instead of {given.steps}"
            yield _changed(submission, "steps", sentence, steps=fewer)
        if given.frame_count is not None and (fewer := round(given.frame_count * part)) > 1:
            sentence = f"{fewer} frames instead of {given.frame_count}"
            yield _changed(submission, "frame_count", sentence, frame_count=fewer)
        if (smaller := _smaller(given, part)) is not None:
            width, height = smaller
            sentence = f"{width}x{height} px instead of {given.width}x{given.height}"
            yield _changed(submission, "resolution", sentence, width=width, height=height)


def _changed(submission: Submission, parameter: str, sentence: str, **values: int) -> _Change:
    parameters = submission.parameters.model_copy(update=values)
    return _Change(parameter, sentence, submission.model_copy(update={"parameters": parameters}))


def _smaller(given: JobParameters, part: float) -> tuple[int, int] | None:
    """Return a size of about that share of the pixels; None where none is worth making."""
    if given.width is None or given.height is None:
        return None
    scale = part**0.5
    width, height = (
        SIDE_STEP_PX * round(side * scale / SIDE_STEP_PX) for side in (given.width, given.height)
    )
    return (width, height) if min(width, height) >= LEAST_SIDE_PX else None


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s"
