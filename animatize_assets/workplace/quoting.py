"""What pictures of images would cost and how long they would take, before anything is spent.

Belongs here: from keys, a provider and a size to a quote. Does not belong here: the quote's
statistics (``generation.quote``), the estimate of time (``run_estimates``), what a person sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import prod

from animatize_assets.generation.catalogue import (
    Catalogue,
    ProviderModel,
    expected_cost,
    load_catalogue,
    nearest_size,
)
from animatize_assets.generation.quote import History, Planned, Quote, quote
from animatize_assets.generation.source_image import sent_size
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup
from animatize_assets.pipeline.job_parameters import LOCAL
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.source_opening import UNSTATED_CONCURRENCY
from animatize_assets.rendering.size import output_size
from animatize_assets.workplace.opening import Workplace
from animatize_assets.workplace.run_estimates import run_estimate


def quote_pictures(
    workplace: Workplace,
    image_keys: Sequence[str],
    provider: str,
    size: tuple[int, int] | None = None,
) -> Quote:
    """Return what pictures of the images by ``provider`` would cost, and how long all take.

    ``size``: width and height, px; None: as each image has it.

    Raises:
        ImageNotFound: no accepted image has one of these keys.
        NotConfigured: the model that is set for the provider is not known or retired.

    """
    if not image_keys:
        return quote([], History())
    setup, catalogue = workplace.generation, load_catalogue()
    images = workplace.images.sizes(image_keys)
    planned = [
        Planned(provider, key, expected_price(setup, catalogue, (width, height), provider, size))
        for key, width, height in images
    ]
    since = datetime.now(UTC) - timedelta(seconds=setup.results_ttl_s)
    told = quote(planned, History.read(workplace.images.engine, [provider], since=since))
    model = _chosen_model(setup, catalogue, provider)
    made_anew = run_estimate(
        images,
        PipelineRequest(provider=provider, size=size),
        ["generated_picture"],
        workplace.performance.time_estimator,
        1 if provider == LOCAL else model.concurrency or UNSTATED_CONCURRENCY,
        provider_model=model.model,
    )
    to_make = 1 - told.expected_served / told.pictures
    return told.model_copy(update={"expected_seconds": made_anew.seconds * to_make})


def expected_price(
    setup: GenerationSetup,
    catalogue: Catalogue,
    image: tuple[int, int],
    provider: str,
    size: tuple[int, int] | None,
) -> float | None:
    """Return what one picture is expected to cost, US dollars; None: its price is not known.

    ``image``: width and height of the image, px; ``size``: of the picture, None: as the image.

    Raises:
        NotConfigured: the model that is set for the provider is not known or retired.
    """
    model = _chosen_model(setup, catalogue, provider)
    width, height = output_size(*image, size=size)
    return expected_cost(
        model,
        width,
        height,
        input_image=model.takes.input_image,
        input_pixels=prod(sent_size(image, nearest_size(model, width, height))),
    )


def _chosen_model(setup: GenerationSetup, catalogue: Catalogue, provider: str) -> ProviderModel:
    named = setup.providers.get(provider, ProviderSetup()).model
    if not named:
        return catalogue.default(provider)
    return catalogue.get(provider, named, datetime.now(UTC).date())
