"""What pictures of images would cost, before anything is spent.

Belongs here: from keys, a provider and a size to a quote. Does not belong here: the quote's
statistics (``generation.quote``), what a person sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import prod

from animatize_assets.generation.catalogue import (
    Catalogue,
    expected_cost,
    load_catalogue,
    nearest_size,
)
from animatize_assets.generation.quote import History, Planned, Quote, quote
from animatize_assets.generation.source_image import sent_size
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup
from animatize_assets.rendering.size import output_size
from animatize_assets.workplace.opening import Workplace


def quote_pictures(
    workplace: Workplace,
    image_keys: Sequence[str],
    provider: str,
    size: tuple[int, int] | None = None,
) -> Quote:
    """Return what ``provider`` would take for a picture of each image.

    ``size``: width and height, px; None: as each image has it.

    Raises:
        ImageNotFound: no accepted image has one of these keys.
        NotConfigured: the model that is set for the provider is not known or retired.

    """
    history, planned = History(), []
    if image_keys:
        catalogue = load_catalogue()
        for key, *image in workplace.images.sizes(image_keys):
            price = expected_price(
                workplace.generation, catalogue, (image[0], image[1]), provider, size
            )
            planned.append(Planned(provider, key, price))
        since = datetime.now(UTC) - timedelta(seconds=workplace.generation.results_ttl_s)
        history = History.read(workplace.images.engine, [provider], since=since)
    return quote(planned, history)


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
    named = setup.providers.get(provider, ProviderSetup()).model
    today = datetime.now(UTC).date()
    model = catalogue.get(provider, named, today) if named else catalogue.default(provider)
    width, height = output_size(*image, size=size)
    return expected_cost(
        model,
        width,
        height,
        input_image=model.takes.input_image,
        input_pixels=prod(sent_size(image, nearest_size(model, width, height))),
    )
