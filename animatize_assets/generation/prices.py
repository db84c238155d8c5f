"""What a provider model costs: the kinds of price and the sums.

Belongs here: arithmetic with prices. Does not belong here: any price (``catalogue.yaml``), limits
(``budget``), storing (``ledger``).

A cost that cannot be known is None, never 0: no price, or a count that the provider did not tell
and that the sum hangs on.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from animatize_assets.generation.models import Usage
from animatize_assets.generation.sizes import Size
from animatize_assets.records import Record, Share

Usd = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]

PER_MILLION = Decimal(1_000_000)

PIXELS_PER_MEGAPIXEL = 1024 * 1024
"""A picture of 1024x1024 px costs one megapixel; inferred from published examples, not stated."""

TOLD_ROUNDING = 0.01
"""Counts are told in millions of pixels with two digits: 1.05 for 1024x1024."""

CHARACTERS_PER_TOKEN = 2
"""At least so many on average in prompts: English has about four. For costs at most."""

SQUARE_PIXELS = 1024 * 1024
"""What token counts of pictures are stated for."""


class Priced(Record):
    """What every price has: a source and the day on which it was read there."""

    date: date
    source: str = Field(min_length=3)
    batch_discount: Share | None = Field(
        default=None, description="share that a batch saves; None: not sold in batches, or unknown"
    )


class Free(Priced):
    """Really free: our own renderer, the user's own hardware."""

    kind: Literal["free"]


class PerImage(Priced):
    """So much for each picture, whatever its size."""

    kind: Literal["per_image"]
    usd: Usd


class PerMegapixel(Priced):
    """So much for the first megapixel of a picture, and for each further one that is begun."""

    kind: Literal["per_megapixel"]
    first_usd: Usd
    further_usd: Usd
    input_usd: Usd | None = Field(default=None, description="each megapixel of an input image")


class PerToken(Priced):
    """So much for a million tokens."""

    kind: Literal["per_token"]
    input_usd: Usd
    cached_usd: Usd | None = Field(default=None, description="input that was cached before")
    cache_write_usd: Usd | None = Field(
        default=None, description="input that is cached now; None: as other input"
    )
    image_input_usd: Usd | None = Field(default=None, description="None: as other input")
    output_usd: Usd | None = Field(
        default=None, description="text, thoughts included; None: the model writes none"
    )
    image_output_usd: Usd | None = Field(
        default=None, description="None: the model makes no pictures"
    )
    picture_tokens: dict[str, Annotated[int, Field(ge=1)]] | None = Field(
        default=None,
        description="output tokens of a picture by quality (of 1024x1024 px) or resolution class",
    )
    input_image_tokens: int | None = Field(
        default=None, ge=1, description="of one input image, at most"
    )
    text_tokens_at_most: int = Field(
        default=0, ge=0, description="words and thoughts beside a picture, for costs at most"
    )


Price = Annotated[Free | PerImage | PerMegapixel | PerToken, Field(discriminator="kind")]
"""One of the kinds."""


def cost(price: Price | None, usage: Usage, *, batch: bool = False) -> float | None:
    """Return what a call cost by what it used, US dollars; None when that cannot be known."""
    if price is None:
        return None
    if isinstance(price, Free):
        return 0.0
    if isinstance(price, PerImage):
        usd = None if usage.images is None else Decimal(str(price.usd)) * usage.images
    elif isinstance(price, PerMegapixel):
        usd = _by_megapixels(price, usage)
    else:
        usd = _by_tokens(price, usage)
    return _in_batch(usd, price, batch)


def at_most(
    price: Price | None,
    size: Size,
    *,
    tokens: str | None = None,
    by_area: bool = False,
    input_image: bool = False,
    input_pixels: int | None = None,
    characters: int = 0,
) -> float | None:
    """Return what one picture costs at most, US dollars; None when that cannot be known.

    ``input_pixels``: of the input image, where they are known. ``tokens``: the quality or
    resolution class of ``picture_tokens``. ``by_area``: they are those of a square of 1024 px, and
    a larger picture takes more in proportion.
    """
    if isinstance(price, PerMegapixel):
        pixels = size[0] * size[1]
        usd = _megapixels_usd(price, pixels)
        if input_image:
            # The source is sent no larger than the picture, up to the overhang of its aspect.
            extra = Decimal(str(price.input_usd or 0)) * _megapixels(input_pixels or 2 * pixels)
            usd += extra
        return float(usd)
    if not isinstance(price, PerToken):
        return cost(price, Usage(images=1))
    picture = (price.picture_tokens or {}).get(tokens or "")
    if picture is None or (input_image and price.input_image_tokens is None):
        return None
    if by_area:
        picture = ceil(picture * max(1.0, size[0] * size[1] / SQUARE_PIXELS))
    image_in = (price.input_image_tokens or 0) if input_image else 0
    return cost(
        price,
        Usage(
            input_tokens=ceil(characters / CHARACTERS_PER_TOKEN) + image_in,
            input_image_tokens=image_in,
            output_tokens=picture + price.text_tokens_at_most,
            output_image_tokens=picture,
        ),
    )


def _by_megapixels(price: PerMegapixel, usage: Usage) -> Decimal | None:
    if usage.megapixels is None or usage.images is None:
        return None
    each = usage.megapixels * 1_000_000 / max(1, usage.images)
    return _megapixels_usd(price, each) * usage.images


def _megapixels_usd(price: PerMegapixel, pixels: float) -> Decimal:
    further = max(0, _megapixels(pixels) - 1)
    return Decimal(str(price.first_usd)) + Decimal(str(price.further_usd)) * further


def _megapixels(pixels: float) -> int:
    return max(1, ceil(pixels / PIXELS_PER_MEGAPIXEL - TOLD_ROUNDING))


def _by_tokens(price: PerToken, usage: Usage) -> Decimal | None:
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    pictures_in, pictures_out = _pictures_in(price, usage), _pictures_out(price, usage)
    if pictures_in is None or pictures_out is None:
        return None
    # Not told means none: then the sum is what the call costs without a cache, at most.
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    fresh = max(0, usage.input_tokens - pictures_in - cached - written)
    parts = (
        (fresh, price.input_usd),
        (pictures_in, _either(price.image_input_usd, price.input_usd)),
        (cached, price.cached_usd),
        (written, _either(price.cache_write_usd, price.input_usd)),
        (max(0, usage.output_tokens - pictures_out), price.output_usd),
        (pictures_out, price.image_output_usd),
    )
    total = Decimal(0)
    for count, usd in parts:
        if count and usd is None:
            return None
        total += count * Decimal(str(usd or 0)) / PER_MILLION
    return total


def _pictures_in(price: PerToken, usage: Usage) -> int | None:
    if usage.input_image_tokens is not None:
        return usage.input_image_tokens
    return 0 if price.image_input_usd in (None, price.input_usd) else None


def _pictures_out(price: PerToken, usage: Usage) -> int | None:
    """Return the tokens of pictures; where only one kind of output has a price, all are of it."""
    if usage.output_image_tokens is not None:
        return usage.output_image_tokens
    if price.image_output_usd is None or usage.output_tokens == 0:
        return 0
    return usage.output_tokens if price.output_usd is None else None


def _in_batch(usd: Decimal | None, price: Price, batch: bool) -> float | None:
    if usd is None or (batch and price.batch_discount is None):
        return None
    return float(usd * (1 - Decimal(str(price.batch_discount)))) if batch else float(usd)


def _either(usd: float | None, otherwise: float) -> float:
    return otherwise if usd is None else usd
