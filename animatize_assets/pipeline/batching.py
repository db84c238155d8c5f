"""Many prompts asked of a language model as one batch, at half the price.

Belongs here: gathering the questions of images. Does not belong here: the batch itself
(``prompts.expansion.batches``), polling it (a sensor in ``defs``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from animatize_assets.errors import NotConfigured
from animatize_assets.generation.sourcing import derive_seed
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.generation_setup import KEY_VARIABLES
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.prompts.compiler import compile_prompt
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.telemetry.tracing import IMAGE_KEY, RUN_ID, current_traceparent, span

if TYPE_CHECKING:
    from animatize_assets.pipeline.workshop import Workshop


@dataclass(frozen=True)
class Submitted:
    """What became of the images that were named."""

    asked: int
    """Questions that were never asked before."""
    known: int
    """Questions that wait, are under way or are answered already."""
    not_ready: tuple[str, ...]
    """Images without movement prediction: run them first."""
    batches: tuple[str, ...]
    """Batches that were sent, or that this call went on with."""


def submit_expansions(
    workshop: Workshop, image_keys: Sequence[str], request: PipelineRequest
) -> Submitted:
    """Put the prompts of the images into a batch and send it; nothing is waited for.

    A run with ``expand="draft"`` of the same images then takes the answers that have come.

    Raises:
        NotConfigured: there is no key.
    """
    if workshop.expansions is None:
        raise NotConfigured(f"Prompts cannot be expanded: set {KEY_VARIABLES['openai']}.")
    lines, not_ready = [], []
    for image_key in image_keys:
        analysis = workshop.artifacts.current("scene_analysis", image_key, SceneAnalysis)
        prediction = workshop.artifacts.current(
            "movement_prediction", image_key, MovementPrediction
        )
        if analysis is None or prediction is None:
            not_ready.append(image_key)
            continue
        prompt = compile_prompt(
            analysis,
            prediction,
            target=request.target,
            style=request.style,
            dialects=workshop.dialects,
        )
        seed = derive_seed(image_key, request.seed, "openai", "draft")
        with span(
            "ask in a batch",
            {IMAGE_KEY: image_key, RUN_ID: workshop.run_id},
            parent=workshop.images.traceparent(image_key),
            links=[current_traceparent()],
        ):
            line = workshop.expansions.line(
                prompt, analysis, prediction, seed=seed, image_key=image_key
            )
        lines.append(line)
    desk = workshop.expansions.desk()
    asked = desk.enqueue(lines)
    batches = desk.submit_waiting()
    return Submitted(
        asked=asked,
        known=len(lines) - asked,
        not_ready=tuple(not_ready),
        batches=tuple(batch.batch_key for batch in batches),
    )
