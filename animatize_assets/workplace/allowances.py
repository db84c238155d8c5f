"""How many pictures the budgets still allow, told before a run is asked for.

Belongs here: limits and the ledger's sums, with the settings of this process. Does not belong here:
refusing a call that passes a limit (``generation.budget``, whatever was told here), quotes
(``quoting``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from typing import TYPE_CHECKING

from animatize_assets.pipeline.generation_setup import GenerationSetup
from animatize_assets.pipeline.request import PipelineRequest

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from animatize_assets.images.store import ImageStore

PRECISION_USD = 1e-9
"""Money is kept in billionths of a dollar; sums of floats may be off by less."""


def allowance_usd(engine: Engine, setup: GenerationSetup, provider: str, *, now: datetime) -> float:
    """Return what one new run may spend on ``provider`` now, US dollars; inf without a limit.

    What may have been spent counts as spent. ``engine``: of the ledger's database.
    """
    from animatize_assets.generation.spending import totals  # noqa: PLC0415  # SQLAlchemy

    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    spent = {
        each.provider: each.billed_usd + each.possible_usd
        for each in totals(engine, since=midnight)
    }
    limits = [
        (setup.budget_run_usd, 0.0),
        (setup.budget_day_usd, math.fsum(spent.values())),
        (setup.budget_provider_day_usd.get(provider), spent.get(provider, 0.0)),
    ]
    left = [max(0.0, limit - used) for limit, used in limits if limit is not None]
    return min(left, default=math.inf)


def affordable(
    images: ImageStore,
    setup: GenerationSetup,
    image_keys: Sequence[str],
    request: PipelineRequest,
    allowance: float,
) -> tuple[str, ...]:
    """Return the first of ``image_keys`` whose pictures together cost ``allowance`` at most.

    A picture without a known price is affordable only where nothing limits it.

    Raises:
        ImageNotFound: no accepted image has one of these keys.
        NotConfigured: the model that is set for the provider is not known or retired.
    """
    if request.provider == "local" or math.isinf(allowance):
        return tuple(image_keys)
    spent, found = 0.0, []
    for key, price in _prices(images, setup, image_keys, request):
        if price is None or spent + price > allowance + PRECISION_USD:
            break
        spent += price
        found.append(key)
    return tuple(found)


def price_of(
    images: ImageStore,
    setup: GenerationSetup,
    image_keys: Sequence[str],
    request: PipelineRequest,
) -> float:
    """Return what these pictures cost together, as far as their price is known, US dollars.

    Raises:
        ImageNotFound, NotConfigured: as :func:`affordable`.
    """
    prices = (price for _, price in _prices(images, setup, image_keys, request))
    return math.fsum(price for price in prices if price is not None)


def _prices(
    images: ImageStore,
    setup: GenerationSetup,
    image_keys: Sequence[str],
    request: PipelineRequest,
) -> Iterator[tuple[str, float | None]]:
    from animatize_assets.generation.catalogue import load_catalogue  # noqa: PLC0415  # YAML
    from animatize_assets.workplace.quoting import expected_price  # noqa: PLC0415  # SQLAlchemy

    catalogue = load_catalogue()
    for key, width, height in images.sizes(image_keys):
        yield (
            key,
            expected_price(setup, catalogue, (width, height), request.provider, request.size),
        )
