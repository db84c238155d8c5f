"""How a picture can be made at night, and what that costs against the day.

Belongs here: from a provider model to a way and its price. Does not belong here: the prices
(``generation.catalogue``), the choice (``planning``).

A model of another name is never taken instead, however cheap: its picture would be another one than
was asked for, and would answer no request. Who is content with a cheaper model sets it as the
provider's; then requests name it, and so do patterns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from animatize_assets.generation.catalogue import ProviderModel, expected_cost
from animatize_assets.generation.prices import Free

Way = Literal["own", "batch"]

BATCHES = frozenset({"openai"})
"""Providers whose batches of pictures this project can send."""


@dataclass(frozen=True)
class Offer:
    """A way to make one picture."""

    way: Way
    cost_usd: float
    """At most."""
    by_day_usd: float
    """What the same costs on demand, at most."""


def offer_of(
    model: ProviderModel,
    size: tuple[int, int],
    *,
    input_pixels: int | None = None,
    characters: int = 2000,
) -> Offer | None:
    """Return how ``model`` makes a picture of that size at night; None when not below its price.

    ``input_pixels``: of the source that is sent along. ``characters``: of the prompt.
    """
    if isinstance(model.price, Free):
        return Offer("own", 0.0, 0.0)
    discount = None if model.price is None else model.price.batch_discount
    by_day = expected_cost(
        model,
        *size,
        input_image=model.takes.input_image,
        input_pixels=input_pixels,
        characters=characters,
    )
    if model.provider not in BATCHES or not discount or by_day is None:
        return None
    return Offer("batch", by_day * (1 - discount), by_day)
