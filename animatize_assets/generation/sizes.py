"""Which sizes of picture a provider model makes, and which of them is nearest to a wish.

Belongs here: the kinds of rule and the search. Does not belong here: any model's numbers
(``catalogue.yaml``).

The nearest size is the wish itself where the model makes it. Otherwise the wish is scaled into the
model's limits with its aspect kept as far as they allow, and of the allowed sizes around that the
one of the nearest aspect is taken; between equals, the one of the nearest area.
"""

from __future__ import annotations

from itertools import count
from math import ceil, floor, log, sqrt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from animatize_assets.records import Measured, Record

Size = tuple[int, int]
"""Width and height, px."""

Side = Annotated[int, Field(ge=1, le=100_000)]

AREA_TOLERANCE = 1.1
"""A wish may be a tenth larger than a resolution class and still be served by it."""


class AnySize(Record):
    """Every size is made."""

    rule: Literal["any"]

    def allows(self, size: Size) -> bool:
        """Whether both sides are at least 1 px."""
        return min(size) >= 1

    def nearest(self, size: Size) -> Size:
        """Return ``size``."""
        return size


class FixedSizes(Record):
    """A list of sizes."""

    rule: Literal["fixed"]
    sizes: tuple[tuple[Side, Side], ...] = Field(min_length=1)

    def allows(self, size: Size) -> bool:
        """Whether ``size`` is in the list."""
        return size in self.sizes

    def nearest(self, size: Size) -> Size:
        """Return the size of the nearest aspect in the list."""
        return min(self.sizes, key=lambda each: _distance(each, size))


class MultipleOf(Record):
    """Both sides are multiples of a number, within limits. ``max_ratio``: longer to shorter."""

    rule: Literal["multiple_of"]
    step: Side
    min_side_px: Side
    max_side_px: Side
    min_pixels: int = Field(default=1, ge=1)
    max_pixels: int = Field(ge=1)
    max_ratio: Measured | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        smallest, largest = self.min_side_px, self.max_side_px
        if smallest % self.step or largest % self.step or smallest > largest:
            raise ValueError("the sides' limits must be multiples of step, the smaller one first")
        squares = range(smallest, largest + 1, self.step)
        if not any(self.allows((side, side)) for side in squares):
            raise ValueError("no square is within all the limits")
        return self

    def allows(self, size: Size) -> bool:
        """Whether both sides and what they make together are within the limits."""
        short, long = min(size), max(size)
        return (
            not (short % self.step or long % self.step)
            and self.min_side_px <= short
            and long <= self.max_side_px
            and self.min_pixels <= short * long <= self.max_pixels
            and (self.max_ratio is None or long <= self.max_ratio * short)
        )

    def nearest(self, size: Size) -> Size:
        """Return ``size`` when it is allowed, else the nearest one as the module says."""
        if self.allows(size):
            return size
        fitted = self._fitted(size)
        for reach in count(1):
            around = [
                (width, height)
                for width in self._around(fitted[0], reach)
                for height in self._around(fitted[1], reach)
                if self.allows((width, height))
            ]
            if around:
                # The aspect of the wish, not of what was fitted: that is what a person sees.
                return min(around, key=lambda each: _distance(each, size, area=fitted))
        raise AssertionError("a square is always allowed")

    def _fitted(self, size: Size) -> tuple[float, float]:
        """Return ``size`` scaled into the limits, in fractions of a pixel."""
        widest = self.max_side_px / self.min_side_px
        limit = min(self.max_ratio, widest) if self.max_ratio else widest
        width, height = float(size[0]), float(size[1])
        ratio = min(max(width / height, 1 / limit), limit)
        if ratio != width / height:
            width, height = sqrt(width * height * ratio), sqrt(width * height / ratio)
        pixels = width * height
        scale = sqrt(min(max(pixels, self.min_pixels), self.max_pixels) / pixels)
        scale = max(scale, self.min_side_px / min(width, height))
        scale = min(scale, self.max_side_px / max(width, height))
        return width * scale, height * scale

    def _around(self, side: float, reach: int) -> range:
        first = max(floor(side / self.step) - reach + 1, self.min_side_px // self.step)
        last = min(ceil(side / self.step) + reach - 1, self.max_side_px // self.step)
        return range(first * self.step, (last + 1) * self.step, self.step)


class AspectRatios(Record):
    """A ratio of the sides and a resolution class are asked for; the model chooses the pixels.

    ``resolutions``: name of the class -> side of the square of as many pixels.
    """

    rule: Literal["aspect_ratios"]
    ratios: tuple[Annotated[str, Field(pattern=r"^[1-9]\d?:[1-9]\d?$")], ...] = Field(min_length=1)
    resolutions: dict[str, Side] = Field(min_length=1)

    def choice(self, size: Size) -> tuple[str, str]:
        """Return the ratio and the class to ask for.

        The nearest ratio, and the smallest class that has the pixels of ``size``, or the largest.
        """
        ratio = min(self.ratios, key=lambda each: _distance(_sides(each), size))
        pixels = size[0] * size[1] / AREA_TOLERANCE
        by_side = sorted(self.resolutions.items(), key=lambda item: item[1])
        return ratio, next((name for name, side in by_side if side**2 >= pixels), by_side[-1][0])

    def allows(self, size: Size) -> bool:
        """Whether ``size`` is one of a listed ratio and class."""
        return self.nearest(size) == size

    def nearest(self, size: Size) -> Size:
        """Return exactly the ratio, with no more pixels than the class."""
        ratio, resolution = self.choice(size)
        across, down = _sides(ratio)
        scale = max(1, floor(self.resolutions[resolution] / sqrt(across * down)))
        return across * scale, down * scale


SizeRule = Annotated[AnySize | FixedSizes | MultipleOf | AspectRatios, Field(discriminator="rule")]
"""How a model's sizes are told."""


def _sides(ratio: str) -> Size:
    across, _, down = ratio.partition(":")
    return int(across), int(down)


def _distance(
    size: Size, wish: Size, *, area: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Return how far an aspect is from the wish, then how far an area is; as logarithms."""
    whole = area or wish
    aspect = abs(log(size[0] * wish[1] / (size[1] * wish[0])))
    # Rounded: equal aspects must not differ by the last bit of a logarithm.
    return round(aspect, 9), abs(log(size[0] * size[1] / (whole[0] * whole[1])))
