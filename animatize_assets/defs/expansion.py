"""Prompt expansion in batches: the step that sends one, and the sensor that asks after it.

Belongs here: phrasing both for Dagster. Does not belong here: gathering questions
(``pipeline.batching``), the batch's life (``prompts.expansion.batches``). No step ever waits for a
batch, which may take a day. See https://docs.dagster.io/guides/automate/sensors.
"""

from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from animatize_assets.defs.performance import tracked_step
from animatize_assets.defs.provider_resources import PictureProviders
from animatize_assets.defs.resources import Stores, WorkshopResource
from animatize_assets.errors import AnimatizeError
from animatize_assets.pipeline.batching import submit_expansions
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.source_opening import open_expansions

EXPAND_JOB = "expand_prompts"
POLL_INTERVAL_S = 60
"""A batch takes minutes to hours; a webhook tells sooner where one can be received."""


class ExpandConfig(dg.Config):
    """Whose prompts to expand."""

    images: list[str] = Field(default=[], description="Image keys; default: every image.")
    target: str = Field(default="generic", description="Model that the prompts are for.")
    style: str = Field(default="cinematic", description="Style of the prompts.")
    seed: int = Field(default=0, description="Of the runs that will take the answers.")


@dg.op(
    description="Send the prompts of many images to the cheaper language model as one batch.",
    out=dg.Out(dict, description="How many were asked, known already, or not ready."),
)
def submit_expansion_batch(
    context: dg.OpExecutionContext, config: ExpandConfig, workshop: WorkshopResource
) -> dict[str, Any]:
    """Send one batch; its answers come by the sensor ``expansion_batches``."""
    with (
        closing(workshop.open()) as bench,
        tracked_step(context, workshop.performance, EXPAND_JOB),
    ):
        request = PipelineRequest(
            target=config.target, style=config.style, seed=config.seed, expand="draft"
        )
        done = submit_expansions(bench, config.images or bench.images.keys(), request)
    for image_key in done.not_ready:
        context.log.warning("%s has no movement prediction yet; run it first.", image_key)
    told = {"asked": done.asked, "known": done.known, "not_ready": len(done.not_ready)}
    context.add_output_metadata(told | {"batches": list(done.batches)})
    return told


@dg.job(name=EXPAND_JOB, description="Expand prompts as one OpenAI batch, at half the price.")
def expand_prompts() -> None:
    """Expand prompts as one batch."""
    submit_expansion_batch()


def expansion_batches(
    context: dg.SensorEvaluationContext, stores: Stores, picture_providers: PictureProviders
) -> dg.SkipReason:
    """Ask once after every batch that is under way, and go on with what a crash left halfway."""
    setup = picture_providers.setup()
    images, _ = stores.open()
    expansions = open_expansions(setup, images.engine)
    if expansions is None:
        return dg.SkipReason("OpenAI is not configured.")
    desk = expansions.desk()
    try:
        desk.submit_waiting()
        polled = desk.poll()
    except AnimatizeError as error:
        context.log.error("The batches could not be asked after: %s", error.message)  # noqa: TRY400 - a sentence, no traceback
        return dg.SkipReason(error.message)
    for note in polled.notes:
        context.log.warning("%s", note)
    if polled.finished:
        context.log.info(
            "%d expansions have come; `expand: draft` takes them.", len(polled.finished)
        )
    under_way = len(polled.open_batches)
    return dg.SkipReason(
        f"{len(polled.finished)} expansions have come; {under_way} batches are under way."
    )


def build_expansion_sensor() -> dg.SensorDefinition:
    """Make the sensor; it runs from the start and does nothing without a key."""
    return dg.sensor(
        name="expansion_batches",
        minimum_interval_seconds=POLL_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Polls OpenAI batches of prompt expansions.",
    )(expansion_batches)
